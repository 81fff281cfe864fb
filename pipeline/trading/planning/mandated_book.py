"""States the problem of a session's book: benchmark, expected returns, risk, costs, and what the rules look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from pipeline.market.annual_sessions import sessions_per_year
from pipeline.market.sessions import Sessions
from pipeline.trading.construction.problem import BookProblem, Flags, Floats, Risk
from pipeline.trading.mandates.mandate import EQUAL_WEIGHT, Mandate
from pipeline.trading.params import TradingParams
from pipeline.trading.philosophy.book_rule import RuleFacts
from pipeline.trading.planning.candidates import Candidate, PortfolioState
from pipeline.trading.planning.generate_orders import PlanningInputs, describe_name
from pipeline.trading.shorts.lending import Lending
from pipeline.trading.trust.lessons import TrustLesson

BASIS_CHANGES = ("split", "spin_off", "merger", "rights")
"""Actions after which the next opens are uncertain."""
TRADE_PART = 0.5
"""Share of its benchmark weight that a usual trade of a name moves, at which its cost is taken."""
PASSIVE_SESSIONS = 250
"""Sessions for which a trade towards the benchmark is taken to last, over which its cost is spread: a year, as
equal weight turns over about once in one."""
SMALLEST_TRADE = 0.002
"""Fraction of NAV that it moves at least."""


@dataclass(frozen=True, kw_only=True)
class Stated:
    """The problem without any rule, and the facts the rules look at."""

    problem: BookProblem
    facts: RuleFacts


class TradeOutcome(NamedTuple):
    """How a position that was closed came out, as trade reflections tell it."""

    ticker: str
    session: date
    intent: str
    surprise: float | None
    """What it earned beyond the forecast, in its deviations; None where nothing was forecast."""


def state_book(
    names: Sequence[str],
    inputs: PlanningInputs,
    state: PortfolioState,
    alphas: Mapping[str, Mapping[str, Any]],
    closed_trades: Sequence[TradeOutcome],
    events: Mapping[str, tuple[int, str]],
    mandate: Mandate,
    params: TradingParams,
    lessons: tuple[TrustLesson, ...] = (),
) -> Stated:
    """Return what is to be decided about these names at the close of `inputs.session`.

    Args:
        names: sorted tickers, each with a bar, a holding or a forecast.
        inputs: what is known of them.
        state: the portfolio before any trade.
        alphas: rows of the session, by ticker.
        closed_trades: up to the session.
        events: of each ticker the last action that changed its price basis: sessions since, and its kind.
        mandate: what the operator wants.
        params: the settings.
        lessons: what is trusted less by how it came out.
    """
    weights = benchmark_weights(names, inputs, mandate)
    usual = np.maximum(TRADE_PART * weights, SMALLEST_TRADE) * state.nav
    sigmas = (params.philosophy.stop_sigmas, params.philosophy.trail_sigmas)
    described = [
        describe_name(name, inputs, params, float(value), sigmas) for name, value in zip(names, usual, strict=True)
    ]
    candidates = [one for one, _ in described]
    stops = _stopped_out(closed_trades, inputs.session, inputs.calendar)
    facts = RuleFacts(
        candidates=candidates,
        left=[left for _, left in described],
        nav=state.nav,
        drawdown=state.drawdown,
        beside_benchmark=state.beside_benchmark,
        risk_budget=state.risk_budget,
        stopped=state.stopped,
        mandate=mandate,
        trust=_trust(closed_trades),
        stops_by_sector=_count_by_sector(stops, candidates, params.philosophy.cool_down),
        events=events,
        stopped_out=stops,
        session_share=mandate.horizon / sessions_per_year(inputs.calendar, inputs.session),
        params=params,
        session=inputs.session,
        lessons=lessons,
        lending=Lending(params.shorts, inputs.calendar.next(inputs.session)) if params.shorts.allowed else None,
    )
    problem = _state_problem(candidates, weights, state, alphas, facts)
    return Stated(problem=problem, facts=facts)


def _count_by_sector(
    stops: Mapping[str, int], candidates: Sequence[Candidate], cool_down: int
) -> dict[str, tuple[int, int]]:
    recent = {ticker for ticker, ago in stops.items() if ago < cool_down}
    stopped = Counter(one.sector for one in candidates if one.ticker in recent)
    held = Counter(one.sector for one in candidates if one.holding is not None and one.ticker not in recent)
    return {sector: (stopped[sector], stopped[sector] + held[sector]) for sector in sorted({*stopped, *held})}


def benchmark_weights(names: Sequence[str], inputs: PlanningInputs, mandate: Mandate) -> Floats:
    """Return what the mandate's benchmark holds of each name, its tilts in it: [N] fractions of NAV.

    A tilt of a sector is spread evenly over its members; no weight falls below 0, and together they are what the cash
    target leaves.
    """
    if not mandate.relative:
        return np.zeros(len(names))
    member = np.array([inputs.universe.get(name, (False, "", ""))[0] for name in names], dtype=bool)
    priced = np.array([bool(inputs.conditions.get(name, {}).get("close")) for name in names], dtype=bool)
    chosen = (
        member & priced if mandate.benchmark == EQUAL_WEIGHT else np.array([one == mandate.benchmark for one in names])
    )
    if not chosen.any():
        return np.zeros(len(names))
    invested = 1 - mandate.cash_target
    weights = _tilt(np.where(chosen, invested / max(int(chosen.sum()), 1), 0.0), names, member, inputs, mandate)
    return weights * (invested / weights.sum()) if weights.sum() > 0 else weights


def _tilt(weights: Floats, names: Sequence[str], member: Flags, inputs: PlanningInputs, mandate: Mandate) -> Floats:
    for name, size in mandate.read_tilts():
        inside = np.array([name in (one, inputs.universe.get(one, (False, "", ""))[2]) for one in names]) & member
        if inside.any():
            weights = np.maximum(weights + np.where(inside, size / int(inside.sum()), 0.0), 0.0)
    return weights


def _state_problem(
    candidates: Sequence[Candidate],
    benchmark: Floats,
    state: PortfolioState,
    known: Mapping[str, Mapping[str, Any]],
    facts: RuleFacts,
) -> BookProblem:
    mandate, count = facts.mandate, len(candidates)
    held = np.array([state.weight(state.by_name.get(one.ticker, 0.0)) for one in candidates])
    alpha = np.array([known[one.ticker]["alpha"] if one.ticker in known else 0.0 for one in candidates])
    beta = np.array([known[one.ticker]["beta"] if one.ticker in known else 1.0 for one in candidates])
    if not mandate.relative:
        alpha = alpha + beta * mandate.market_premium * facts.session_share
    one_way = np.array([one.cost / 2 for one in candidates])
    secured = facts.params.shorts.collateral * float(np.clip(-held, 0.0, None).sum())
    return BookProblem(
        names=[one.ticker for one in candidates],
        held=held,
        benchmark=benchmark,
        alpha=alpha,
        cost=one_way,
        cost_home=one_way * min(mandate.horizon / PASSIVE_SESSIONS, 1.0),
        expense=one_way,
        risk=_risk(candidates, known, beta, mandate.horizon),
        risk_aversion=mandate.risk_aversion,
        lower=np.full(count, -1.0) if facts.lending is not None else np.zeros(count),
        upper=np.ones(count),
        max_buy=np.full(count, np.inf),
        max_sell=np.full(count, np.inf),
        cash=state.weight(state.cash) - secured,
        min_exposure=0.0 if facts.lending is None else -np.inf,
        borrow=_borrow_fees(candidates, facts),
        collateral=facts.params.shorts.collateral,
        proceeds_pay=not facts.params.orders.settlement_sessions,
    )


def _borrow_fees(candidates: Sequence[Candidate], facts: RuleFacts) -> Floats | None:
    """What borrowing each name costs over the holding period; None where nothing is sold short."""
    lending = facts.lending
    if lending is None:
        return None
    return np.array([lending.find_rate(one.ticker) * facts.session_share for one in candidates], dtype=np.float64)


def _risk(candidates: Sequence[Candidate], known: Mapping[str, Mapping[str, Any]], beta: Floats, horizon: int) -> Risk:
    """The factor model over the holding period; a name without a row is one like the others in its own volatility."""
    sectors = sorted({one.sector for one in candidates})
    own_sector = np.array([one.sector for one in candidates])
    inside = (own_sector[:, None] == np.array(sectors)[None, :]).astype(np.float64)
    market = max((row["market_variance"] for row in known.values()), default=1e-4)
    rows = [known.get(one.ticker) for one in candidates]
    shared = np.array([row["sector_variance"] if row else 0.0 for row in rows])
    own = [row["specific_variance"] if row else one.volatility**2 for row, one in zip(rows, candidates, strict=True)]
    return Risk(
        exposures=np.concatenate([beta[:, None], inside.reshape(len(candidates), len(sectors))], axis=1),
        factors=np.array([market, *(inside * shared[:, None]).max(axis=0, initial=0.0)]) * horizon,
        specific=np.array(own, dtype=np.float64) * horizon,
    )


def _trust(closed_trades: Sequence[TradeOutcome]) -> dict[str, tuple[int, int]]:
    known = [(one.ticker, one.surprise) for one in closed_trades if one.surprise is not None]
    good = Counter(ticker for ticker, surprise in known if surprise >= 0)
    return {ticker: (good[ticker], count) for ticker, count in Counter(ticker for ticker, _ in known).items()}


def _stopped_out(closed_trades: Sequence[TradeOutcome], session: date, calendar: Sessions) -> dict[str, int]:
    stops = [one for one in closed_trades if one.intent == "stop"]
    last = {one.ticker: one.session for one in sorted(stops, key=lambda one: one.session)}
    return {ticker: calendar.distance(day, session) for ticker, day in last.items()}


def find_events(corporate_actions: pl.DataFrame, session: date, calendar: Sessions) -> dict[str, tuple[int, str]]:
    """Return of each ticker the last known action that changed its price basis: sessions since, and its kind."""
    if corporate_actions.is_empty():
        return {}
    recent = corporate_actions.filter(pl.col("kind").is_in(BASIS_CHANGES), pl.col("ex_date") <= session)
    latest = recent.sort("ticker", "ex_date").unique("ticker", keep="last", maintain_order=True)
    return {
        ticker: (calendar.distance(calendar.at_or_after(day), session), kind.replace("_", " "))
        for ticker, day, kind in latest.select("ticker", "ex_date", "kind").iter_rows()
    }
