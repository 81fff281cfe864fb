"""What was planned and refused, what was filled, and what came of it."""

import polars as pl

from lake.contract import Column, Rule, Table
from lake.tables.vocabulary import (
    SESSION,
    TICKER,
    count,
    currency,
    day,
    flag,
    instant,
    local_money,
    money,
    number,
    price,
    rate,
    text,
)

SIDE = Column(pl.String(), "name", "buy or sell", pattern="buy|sell")
PLAN_ID = text("session and ticker of the plan", unit="id", max_length=60)

MANDATES = Table(
    name="mandates",
    domain="trading",
    doc="What the operator wants of the book, each time in whole; the last mandate set before a decision counts.",
    key=("mandate_id",),
    mode="append",
    owner="operator",
    clock="session",
    available="decided_at",
    root="the operator's request or decision",
    published_by_run=False,
    columns={
        "mandate_id": text("chosen by the client, so that a repeated word counts once", unit="id", max_length=80),
        "session": Column(pl.Date(), "exchange date", "the first session whose plan was not published then"),
        "mode": Column(
            pl.String(), "name", "what risk is counted against", pattern="benchmark_relative|always_invested|absolute"
        ),
        "benchmark": text("equal_weight, cash or a ticker", unit="name", max_length=20),
        "active_risk": number("fraction per year", "largest standard deviation of the return beyond the benchmark's"),
        "total_risk": number("fraction per year", "largest standard deviation of the return of an absolute book"),
        "min_exposure": number("fraction of NAV", "least that is invested, unless the book is absolute"),
        "max_exposure": number("fraction of NAV", "most that is invested"),
        "cash_target": number("fraction of NAV", "what the benchmark's part leaves in cash"),
        "risk_aversion": number("per unit of variance", "expected return given up for less variance, twice"),
        "cost_aversion": number("multiple", "of its cost that a trade has to earn over the holding period"),
        "horizon": Column(pl.Int64(), "sessions", "the holding period that returns are expected over"),
        "market_premium": number("fraction per year", "what the market is assumed to earn above cash"),
        "exclusions": Column(pl.List(pl.String()), "names", "tickers and sectors that are not held"),
        "tilts": Column(pl.List(pl.String()), "name=weight", "weights beyond the benchmark, in fractions of NAV"),
        "reason": text("why, in the operator's words", max_length=1_000),
        "decided_at": instant("when; in a simulated market, its own time"),
        "recorded_at": instant("when, by the computer's clock"),
        "origin": Column(pl.String(), "name", "where it was made", pattern="console|cli"),
        "decided_by": text("the user of the system who made it", max_length=80),
    },
)

ALPHAS = Table(
    name="alphas",
    domain="trading",
    doc="What the book may expect of each name over its holding period, and what the name adds to its risk.",
    key=("session", "ticker"),
    mode="append",
    owner="alpha",
    clock="session",
    columns={
        "session": SESSION.refer_to("feedback_metrics.session", "market_prices.session", "predictions.session"),
        "ticker": TICKER.refer_to("market_prices.ticker", "predictions.ticker"),
        "sector": text("sector; null where it is in none", unit="name", nullable=True, max_length=60),
        "horizon": Column(pl.Int64(), "sessions", "the holding period"),
        "alpha": number("fraction", "expected return over the holding period beyond the market's, before costs"),
        "parts": Column(
            pl.List(
                pl.Struct(
                    {
                        "horizon": pl.Int32(),
                        "ic": pl.Float64(),
                        "ic_error": pl.Float64(),
                        "score": pl.Float64(),
                        "sigma": pl.Float64(),
                        "half_life": pl.Float64(),
                        "weight": pl.Float64(),
                        "alpha": pl.Float64(),
                    }
                )
            ),
            "see the fields",
            "what each forecast horizon (sessions) says: the skill counted on (ic, a correlation, with its standard"
            " error), how far the forecast stands out among the names (score, deviations), the name's deviation over"
            " the horizon (sigma), after how many sessions half of the signal is gone, its weight, and the return over"
            " the holding period that it expects (alpha); empty without a forecast",
        ),
        "model_id": text("the model that forecast it", unit="id", nullable=True, max_length=80).refer_to(
            "predictions.model_id"
        ),
        "beta": number("multiple", "return expected per unit of the market's, shrunk a third towards 1"),
        "market_variance": number("fraction squared per session", "of the equal-weight market's return"),
        "sector_variance": number("fraction squared per session", "of what the sector adds to it"),
        "specific_variance": number("fraction squared per session", "of what is left of the name, shrunk"),
        "observations": count("sessions", "returns that beta and variances rest on"),
    },
)

# Derived from the book's value as well; a reference to it would lead in a circle, from plan to plan.
STRATEGIC_PRIORITIES = Table(
    name="strategic_priorities",
    domain="trading",
    doc="The regime for the next session: state of the market, how much risk to take, and why.",
    key=("session",),
    mode="merge",
    owner="strategy",
    clock="session",
    diffuse=True,
    columns={
        "session": SESSION.refer_to("feedback_metrics.session"),
        "regime": Column(pl.String(), "name", "state of the market", pattern="calm|normal|stressed"),
        "market_volatility": number("fraction per year", "realised volatility of the equal-weight market, 20 sessions"),
        "market_trend": number("fraction", "equal-weight market return, 60 sessions"),
        "drawdown": number("fraction", "the portfolio's fall from its peak, 0 or more"),
        "skill": number("correlation", "measured information coefficient of the decision horizon", nullable=True),
        "skill_low": number("correlation", "lower end of its interval", nullable=True),
        "risk_budget": number("0 to 1", "share of the full risk that may be taken"),
        "target_exposure": number("fraction of NAV", "gross exposure aimed at"),
        "most_positions": count("positions", "maximum number of positions"),
        "reason": text("why, as a sentence", max_length=500),
    },
)

TRADE_PLANS = Table(
    name="trade_plans",
    domain="trading",
    doc="Every trade considered for the next open, taken or refused, with each rule's verdict.",
    key=("session", "ticker"),
    mode="append",
    owner="plan",
    clock="session",
    columns={
        "plan_id": PLAN_ID,
        "session": Column(pl.Date(), "exchange date", "the close at which it was decided").refer_to(
            "strategic_priorities.session", "market_prices.session", "alphas.session"
        ),
        "for_session": day("the session at whose open it may be filled"),
        "decided_at": instant("the moment of decision"),
        "ticker": TICKER.refer_to("market_prices.ticker", "alphas.ticker"),
        "sector": text("sector", unit="name", max_length=60),
        "side": Column(pl.String(), "name", "what was considered", pattern="buy|sell|hold"),
        "intent": Column(
            pl.String(),
            "name",
            "why: enter, add, reduce, exit on forecast, stop or horizon; short, and cover of a short one; or keep",
            pattern="enter|add|reduce|exit|stop|expire|short|cover|keep",
        ),
        "taken": flag("an order goes to the next open"),
        "wanted_shares": count("shares", "before the rules"),
        "shares": count("shares", "after the rules; 0 where refused"),
        "close": number("currency per share", "the close it was decided at"),
        "expected_return": number("fraction", "forecast over the decision horizon", nullable=True),
        "low_return": number("fraction", "the forecast's 5 % quantile", nullable=True),
        "low_80": number("fraction", "lower end of the forecast's 80 % interval", nullable=True),
        "high_80": number("fraction", "upper end of the forecast's 80 % interval", nullable=True),
        "expected_cost": number("fraction", "round-trip cost expected"),
        "edge": number("fraction", "expected return less expected cost", nullable=True),
        "target_weight": number("fraction of NAV", "position aimed at after the trade"),
        "stop": number("currency per share", "the price below which the position is cut", nullable=True),
        "verdicts": Column(
            pl.List(
                pl.Struct(
                    {
                        "rule": pl.String(),
                        "verdict": pl.String(),
                        "scale": pl.Float64(),
                        "distance": pl.Float64(),
                        "reason": pl.String(),
                    }
                )
            ),
            "see rule",
            "each rule in order: allow, scale or refuse; distance is how far from passing in full (0 where it passed)",
        ),
        "blocked_by": text(
            "the first rule that refused it; null where none did", unit="rule", nullable=True, max_length=60
        ),
        "prediction_id": text("the forecast that it is based on", unit="id", nullable=True, max_length=40).refer_to(
            "predictions.prediction_id"
        ),
        "model_id": text("the model behind it", unit="id", nullable=True, max_length=80),
        "currency": currency("what close and stop are quoted in"),
        "rate": rate("what that was worth when it was decided"),
        "mandate_id": text(
            "the mandate it was decided under; null under that of the settings", unit="id", nullable=True, max_length=80
        ).refer_to("mandates.mandate_id"),
        "alpha": number(
            "fraction", "expected return over the mandate's holding period beyond the market's", nullable=True
        ),
        "benchmark_weight": number("fraction of NAV", "what the mandate's benchmark holds", nullable=True),
        "free_weight": number("fraction of NAV", "what the book would hold without any rule", nullable=True),
        "steps": Column(
            pl.List(pl.Float64()),
            "fraction of NAV",
            "what it would hold after each rule, in the order of `verdicts`; null where the book was not built at once",
            nullable=True,
        ),
        "buy_alpha": number("fraction", "the alpha from which more would be bought", nullable=True),
        "sell_alpha": number("fraction", "the alpha below which some would be sold", nullable=True),
        "binding": Column(
            pl.List(pl.Struct({"limit": pl.String(), "shadow_price": pl.Float64()})),
            "see the fields",
            "limits that keep the book from more, and what one unit of weight more would add to its utility (fraction"
            " over the holding period)",
            nullable=True,
        ),
        "order_type": Column(
            pl.String(),
            "name",
            "the kind of order that it becomes; null where it is none, and in plans for the open from earlier programs",
            nullable=True,
            pattern="market-on-open|market-on-close|limit",
        ),
        "limit_price": number("currency per share", "limit: the worst price, on the basis of `close`", nullable=True),
        "resting_stop": number(
            "currency per share", "the price at which a stop order lies in the market, on the same basis", nullable=True
        ),
        "given_up": text(
            "limits that could not be met together with the others, in the order in which they gave way",
            nullable=True,
            max_length=300,
        ),
    },
    rules={
        "shares are not negative": Rule(pl.col("shares") >= 0, "state the side in `side`"),
        "a refused plan has no shares": Rule(pl.col("taken") | (pl.col("shares") == 0), "set shares to 0"),
        "filled after it was decided": Rule(pl.col("for_session") > pl.col("session"), "aim at the next open"),
    },
)

EXECUTED_TRADES = Table(
    name="executed_trades",
    domain="trading",
    doc="What became of each order in its session: filled, partly filled, or not, with each cost apart.",
    key=("trade_id",),
    mode="append",
    owner="execute",
    clock="session",
    columns={
        "trade_id": text("session, ticker, and the side or short or cover", unit="id", max_length=60),
        "plan_id": PLAN_ID.refer_to("trade_plans.plan_id", "trade_decisions.plan_id"),
        "session": Column(pl.Date(), "exchange date", "the session of the open").refer_to("market_prices.session"),
        "ts": instant(
            "the open at which it was filled; later the end of the bar within the session in which it was, or the close"
        ),
        "ticker": TICKER.refer_to("market_prices.ticker"),
        "side": SIDE,
        "status": Column(pl.String(), "name", "what happened", pattern="filled|partial|unfilled"),
        "reason": text("why it was not filled, or only partly", max_length=300),
        "ordered": count("shares", "shares ordered, after splits since the plan"),
        "shares": count("shares", "shares filled"),
        "open_price": price(
            "as quoted, before costs: the session's open, or the price of its kind of order", nullable=True
        ),
        "fill_price": price("price paid or received, as quoted: half-spread and impact in it", nullable=True),
        "gross": money("shares x fill price, rounded half to even; of a foreign name local_gross x rate"),
        "commission": money("commission"),
        "spread_cost": money("what the half-spread cost against `open_price`"),
        "impact_cost": money("what the impact cost against `open_price`"),
        "currency": currency("what the name is quoted in"),
        "rate": rate("what that was worth"),
        "rate_session": day("the day of that rate: the last one before the session", nullable=True),
        "local_gross": local_money("shares x fill price, rounded half to even"),
        "order_type": Column(
            pl.String(),
            "name",
            "the kind of order; null for the open, of earlier programs",
            nullable=True,
            pattern="market-on-open|market-on-close|limit|stop",
        ),
        "position": Column(
            pl.String(),
            "name",
            "which side of the book it trades: short where borrowed shares are sold or bought back; null for long",
            nullable=True,
            pattern="long|short",
        ),
    },
    rules={
        "fills are not negative": Rule(pl.col("shares") >= 0, "state the side in `side`"),
        "fills do not exceed the order": Rule(pl.col("shares") <= pl.col("ordered"), "fill at most the order"),
    },
)

TRADE_REFLECTIONS = Table(
    name="trade_reflections",
    domain="trading",
    doc="A review of each sale: what was expected, what happened, and whether forecast, cost or luck explains it.",
    key=("trade_id",),
    mode="append",
    owner="reflect",
    clock="session",
    columns={
        "trade_id": text("the sale, or the event of a delisting", unit="id", max_length=90).refer_to(
            "executed_trades.trade_id"
        ),
        "session": SESSION,
        "ticker": TICKER,
        "opened": day("session of the first buy"),
        "held_sessions": count("sessions", "how long it was held"),
        "shares": count("shares", "shares sold, or bought back of a short position"),
        "intent": text("why it was sold: the plan's intent, or delisting or write_off", unit="name", max_length=20),
        "expected_return": number("fraction", "forecast at entry over the decision horizon", nullable=True),
        "realised_return": number("fraction", "gain after all costs over what was paid"),
        "gross_return": number("fraction", "gain from open to open, before costs, dividends included"),
        "cost": money("spread, impact and commission of both sides, and what borrowing cost"),
        "profit": money("gain after costs, dividends included"),
        "surprise": number("sigmas", "realised less expected, in the forecast's own standard deviation", nullable=True),
        "verdict": Column(
            pl.String(),
            "name",
            "what explains it",
            pattern="as expected|good luck|bad luck|forecast wrong|cost|unforecast",
        ),
        "lesson": text("the same as a sentence", max_length=500),
        "entry_plan_id": text("the plan that opened it", unit="id", nullable=True, max_length=60).refer_to(
            "trade_plans.plan_id"
        ),
        "prediction_id": text("the forecast at entry", unit="id", nullable=True, max_length=40).refer_to(
            "predictions.prediction_id"
        ),
        "expected_gain": money(
            "the forecast at entry, for as long as it was held, on what was invested; 0 without one; null from earlier"
            " programs, as all that follow",
            nullable=True,
        ),
        "timing_gain": money("what opens were better than the closes at which it was decided", nullable=True),
        "luck_gain": money("what came otherwise than forecast within the 80 % interval", nullable=True),
        "error_gain": money("what came otherwise beyond it", nullable=True),
    },
    rules={
        "the parts of a profit add up to it": Rule(
            pl.col("expected_gain").is_null()
            | (
                pl.sum_horizontal("expected_gain", "timing_gain", "luck_gain", "error_gain") - pl.col("cost")
                == pl.col("profit")
            ),
            "give what is left to luck or to the forecast",
        ),
    },
)

DECISION_SCORES = Table(
    name="decision_scores",
    domain="trading",
    doc="The operator's decisions on trades, scored: what each trade would have earned over the decision horizon.",
    key=("plan_id",),
    mode="append",
    owner="decision_scores",
    clock="session",
    columns={
        "plan_id": PLAN_ID.refer_to("trade_decisions.plan_id", "trade_plans.plan_id"),
        "session": Column(pl.Date(), "exchange date", "the close that ended the decision horizon").refer_to(
            "market_prices.session"
        ),
        "for_session": day("the open that it was for"),
        "ticker": TICKER.refer_to("market_prices.ticker"),
        "side": SIDE,
        "intent": text("the plan's intent", unit="name", max_length=20),
        "decision": Column(pl.String(), "name", "the last decision before the open", pattern="approve|veto"),
        "reason": text("why, in the operator's words", max_length=1_000),
        "ordered": count("shares", "shares ordered, after splits since the plan"),
        "filled": count("shares", "shares filled"),
        "open_price": price("the opening price at which it would have been filled"),
        "total_return": number("fraction", "of the ticker from that open to the close, dividends included"),
        "whole_cost": money("expected cost of the whole order: a round trip for a buy, one way for a sale"),
        "whole_gain": money(
            "what the whole order would have earned after costs: a buy from the rise, a sale from the fall avoided"
        ),
        "decision_gain": money("what the decision earned: minus that for a veto, the filled share of it else"),
        "verdict": Column(pl.String(), "name", "whether it helped", pattern="helped|hurt|no difference"),
    },
)

# What it rests on follows from plans, which rest on it: a reference would lead in a circle, from plan to plan.
TRUST_LEVELS = Table(
    name="trust_levels",
    domain="trading",
    doc="Sectors, rules and vetoes that are trusted less by how they came out, on trial beside names left alone.",
    key=("session", "kind", "name"),
    mode="append",
    owner="trust_levels",
    clock="session",
    diffuse=True,
    columns={
        "session": SESSION.refer_to("market_prices.session"),
        "kind": Column(pl.String(), "name", "what is trusted less", pattern="sector|rule|override"),
        "name": text("the sector or rule; veto of the operator's overrides", unit="name", max_length=60),
        "begun": day("the session at which the trial began"),
        "judged": count("count", "closed trades, sessions of a rule, or vetoes that it rests on"),
        "good": count("count", "of them those that came out as forecast or better, earned, or helped"),
        "share": number("fraction", "what is left of alpha, or of the rule's say"),
        "status": Column(pl.String(), "name", "how it stands", pattern="on trial|helped|hurt|no effect|over"),
        "members": Column(pl.List(pl.String()), "symbols", "the tickers vetoed lately; empty for sectors and rules"),
        "arm": text("how its names are halved while it is on trial", unit="name", max_length=20),
        "compared": count("sessions", "in which both arms had names"),
        "total": number("fraction of NAV", "sum over sessions of what a treated name gained over one left alone"),
        "squares": number("fraction of NAV squared", "sum of their squares"),
        "treated": number("fraction of NAV", "what bets of treated names made in the session beyond the mean name"),
        "control": number("fraction of NAV", "the same of names left alone"),
        "treated_names": count("names", "treated in the session"),
        "control_names": count("names", "left alone in the session"),
        "gain": number("fraction of NAV", "mean gain of a name and session; null below two sessions", nullable=True),
        "gain_error": number("fraction of NAV", "its standard error", nullable=True),
    },
)
