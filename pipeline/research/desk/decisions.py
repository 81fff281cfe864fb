"""A session's orders, decided from facts and a book in memory by the very functions that decide them live."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import prod
from typing import Any, NamedTuple

from pipeline.market.sessions import Sessions
from pipeline.research.desk import DeskSession
from pipeline.research.desk.facts import CloseFacts
from pipeline.trading.books.book import Book
from pipeline.trading.books.money import MICROS_PER_CENT, value_of
from pipeline.trading.construction.problem import Floats
from pipeline.trading.execution.orders import Stop
from pipeline.trading.mandates.drawdown import Drawdown
from pipeline.trading.mandates.mandate import EQUAL_WEIGHT
from pipeline.trading.params import TradingParams
from pipeline.trading.philosophy.rules import order_rules
from pipeline.trading.philosophy.steps import BuiltBook, build_book
from pipeline.trading.philosophy.trade_rules import as_trade
from pipeline.trading.philosophy.weights_alone import find_weights
from pipeline.trading.planning.book_plan import find_blocker, state_order
from pipeline.trading.planning.candidates import PortfolioState
from pipeline.trading.planning.generate_orders import PlanningInputs
from pipeline.trading.planning.holds import LOOKBACK as HOLD_SESSIONS
from pipeline.trading.planning.mandated_book import Stated, TradeOutcome, state_book
from pipeline.trading.planning.plan import STOPS_LOOKBACK
from pipeline.trading.planning.regime import MeasuredSkill, risk_factors
from pipeline.trading.planning.rules import unexplained_price
from pipeline.trading.planning.stops import value_after

CENTS = 100


class BookAtClose(NamedTuple):
    """The book after a session's close."""

    book: Book
    marks: Mapping[str, tuple[date, int]]
    sectors: Mapping[str, str]
    nav: int
    """Cents."""
    drawdown: Drawdown
    stops: Mapping[str, tuple[date, float]]
    """Ticker -> when its stop was last stated, and at which price then."""
    sales: Mapping[str, int]
    """Ticker -> sessions since it was last sold."""


@dataclass(frozen=True, kw_only=True)
class Decided:
    """What a session plans."""

    orders: Sequence[dict[str, Any]]
    """Rows of `trade_plans` that become orders, as far as orders are made of them."""
    resting: Sequence[dict[str, Any]]
    """The stops that lie in the market, as such rows."""
    stops: Mapping[str, tuple[date, float]]
    """Ticker -> the session and the stop that it states."""


def decide(
    asked: DeskSession,
    closing: CloseFacts,
    standing: BookAtClose,
    closed_trades: Sequence[TradeOutcome],
    calendar: Sessions,
) -> Decided:
    """Return the orders of a session's close.

    Args:
        asked: the session and its settings.
        closing: what is known of the names.
        standing: the book.
        closed_trades: that plans of the session see.
        calendar: the sessions.
    """
    params, holdings = asked.params, _list_holdings(standing, asked.session, calendar)
    inputs = _add_book(closing, holdings, standing, params, calendar)
    state = _describe_portfolio(holdings, standing, closing.market, params)
    names = sorted({*inputs.forecasts, *inputs.holdings, *inputs.conditions})
    if not names or state.nav <= 0:
        return Decided(orders=(), resting=(), stops={})
    stated = state_book(names, inputs, state, closing.alphas, closed_trades, closing.events, params.mandate, params)
    return _tell_decided(list(_plan(stated, asked, calendar)), asked.session)


def _tell_decided(rows: Sequence[dict[str, Any]], session: date) -> Decided:
    return Decided(
        orders=[row for row in rows if row["taken"]],
        resting=list(_rest(rows)),
        stops={row["ticker"]: (session, row["stop"]) for row in rows if row["stop"] is not None and not row["on_hold"]},
    )


def _list_holdings(standing: BookAtClose, session: date, calendar: Sessions) -> dict[str, dict[str, Any]]:
    """Rows of `portfolio_holdings` by ticker, as far as plans look at them."""
    found = {}
    for ticker, position in sorted(standing.book.positions.items()):
        when, close = standing.marks[ticker]
        value = value_of(position.shares, close)
        found[ticker] = {
            "ticker": ticker,
            "sector": standing.sectors[ticker],
            "shares": position.shares,
            "cost": position.cost / CENTS,
            "local_cost": None,
            "close": close / (MICROS_PER_CENT * CENTS),
            "close_session": when,
            "market_value": value / CENTS,
            "weight": value / standing.nav if standing.nav else 0.0,
            "opened": position.opened,
            "held_sessions": calendar.distance(position.opened, session),
        }
    return found


def _add_book(
    closing: CloseFacts,
    holdings: dict[str, dict[str, Any]],
    standing: BookAtClose,
    params: TradingParams,
    calendar: Sessions,
) -> PlanningInputs:
    inputs, benchmark, session = closing.inputs, params.mandate.benchmark, closing.inputs.session
    wanted = {*inputs.forecasts, *holdings, *closing.members, *(() if benchmark == EQUAL_WEIGHT else (benchmark,))}
    first = calendar.offset(session, -STOPS_LOOKBACK - HOLD_SESSIONS)
    stops = {
        ticker: (when, stop * value_after(when, closing.falls[ticker], closing.closes[ticker]))
        if ticker in closing.falls
        else (when, stop)
        for ticker, (when, stop) in standing.stops.items()
        if when >= first
    }
    conditions = {ticker: row for ticker, row in inputs.conditions.items() if ticker in wanted}
    return replace(inputs, conditions=conditions, holdings=holdings, stops=stops, sales=dict(standing.sales))


def _describe_portfolio(
    holdings: Mapping[str, Mapping[str, Any]], standing: BookAtClose, market: Mapping[str, Any], params: TradingParams
) -> PortfolioState:
    skill = MeasuredSkill(market["skill"], market["skill_low"])
    budget = prod(risk_factors(market["market_volatility"], skill, params).values())
    state = PortfolioState(
        nav=standing.nav / CENTS,
        cash=standing.book.cash / CENTS,
        invested=sum(row["market_value"] for row in holdings.values()),
        drawdown=standing.drawdown.size,
        beside_benchmark=standing.drawdown.beside_benchmark,
        risk_budget=budget,
        target_exposure=budget * params.full_exposure,
        max_positions=params.rules.max_positions,
        horizon=params.horizon,
        skill=market["skill"],
        skill_low=market["skill_low"],
        by_name={ticker: row["market_value"] for ticker, row in holdings.items()},
    )
    for row in holdings.values():
        state.by_sector[row["sector"]] = state.by_sector.get(row["sector"], 0.0) + row["market_value"]
    return state


def _build(stated: Stated, params: TradingParams) -> tuple[Floats, BuiltBook | None]:
    """The book's weights, with the way there where it says which stops a hold keeps."""
    rules = order_rules(params.philosophy.order, shorts=params.shorts.allowed)
    if any(one.holding is not None and one.unexplained for one in stated.facts.candidates):
        built = build_book(stated.problem, stated.facts, rules)
        return built.weights, built
    return find_weights(stated.problem, stated.facts, rules).solution.weights, None


def _plan(stated: Stated, asked: DeskSession, calendar: Sessions) -> Iterator[dict[str, Any]]:
    weights, built = _build(stated, asked.params)
    for at in range(len(stated.facts.candidates)):
        yield _row(at, stated, weights, built, asked, calendar)


def _row(
    at: int, stated: Stated, weights: Floats, built: BuiltBook | None, asked: DeskSession, calendar: Sessions
) -> dict[str, Any]:
    one = stated.facts.candidates[at]
    trade = as_trade(stated.facts, stated.problem, weights, at)
    wanted = as_trade(stated.facts, stated.problem, built.free, at) if built is not None else trade
    blocked = find_blocker(at, built, trade, wanted) if built is not None else None
    forecast = one.forecast
    return {
        **state_order(one, trade, float(stated.problem.alpha[at]), asked.params),
        "plan_id": f"{asked.session}:{one.ticker}",
        "session": asked.session,
        "for_session": calendar.next(asked.session),
        "decided_at": asked.as_of,
        "expected_return": forecast.point if forecast else None,
        "low_80": forecast.low_80 if forecast else None,
        "high_80": forecast.high_80 if forecast else None,
        "on_hold": blocked == unexplained_price.name,
    }


def _rest(rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        if row["resting_stop"] is not None:
            terms = {"side": "sell", "intent": "stop", "shares": 0, "edge": None, "order_type": Stop.name}
            yield {**row, **terms, "limit_price": row["resting_stop"]}
