"""What was planned and refused, what was filled, and the ledger, exact to the cent."""

import polars as pl

from lake.contract import CENTS, PRICE, RATE, Column, Rule, Table
from lake.tables.vocabulary import SESSION, TICKER, count, day, flag, instant, number, text


def money(doc: str, *, nullable: bool = False) -> Column:
    """An amount in the portfolio's currency, exact to the cent."""
    return Column(CENTS, "currency", doc, nullable=nullable)


def price(doc: str, *, nullable: bool = False) -> Column:
    """An exact price per share."""
    return Column(PRICE, "currency per share", doc, nullable=nullable)


def local_money(doc: str) -> Column:
    """An amount in the currency that a foreign name is quoted in, exact to its hundredth; null for the book's own."""
    return Column(CENTS, "quoted currency", doc, nullable=True)


def currency(doc: str) -> Column:
    """The currency that a foreign name is quoted in."""
    return Column(pl.String(), "ISO 4217", f"{doc}; null for the book's own", nullable=True, pattern="[A-Z]{3}")


def rate(doc: str) -> Column:
    """What one unit of that currency was worth in the book's."""
    return Column(RATE, "book's currency per quoted one", f"{doc}; null for the book's own", nullable=True)


SIDE = Column(pl.String(), "name", "buy or sell", pattern="buy|sell")
PLAN_ID = text("session and ticker of the plan", unit="id", max_length=60)

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
            "strategic_priorities.session", "market_prices.session"
        ),
        "for_session": day("the session at whose open it may be filled"),
        "decided_at": instant("the moment of decision"),
        "ticker": TICKER.refer_to("market_prices.ticker"),
        "sector": text("sector", unit="name", max_length=60),
        "side": Column(pl.String(), "name", "what was considered", pattern="buy|sell|hold"),
        "intent": Column(
            pl.String(),
            "name",
            "why: enter, add, reduce, exit on forecast, stop or horizon; or keep",
            pattern="enter|add|reduce|exit|stop|expire|keep",
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
    doc="What became of each order at its open: filled, partly filled, or not, with each cost apart.",
    key=("trade_id",),
    mode="append",
    owner="execute",
    clock="session",
    columns={
        "trade_id": text("session, ticker and side", unit="id", max_length=60),
        "plan_id": PLAN_ID.refer_to("trade_plans.plan_id", "trade_decisions.plan_id"),
        "session": Column(pl.Date(), "exchange date", "the session of the open").refer_to("market_prices.session"),
        "ts": instant("the open at which it was filled"),
        "ticker": TICKER.refer_to("market_prices.ticker"),
        "side": SIDE,
        "status": Column(pl.String(), "name", "what happened", pattern="filled|partial|unfilled"),
        "reason": text("why it was not filled, or only partly", max_length=300),
        "ordered": count("shares", "shares ordered, after splits since the plan"),
        "shares": count("shares", "shares filled"),
        "open_price": price("the session's opening price, as quoted", nullable=True),
        "fill_price": price("price paid or received, as quoted: open, half-spread and impact", nullable=True),
        "gross": money("shares x fill price, rounded half to even; of a foreign name local_gross x rate"),
        "commission": money("commission"),
        "spread_cost": money("what the half-spread cost against the open"),
        "impact_cost": money("what the impact cost against the open"),
        "currency": currency("what the name is quoted in"),
        "rate": rate("what that was worth"),
        "rate_session": day("the day of that rate: the last one before the session", nullable=True),
        "local_gross": local_money("shares x fill price, rounded half to even"),
    },
    rules={
        "fills are not negative": Rule(pl.col("shares") >= 0, "state the side in `side`"),
        "fills do not exceed the order": Rule(pl.col("shares") <= pl.col("ordered"), "fill at most the order"),
    },
)

ACCOUNTS = "cash|positions|receivable|capital|realised|exchange|dividends|commission|rounding"
"""`exchange`: what exchange rates added to the gain on what was sold."""

POSITION_ENDS = Table(
    name="position_ends",
    domain="trading",
    doc="Held names whose bars stopped without a word and that were written off: since when, and at what value.",
    key=("ticker", "last_session", "revision"),
    entity=("ticker", "last_session"),
    mode="append",
    owner="position_ends",
    clock="session",
    available="available_at",
    withdrawal="withdrawn",
    columns={
        "ticker": TICKER.refer_to("market_prices.ticker"),
        "last_session": day("the session of its last close").refer_to("market_prices.session"),
        "revision": Column(pl.Int32(), "count", "0 for the first statement, then what was heard since"),
        "session": SESSION,
        "ended_on": day("the session before whose open it is written off"),
        "amount": number("currency per share", "what a share is written off at"),
        "fraction": number(
            "fraction",
            "of its last close that it is written off at; null where older programs wrote none",
            nullable=True,
        ),
        "withdrawn": flag("something was heard of it since; readers of last revisions do not see it"),
        "reason": text("why", max_length=200),
        "available_at": instant("when it could be known"),
    },
)

LEDGER_ENTRIES = Table(
    name="ledger_entries",
    domain="trading",
    doc="Double entry: the legs of each event sum to zero; debits are positive, credits negative.",
    key=("entry_id",),
    mode="append",
    owner="ledger",
    clock="session",
    columns={
        "entry_id": text("event and leg number", unit="id", max_length=130),
        "event_id": text("the event whose legs balance", unit="id", max_length=120),
        "session": SESSION.refer_to("corporate_actions.ex_date"),
        "ts": instant("when it took effect"),
        "sequence": count("count", "order of the entry within the session"),
        "kind": Column(
            pl.String(),
            "name",
            "what happened",
            pattern="fund|buy|sell|commission|split|cash_in_lieu|dividend|return_of_capital|rights|dividend_paid"
            "|spin_off|merger|delisting|rename|write_off|reversal|correction",
        ),
        "account": Column(pl.String(), "name", "the account", pattern=ACCOUNTS),
        "ticker": Column(
            pl.String(), "symbol", "the security concerned", nullable=True, pattern=TICKER.pattern, max_length=20
        ).refer_to("corporate_actions.ticker"),
        "amount": money("debit positive, credit negative"),
        "shares": count("shares", "change in shares held; only on the positions account"),
        "reference": text("trade_id, or the action it stems from", unit="id", max_length=90).refer_to(
            "executed_trades.trade_id"
        ),
        "due": day("receivable: when it is paid", nullable=True),
        "effective": day(
            "the session that it would have been posted at, had all been known; null in entries of earlier programs",
            nullable=True,
        ),
        "revision": Column(
            pl.Int32(), "count", "revision of the action that it follows; null for fills", nullable=True
        ),
        "corrects": text(
            "reversal and correction: the event that was posted first", unit="id", nullable=True, max_length=100
        ),
        "currency": currency("what the name is quoted in"),
        "rate": rate("what the amount was converted at; null in reversals"),
        "local_amount": local_money(
            "the amount in that currency before it was converted; null for commission and what is paid later"
        ),
    },
    rules={
        "shares move only on positions": Rule(
            (pl.col("account") == "positions") | (pl.col("shares") == 0), "put shares on the positions leg"
        ),
        "the legs of an event sum to zero": Rule(
            pl.col("amount").sum().over("event_id") == 0, "balance the event: debits equal credits"
        ),
    },
)

PORTFOLIO_HOLDINGS = Table(
    name="portfolio_holdings",
    domain="trading",
    doc="Positions after each session's events, folded from the ledger.",
    key=("session", "ticker"),
    mode="append",
    owner="holdings",
    clock="session",
    columns={
        "session": SESSION.refer_to("ledger_entries.session"),
        "ticker": TICKER.refer_to("ledger_entries.ticker", "market_prices.ticker"),
        "sector": text("sector", unit="name", max_length=60),
        "shares": count("shares", "shares held"),
        "cost": money("what they cost, commission apart"),
        "close": price("last close known, as quoted"),
        "close_session": day("the session of that close; earlier than `session` if it did not trade").refer_to(
            "market_prices.session"
        ),
        "market_value": money("shares x close, rounded half to even; of a foreign name local_value x rate"),
        "unrealised": money("market value less cost"),
        "weight": number("fraction of NAV", "market value over portfolio value"),
        "opened": day("session of the position's first buy"),
        "held_sessions": count("sessions", "sessions since then"),
        "currency": currency("what close, local_cost and local_value are in"),
        "rate": rate("what that was worth at the session"),
        "rate_session": day("the day of that rate: the last one before the session", nullable=True),
        "local_cost": local_money("what they cost"),
        "local_value": local_money("shares x close, rounded half to even"),
        "exchange_gain": money(
            "the part of `unrealised` that rates brought: local_cost x rate less cost", nullable=True
        ),
    },
    rules={"a holding has shares": Rule(pl.col("shares") > 0, "leave out what is no longer held")},
)

BASELINE_HOLDINGS = Table(
    name="baseline_holdings",
    domain="trading",
    doc="What equal weight and the benchmark hold after each session, and what they traded at its close.",
    key=("session", "portfolio", "asset"),
    mode="append",
    owner="baselines",
    clock="session",
    columns={
        "session": SESSION.refer_to("ticker_universe.session", "market_prices.session"),
        "portfolio": Column(pl.String(), "name", "which baseline", pattern="equal_weight|benchmark"),
        "asset": Column(
            pl.String(), "symbol", "the ticker held, or cash", pattern=f"{TICKER.pattern}|cash", max_length=20
        ).refer_to("market_prices.ticker", "corporate_actions.ticker"),
        "shares": number("shares", "shares held, fractions too; 0 where sold at this close; cash: the amount"),
        "close": number("currency per share", "last close known, restated for splits and dividends since; cash: 1"),
        "close_session": day("the session of that close; earlier than `session` where it did not trade"),
        "value": number("currency", "shares x close"),
        "traded": number("currency", "bought (positive) or sold (negative) at this close"),
        "cost": number("currency", "half-spread and commission per share of what was traded; not taken from the value"),
    },
    rules={
        "a baseline is not short": Rule((pl.col("shares") >= 0) | (pl.col("asset") == "cash"), "sell what is held"),
    },
)

PORTFOLIO_VALUE = Table(
    name="portfolio_value",
    domain="trading",
    doc="The portfolio's value after each session, with its reconciliation, equal weight and the benchmark.",
    key=("session",),
    mode="append",
    owner="value",
    clock="session",
    columns={
        "session": SESSION.refer_to(
            "portfolio_holdings.session", "ledger_entries.session", "baseline_holdings.session"
        ),
        "cash": money("cash"),
        "receivable": money("dividends due but not paid"),
        "positions_value": money("holdings at the close"),
        "nav": money("cash + receivable + positions"),
        "capital": money("paid in so far"),
        "realised": money("gains taken so far; commission, dividends and what exchange rates brought apart"),
        "unrealised": money("market value less cost"),
        "dividends": money("dividends earned so far"),
        "commission": money("commission paid so far"),
        "spread_cost": money("half-spreads paid so far (inside the fill prices)"),
        "impact_cost": money("impact paid so far (inside the fill prices)"),
        "unexplained": money("nav less what fills and facts as known today give, reconciled apart; 0 unless in error"),
        "positions": count("positions", "number of positions"),
        "exposure": number("fraction of NAV", "positions value over NAV"),
        "turnover": number("fraction of NAV", "value traded this session over NAV"),
        "session_return": number("fraction", "change of NAV over the previous session, restatements left out"),
        "peak": money("highest NAV so far"),
        "drawdown": number("fraction", "fall from the peak, 0 or more"),
        "equal_weight": number("currency", "the same capital in an equal-weight universe, total return, no costs"),
        "benchmark": number("currency", "the same capital in the benchmark, total return", nullable=True),
        "equal_weight_turnover": number(
            "fraction of its value", "value that equal weight traded this session over its value", nullable=True
        ),
        "equal_weight_cost": number(
            "currency",
            "half-spreads and commissions of its trades so far; not taken from `equal_weight`",
            nullable=True,
        ),
        "restated": money(
            "value at the close before, as known now, less as it was stated: not part of session_return", nullable=True
        ),
        "difference": text(
            "first event in which the ledger and the reconciliation differ, and how many do; null where none does",
            nullable=True,
            max_length=500,
        ),
        "exchange": money("gains taken so far that exchange rates brought; null where there were none", nullable=True),
        "unrealised_exchange": money("the part of `unrealised` that rates brought; null as above", nullable=True),
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
        "shares": count("shares", "shares sold"),
        "intent": text("why it was sold: the plan's intent, or delisting or write_off", unit="name", max_length=20),
        "expected_return": number("fraction", "forecast at entry over the decision horizon", nullable=True),
        "realised_return": number("fraction", "gain after all costs over what was paid"),
        "gross_return": number("fraction", "gain from open to open, before costs, dividends included"),
        "cost": money("spread, impact and commission of both sides"),
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
