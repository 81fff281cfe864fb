"""Decide what to trade at the next open, and keep every refusal with the rule that made it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import polars as pl

from lake.tables.books import PORTFOLIO_HOLDINGS
from lake.tables.market import CORPORATE_ACTIONS, FX_RATES, INSTRUMENTS, MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.predictions import PREDICTIONS
from lake.tables.trading import (
    ALPHAS,
    EXECUTED_TRADES,
    STRATEGIC_PRIORITIES,
    TRADE_PLANS,
    TRADE_REFLECTIONS,
    TRUST_LEVELS,
)
from pipeline.engine.stage import Moment, Read, Stage, cut_to_recent
from pipeline.trading.currencies.converted_facts import requote_bars
from pipeline.trading.currencies.session_rates import LISTING_COLUMNS, RATE_COLUMNS, SessionRates
from pipeline.trading.execution.volatility_and_volume import LOOKBACK
from pipeline.trading.mandates import mandate
from pipeline.trading.mandates.drawdown import LEVELS, find_level, read_drawdown
from pipeline.trading.mandates.mandate import Mandated, read_mandate
from pipeline.trading.params import TradingParams
from pipeline.trading.planning import holds
from pipeline.trading.planning.book_plan import plan_book
from pipeline.trading.planning.candidates import Candidate, PortfolioState
from pipeline.trading.planning.generate_orders import compute_stop, gather_inputs, generate_candidates
from pipeline.trading.planning.holds import Doubt, find_doubts, find_waiting
from pipeline.trading.planning.plan_frame import frame_plans
from pipeline.trading.planning.rule import Rule, RuleVerdict
from pipeline.trading.planning.rules import RULES, list_rules, unexplained_price
from pipeline.trading.planning.trading_stops import SWITCHES, explain_stop, read_stops
from pipeline.trading.trust.lessons import read_lessons

STOPS_LOOKBACK = 5
"""Sessions of plans whose stops may still stand; those of a hold are not counted."""
TRUST_LOOKBACK = 250
"""Sessions of closed trades by which a name is trusted."""
COOL_DOWN_LOOKBACK = 20
"""Sessions of sales that patience can look back on."""

PREDICTION_COLUMNS = (
    *PREDICTIONS.key, "prediction_id", "reference_close", "point", "q05", "q10", "q90", "confidence", "role",
    "strangeness", "distance", "q95",
)  # fmt: skip

DECIDING = pl.col("role").is_in(["champion", "naive"])
"""Forecasts that are decided by."""
Decision = tuple[Candidate, list[RuleVerdict], int, str | None]
"""The candidate as wanted, every rule's verdict, the shares that passed, and the rule that blocked it."""


def plan(
    predictions: pl.DataFrame,
    strategic_priorities: pl.DataFrame,
    portfolio_holdings: pl.DataFrame,
    portfolio_value: pl.DataFrame,
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    trade_plans: pl.DataFrame,
    executed_trades: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    quarantined_rows: pl.DataFrame,
    instruments: pl.DataFrame,
    fx_rates: pl.DataFrame,
    trading_switches: pl.DataFrame,
    alphas: pl.DataFrame,
    mandates: pl.DataFrame,
    trade_reflections: pl.DataFrame,
    trust_levels: pl.DataFrame,
    moment: Moment,
    params: TradingParams,
) -> pl.DataFrame:
    """Return one row for every ticker with a forecast or a holding, decided at the close of `moment.session` alone.

    The book is built at once, for the members of the universe as well. As runs of earlier programs did it: sales are
    decided first, then buys by edge and ticker, so that budgets the tickers share are spent in one order.
    """
    session = moment.session
    rates = SessionRates.read(instruments, fx_rates, moment.currency, params.max_rate_age_days)
    market_prices = requote_bars(market_prices, rates, session)
    mandated, as_book = read_mandate(mandates, params.mandate), params.planning == 2
    beside = find_level(mandated.mandate, params.philosophy, instruments, moment.currency) if as_book else None
    state = _portfolio_state(strategic_priorities, portfolio_value, portfolio_holdings, session, params, beside)
    rules = list_rules(moment.extensions.rules)
    opening = moment.calendar.open_at(moment.calendar.next(session))
    state.stopped = explain_stop(read_stops(trading_switches), session, moment.as_of, opening)
    doubts: dict[str, Doubt] = {}
    if as_book or unexplained_price in rules:
        doubts = find_doubts(market_prices, corporate_actions, session, moment.calendar, params)
        doubts |= find_waiting(quarantined_rows, market_prices, session, moment.calendar, params)
    else:
        trade_plans = cut_to_recent(trade_plans, "session", STOPS_LOOKBACK, moment)
    further = _list_further(ticker_universe, market_prices, session, mandated) if as_book else ()
    inputs = gather_inputs(
        predictions, portfolio_holdings, market_prices, corporate_actions, trade_plans, executed_trades,
        ticker_universe, doubts, session, moment.calendar, params, rates, further,
    )  # fmt: skip
    if as_book:
        own = [rule for rule in rules if rule not in RULES]
        facts = (alphas, trade_reflections, corporate_actions, mandated, own)
        return plan_book(inputs, state, *facts, moment, params, read_lessons(trust_levels, session))
    decisions = []
    for candidate in generate_candidates(inputs, state, params):
        verdicts, shares, blocked_by = judge(candidate, state, params, rules)
        if shares:
            state.accept(replace(candidate, shares=shares))
        decisions.append((candidate, verdicts, shares, blocked_by))
    return _rows(sorted(decisions, key=lambda d: d[0].ticker), state, moment, params)


def _list_further(
    ticker_universe: pl.DataFrame, market_prices: pl.DataFrame, session: date, mandated: Mandated
) -> list[str]:
    """The members of the universe, and the benchmark where the mandate names one that has bars."""
    members = ticker_universe.filter(pl.col("session") == session, pl.col("member"))["ticker"].to_list()
    named = mandated.mandate.benchmark
    return [*members, named] if named in set(market_prices["ticker"]) else members


def judge(
    candidate: Candidate, state: PortfolioState, params: TradingParams, rules: Sequence[Rule] = RULES
) -> tuple[list[RuleVerdict], int, str | None]:
    """Ask every rule in order, each about the size the ones before left; after a refusal the others still speak.

    Returns:
        the verdicts, the shares that passed (0 where refused), and the first rule that refused.
    """
    verdicts, blocked_by, current = [], None, candidate
    for rule in rules:
        verdict = rule.judge(current, state, params)
        if verdict.verdict == "scale":
            scaled = replace(current, shares=int(current.shares * verdict.scale))
            verdict = _refuse_if_tiny(verdict, current, scaled, params)
            current = current if verdict.verdict == "refuse" else scaled
        if verdict.verdict == "refuse":
            blocked_by = blocked_by or verdict.rule
        verdicts.append(verdict)
    passed = current.shares if blocked_by is None and candidate.side != "hold" else 0
    return verdicts, passed, blocked_by


def _refuse_if_tiny(verdict: RuleVerdict, before: Candidate, after: Candidate, params: TradingParams) -> RuleVerdict:
    """A rule that leaves less than the smallest order is what blocked the trade, not the one that notices it."""
    least = params.rules.min_order
    passes = before.value < least or after.value >= least if before.side == "buy" else after.shares or not before.shares
    if passes:
        return verdict
    left = f"{verdict.reason}; the {after.shares} shares it leaves are no order"
    return verdict._replace(verdict="refuse", scale=0.0, reason=left)


def _portfolio_state(
    strategic_priorities: pl.DataFrame,
    portfolio_value: pl.DataFrame,
    portfolio_holdings: pl.DataFrame,
    session: date,
    params: TradingParams,
    beside: str | None,
) -> PortfolioState:
    """The portfolio after the close; `beside` is the column of what its drawdown is measured beside."""
    regime = strategic_priorities.filter(pl.col("session") == session)
    value = portfolio_value.filter(pl.col("session") == session)
    for name, frame in (("strategic_priorities", regime), ("portfolio_value", value)):
        if frame.height != 1:
            raise ValueError(f"{name} has {frame.height} rows for {session}; plan needs one: run its stage first")
    priorities, book = regime.row(0, named=True), value.row(0, named=True)
    held = portfolio_holdings.filter(pl.col("session") == session).sort("ticker")
    drawdown = read_drawdown(portfolio_value, beside)
    state = PortfolioState(
        nav=float(book["nav"]),
        cash=float(book["cash"]),
        invested=float(book["positions_value"]),
        drawdown=drawdown.size,
        beside_benchmark=drawdown.beside_benchmark,
        risk_budget=priorities["risk_budget"],
        target_exposure=priorities["target_exposure"],
        max_positions=priorities["most_positions"],
        horizon=params.horizon,
        skill=priorities["skill"],
        skill_low=priorities["skill_low"],
    )
    for ticker, sector, value in held.select("ticker", "sector", "market_value").iter_rows():
        state.names.add(ticker)
        state.by_name[ticker] = float(value)
        state.by_sector[sector] = state.by_sector.get(sector, 0.0) + float(value)
    return state


def _rows(decisions: list[Decision], state: PortfolioState, moment: Moment, params: TradingParams) -> pl.DataFrame:
    rows = [_row(candidate, shares, blocked_by, state, params) for candidate, _, shares, blocked_by in decisions]
    verdicts = [verdicts for _, verdicts, _, _ in decisions]
    return frame_plans(rows, verdicts, [candidate.exchange for candidate, _, _, _ in decisions], moment)


def _row(
    candidate: Candidate, shares: int, blocked_by: str | None, state: PortfolioState, params: TradingParams
) -> dict[str, object]:
    forecast, holding = candidate.forecast, candidate.holding
    held = holding.shares if holding else 0
    after = held + shares if candidate.side == "buy" else held - shares
    stop = holding.stop if holding else None
    if stop is None and shares:
        stop = compute_stop(candidate.close, candidate.volatility, params.rules.stop_sigmas, params.horizon)
    return {
        "ticker": candidate.ticker,
        "sector": candidate.sector,
        "side": candidate.side,
        "intent": candidate.intent,
        "taken": shares > 0,
        "wanted_shares": candidate.shares,
        "shares": shares,
        "close": candidate.close,
        "expected_return": forecast.point if forecast else None,
        "low_return": forecast.low if forecast else None,
        "low_80": forecast.low_80 if forecast else None,
        "high_80": forecast.high_80 if forecast else None,
        "expected_cost": candidate.cost,
        "edge": candidate.edge,
        "target_weight": state.weight(after * candidate.price),
        "stop": stop,
        "blocked_by": blocked_by,
        "prediction_id": forecast.prediction_id if forecast else None,
        "model_id": forecast.model_id if forecast else None,
        "currency": candidate.exchange.currency,
    }


STAGE = Stage(
    name="plan",
    function=plan,
    reads=(
        Read(
            PREDICTIONS,
            lookback=2,
            columns=PREDICTION_COLUMNS,
            where=DECIDING,
        ),
        Read(STRATEGIC_PRIORITIES),
        Read(PORTFOLIO_HOLDINGS),
        LEVELS,
        Read(
            MARKET_PRICES,
            lookback=LOOKBACK,
            where=pl.col("interval") == "1d",
            columns=(*MARKET_PRICES.key, "session", "close", "volume"),
        ),
        Read(CORPORATE_ACTIONS, lookback=LOOKBACK),
        Read(
            TRADE_PLANS,
            lookback=STOPS_LOOKBACK + holds.LOOKBACK,
            upto="previous",
            columns=(*TRADE_PLANS.key, "stop", "blocked_by"),
            where=pl.col("stop").is_not_null(),
        ),
        Read(
            EXECUTED_TRADES,
            lookback=COOL_DOWN_LOOKBACK,
            columns=(*EXECUTED_TRADES.key, "session", "ticker", "side", "shares"),
        ),
        Read(TICKER_UNIVERSE),
        holds.WAITING,
        Read(INSTRUMENTS, lookback=None, columns=(*LISTING_COLUMNS, "role")),
        Read(FX_RATES, lookback=None, columns=RATE_COLUMNS),
        SWITCHES,
        Read(ALPHAS),
        mandate.READ,
        Read(
            TRADE_REFLECTIONS,
            lookback=TRUST_LOOKBACK,
            columns=(*TRADE_REFLECTIONS.key, "session", "ticker", "intent", "surprise"),
        ),
        Read(TRUST_LEVELS),
    ),
    writes=TRADE_PLANS,
    params=TradingParams(),
    section="trading",
    keeps_currency=True,
    uses=("rules",),
)
