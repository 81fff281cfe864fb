"""Generate the candidate orders for the next open: for each ticker what could be done, and how many shares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from math import sqrt
from typing import Any

import polars as pl

from pipeline.market.dividends_in_gaps import restate_in_gaps
from pipeline.market.securities.following import Securities
from pipeline.market.sessions import Sessions
from pipeline.trading.books.marks import drop_bars_of_others
from pipeline.trading.currencies.session_rates import NO_FOREIGN, OWN, Exchange, SessionRates
from pipeline.trading.execution.costs import round_trip
from pipeline.trading.execution.volatility_and_volume import measure_conditions
from pipeline.trading.params import TradingParams
from pipeline.trading.planning.candidates import Candidate, Forecast, Holding, PortfolioState, in_book
from pipeline.trading.planning.holds import Doubt
from pipeline.trading.planning.stops import read_payouts, read_stops

DECIDING_ROLES = ("champion", "naive")
"""Shadows are scored, never traded on."""


@dataclass(frozen=True)
class PlanningInputs:
    """All that candidates are generated from, by ticker."""

    session: date
    conditions: Mapping[str, Mapping[str, Any]]
    forecasts: dict[str, Forecast]
    reference: dict[str, float]
    """The forecast's reference close, for a ticker without any bar."""
    holdings: dict[str, dict[str, Any]]
    universe: dict[str, tuple[bool, str, str]]
    """member, reason, sector."""
    stops: dict[str, tuple[date, float]]
    """The stop last stated, on today's share basis, and when."""
    sales: dict[str, int]
    """Sessions since the last sale."""
    payouts: dict[str, float]
    """Of a ticker without a bar since an ex-date the part of its last close that is left after what was paid out."""
    doubts: Mapping[str, Doubt]
    """The names on hold."""
    calendar: Sessions
    rates: SessionRates = NO_FOREIGN

    def exchange(self, ticker: str) -> Exchange:
        """How the closes of a name are converted at the session; a forecast without any rate is sized like the rest."""
        return self.rates.at(ticker, self.session) or OWN


def gather_inputs(
    predictions: pl.DataFrame,
    portfolio_holdings: pl.DataFrame,
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    trade_plans: pl.DataFrame,
    executed_trades: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    doubts: Mapping[str, Doubt],
    session: date,
    calendar: Sessions,
    params: TradingParams,
    rates: SessionRates = NO_FOREIGN,
    further: Iterable[str] = (),
) -> PlanningInputs:
    """Gather what is known at the close of a session about every ticker with a forecast or a holding, and further ones.

    What was forecast, stated and done under an earlier name of the company is its own; what concerned another company
    that had the ticker is not.
    """
    held = portfolio_holdings.filter(pl.col("session") == session)
    if params.securities == 2:
        companies = Securities.trace(corporate_actions, market_prices)
        market_prices = drop_bars_of_others(market_prices, held, calendar, params.max_gap)
        predictions, market_prices, trade_plans, executed_trades = (
            companies.follow_to(frame, "session", session)
            for frame in (predictions, market_prices, trade_plans, executed_trades)
        )
        corporate_actions = companies.follow_actions_to(corporate_actions, session)
    chosen = choose_forecasts(predictions, params.horizon)
    tickers = sorted({*chosen["ticker"].to_list(), *held["ticker"].to_list(), *further})
    bars = market_prices.filter(pl.col("ticker").is_in(tickers))
    returned = restate_in_gaps(corporate_actions, bars) if params.stops == 2 else corporate_actions
    conditions = measure_conditions(bars, returned, session, params.sizing.window, basis=session)
    universe = ticker_universe.filter(pl.col("session") == session)
    sold = executed_trades.filter((pl.col("side") == "sell") & (pl.col("shares") > 0)).sort("session")
    return PlanningInputs(
        session=session,
        conditions={row["ticker"]: row for row in conditions.iter_rows(named=True)},
        forecasts={row["ticker"]: read_forecast(row, session, calendar) for row in chosen.iter_rows(named=True)},
        reference=dict(chosen.select("ticker", "reference_close").iter_rows()),
        holdings={row["ticker"]: row for row in held.iter_rows(named=True)},
        universe=read_universe(universe),
        stops=read_stops(trade_plans, corporate_actions, market_prices, session, params.stops, rates),
        payouts=read_payouts(corporate_actions, market_prices, session) if params.stops == 2 else {},
        doubts=doubts,
        sales={t: calendar.distance(s, session) for t, s in sold.select("ticker", "session").iter_rows()},
        calendar=calendar,
        rates=rates,
    )


def choose_forecasts(predictions: pl.DataFrame, horizon: int) -> pl.DataFrame:
    """Return the row of each ticker that is decided by: the newest, the champion's before the naive one."""
    fitting = predictions.filter((pl.col("horizon") == horizon) & pl.col("role").is_in(DECIDING_ROLES))
    newest = fitting.sort(["session", "role", "model_id"], descending=[True, False, False])
    return newest.unique("ticker", keep="first", maintain_order=True)


def read_universe(universe: pl.DataFrame) -> dict[str, tuple[bool, str, str]]:
    """Return by ticker whether it is a member, why, and its sector."""
    rows = universe.select("ticker", "member", "reason", "sector").iter_rows()
    return {ticker: (member, reason, sector) for ticker, member, reason, sector in rows}


def generate_candidates(inputs: PlanningInputs, state: PortfolioState, params: TradingParams) -> list[Candidate]:
    """Return one candidate per ticker: sales first, then buys by edge (largest first) and ticker."""
    tickers = sorted({*inputs.forecasts, *inputs.holdings})
    candidates = [candidate for ticker in tickers for candidate in _candidates(ticker, inputs, state, params)]
    rank = {"sell": 0, "hold": 1, "buy": 2}
    return sorted(candidates, key=lambda c: (rank[c.side], -(c.edge or 0.0) if c.side == "buy" else 0.0, c.ticker))


def compute_stop(entry: float, volatility: float, sigmas: float, horizon: int) -> float:
    """Return the price `sigmas` standard deviations over the horizon below an entry; never below a tenth of it.

    Negative `sigmas` give the one above it, for a short position.
    """
    return entry * max(1 - sigmas * volatility * sqrt(horizon), 0.1)


def _candidates(
    ticker: str, inputs: PlanningInputs, state: PortfolioState, params: TradingParams
) -> Iterator[Candidate]:
    value = params.rules.name_weight * state.risk_budget * state.nav
    kept, left = describe_name(ticker, inputs, params, value, (params.rules.stop_sigmas, params.rules.trail_sigmas))
    side, intent, shares = _intent(left, kept.price, kept.cost, kept.forecast, kept.holding, state, params)
    yield replace(kept, side=side, intent=intent, shares=shares)


def describe_name(
    ticker: str, inputs: PlanningInputs, params: TradingParams, value: float, stop_sigmas: tuple[float, float]
) -> tuple[Candidate, float]:
    """Return what is known of a name as a candidate that is kept, and its close less what was paid out since.

    Args:
        ticker: with a bar, a holding or a forecast.
        inputs: what was gathered.
        params: the settings.
        value: currency that trading it for the first time is taken to move; of a holding its own value counts.
        stop_sigmas: deviations over the horizon below cost, and below the best close once in profit, of its stop.
    """
    known = inputs.conditions.get(ticker, {})
    row = inputs.holdings.get(ticker)
    close = known.get("close") or (float(row["close"]) if row else inputs.reference[ticker])
    left = close * inputs.payouts.get(ticker, 1.0)
    last = known.get("last_session") or (row["close_session"] if row else None)
    volatility = known.get("volatility") or params.costs.unknown_volatility
    member, exclusion, sector = inputs.universe.get(ticker, (False, "not listed in the universe today", "unknown"))
    holding = _holding(row, inputs, left, volatility, params, stop_sigmas) if row else None
    volume = known.get("median_volume")
    exchange = inputs.exchange(ticker)
    price = in_book(close, exchange)
    doubt = inputs.doubts.get(ticker)
    described = Candidate(
        ticker=ticker,
        sector=row["sector"] if row and sector == "unknown" else sector,
        side="hold",
        intent="keep",
        shares=0,
        close=close,
        stale=inputs.calendar.distance(last, inputs.session) if last else len(inputs.calendar.days),
        member=member,
        exclusion=exclusion,
        volatility=volatility,
        median_volume=volume,
        cost=round_trip(
            abs(holding.shares) * price if holding else value, price, volume, known.get("volatility"), params.costs
        ),
        forecast=inputs.forecasts.get(ticker),
        holding=holding,
        since_sale=inputs.sales.get(ticker) if holding is None else None,
        unexplained=doubt.reason if doubt else "",
        hold_left=doubt.left if doubt else 0,
        exchange=exchange,
    )
    return described, left


def _intent(
    close: float,
    price: float,
    cost: float,
    forecast: Forecast | None,
    holding: Holding | None,
    state: PortfolioState,
    params: TradingParams,
) -> tuple[str, str, int]:
    """What comes first: cut, leave on a bad forecast, trim, leave at the horizon, then add or keep.

    The stop is in what the name is quoted in, as `close` is, less what was paid out since; `price` is the last close in
    the book's currency.
    """
    target = target_weight(forecast, cost, state.risk_budget, params)
    if holding is None:
        return "buy", "enter", _shares(target * state.nav, price)
    fresh = forecast if forecast is not None and forecast.age == 0 and forecast.role == "champion" else None
    if close < holding.stop:
        return "sell", "stop", holding.shares
    if fresh is not None and fresh.point < min(params.rules.exit_below, -cost):
        return "sell", "exit", holding.shares
    limit = params.rules.name_weight
    if holding.weight > limit * params.sizing.overweight:
        return "sell", "reduce", min(_shares((holding.weight - limit) * state.nav, price), holding.shares)
    if holding.held_sessions >= params.horizon:
        return "sell", "expire", holding.shares
    if target > holding.weight + params.sizing.rebalance_band:
        return "buy", "add", _shares((target - holding.weight) * state.nav, price)
    return "hold", "keep", 0


def target_weight(forecast: Forecast | None, cost: float, risk_budget: float, params: TradingParams) -> float:
    """Return the weight an edge deserves: a fraction of edge / variance (Kelly 1956), capped, times the risk budget."""
    if forecast is None or forecast.point <= cost:
        return 0.0
    variance = forecast.sigma**2
    ideal = params.sizing.kelly * (forecast.point - cost) / variance if variance > 0 else params.rules.name_weight
    return min(ideal, params.rules.name_weight) * risk_budget


def _shares(value: float, price: float) -> int:
    return max(int(value // price), 0)


def read_forecast(row: Mapping[str, Any], session: date, calendar: Sessions) -> Forecast:
    """Return a row of `predictions` as a decision at a session's close sees it."""
    return Forecast(
        prediction_id=row["prediction_id"],
        model_id=row["model_id"],
        role=row["role"],
        age=calendar.distance(row["session"], session),
        point=row["point"],
        low=row["q05"],
        low_80=row["q10"],
        high_80=row["q90"],
        confidence=row["confidence"],
        strangeness=row["strangeness"],
        distance=row["distance"],
        high=row.get("q95"),
    )


def _holding(
    row: dict[str, Any],
    inputs: PlanningInputs,
    close: float,
    volatility: float,
    params: TradingParams,
    stop_sigmas: tuple[float, float],
) -> Holding:
    """A position with its stop: under cost at first, then trailing the best close once in profit, never lowered.

    Of a short position all of it is the other way round.
    """
    cost = float(row["cost"] if row["local_cost"] is None else row["local_cost"]) / row["shares"]
    side = 1 if row["shares"] > 0 else -1
    stop = compute_stop(cost, volatility, side * stop_sigmas[0], params.horizon)
    stated, before = inputs.stops.get(row["ticker"], (date.min, 0.0))
    if stated >= inputs.calendar.previous(row["opened"]):  # not a stop of an earlier position
        stop = before
    if side * (close - cost) > 0 and row["ticker"] not in inputs.doubts:  # a price that nobody explains moves no stop
        trailing = compute_stop(close, volatility, side * stop_sigmas[1], params.horizon)
        stop = max(stop, trailing) if side > 0 else min(stop, trailing)
    return Holding(
        shares=row["shares"],
        cost=cost,
        weight=row["weight"],
        opened=row["opened"],
        held_sessions=row["held_sessions"],
        stop=stop,
    )
