"""Carries each baseline through the last sessions: equal weight and the benchmark at closes, top-k at opens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
import polars as pl

from pipeline.engine.stage import Moment
from pipeline.trading.baselines.held_portfolio import Floats, HeldPortfolio
from pipeline.trading.baselines.mornings import Ends, follow_days, write_off_silent
from pipeline.trading.baselines.price_grid import PriceGrid, lay_out
from pipeline.trading.baselines.top_k import (
    FindRate,
    RateOf,
    Swap,
    Trade,
    choose_swap,
    rank_members,
    read_swaps,
    swap_at_open,
)
from pipeline.trading.baselines.trading_rates import Rate, TradingRates, cost_of_fractions
from pipeline.trading.params import TradingParams

CASH = "cash"
"""The asset that is no ticker."""
NO_TRADE = Trade(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class World:
    """What the baselines live in: facts in the book's currency, and what was forecast."""

    market_prices: pl.DataFrame
    corporate_actions: pl.DataFrame
    ticker_universe: pl.DataFrame
    predictions: pl.DataFrame
    moment: Moment
    params: TradingParams

    @property
    def charges(self) -> bool:
        """Whether what is traded is charged all that the book pays."""
        return self.params.baselines == 3

    @cached_property
    def rates(self) -> TradingRates:
        """What trading costs in the session."""
        tables = (self.market_prices, self.corporate_actions)
        return TradingRates.measure(*tables, self.moment, self.params.costs, self.params.sizing.window)


class Kept(NamedTuple):
    """A portfolio after the session, and the session's trades by the place of their names."""

    portfolio: HeldPortfolio
    market: PriceGrid
    trades: dict[int, Trade]


def hold_at_closes(world: World, own: pl.DataFrame, start: date, capital: float, reference: str | None) -> Kept:
    """Carry equal weight through the sessions, or the benchmark where one is given.

    Args:
        world: the facts.
        own: the portfolio's rows before the session.
        start: the first session to go through; where there are rows of it, the one to go on from.
        capital: what it begins with, where there are none.
        reference: the benchmark.
    """
    days, held = world.moment.calendar.between(start, world.moment.session), _held_after(own, start)
    members = world.ticker_universe.filter(pl.col("session").is_in(days), pl.col("member")).select("session", "ticker")
    if reference is not None:
        members = pl.DataFrame({"session": days, "ticker": reference}, schema=members.schema)
    facts, names = (world.market_prices, world.corporate_actions), {*held["asset"]} - {CASH}
    market = lay_out(*facts, members, names, days, always=reference is not None)
    portfolio, ends = _restore(held, market.names, capital), _read_ends(world)
    traded: Floats = np.zeros(len(market.names))
    for number, day in follow_days(portfolio, market, world.corporate_actions, restored=held.height > 0):
        portfolio.mark(market.closes[number], day)
        write_off_silent(portfolio, market, number, ends)
        wanted = market.members[number]
        if reference is not None and (portfolio.shares > 0).any():
            wanted = portfolio.shares > 0  # it keeps what it has, under whatever name
        traded = portfolio.rebalance(wanted, market.traded[number])
    return Kept(portfolio, market, _charge(traded, portfolio, market, world))


def hold_top_k(world: World, own: pl.DataFrame, start: date, capital: float) -> Kept:
    """Carry top-k dropout through the sessions: what was decided then stays, and the session itself is decided now.

    The arguments are those of `hold_at_closes`.
    """
    moment, params = world.moment, world.params
    days, held, (swaps, paid) = moment.calendar.between(start, moment.session), _held_after(own, start), read_swaps(own)
    ranking = rank_members(world.predictions, world.ticker_universe, moment.calendar.previous(moment.session), params)
    names = {*own["asset"], *(ranking.names if ranking else ())} - {CASH}
    market = lay_out(world.market_prices, world.corporate_actions, _nobody(world), names, days)
    portfolio, ends = _restore(held, market.names, capital), _read_ends(world)
    trades: dict[int, Trade] = {}
    decided = {name for name, place in portfolio.places.items() if portfolio.shares[place] > 0}
    for number, day in follow_days(portfolio, market, world.corporate_actions, restored=held.height > 0):
        swap, find_rate = swaps.get(day, Swap((), ())), _as_paid(paid.get(day, {}))
        if day == moment.session and ranking:
            swap, find_rate = choose_swap(ranking, decided, params.top_k.dropped), _as_orders(world)
        trades = swap_at_open(portfolio, swap, market, number, find_rate)
        portfolio.mark(market.closes[number], day)
        write_off_silent(portfolio, market, number, ends)
        decided = {name for name, place in portfolio.places.items() if portfolio.shares[place] > 0}
    return Kept(portfolio, market, trades)


def _held_after(own: pl.DataFrame, start: date) -> pl.DataFrame:
    return own.filter(pl.col("session") == start, pl.col("shares") != 0)


def _nobody(world: World) -> pl.DataFrame:
    return world.ticker_universe.clear().select("session", "ticker")


def _read_ends(world: World) -> Ends:
    return Ends.read(world.corporate_actions, world.params, world.moment.calendar)


def _restore(held: pl.DataFrame, names: list[str], capital: float) -> HeldPortfolio:
    """The portfolio as its rows say; all in cash where there are none."""
    portfolio = HeldPortfolio.start(names, 0.0 if held.height else capital)
    for asset, shares, close, when in held.select("asset", "shares", "close", "close_session").iter_rows():
        if asset == CASH:
            portfolio.cash = shares
            continue
        place = portfolio.places[asset]
        portfolio.shares[place], portfolio.marks[place], portfolio.marked[place] = shares, close, when
    return portfolio


def _charge(traded: Floats, portfolio: HeldPortfolio, market: PriceGrid, world: World) -> dict[int, Trade]:
    """What the trades of the last close cost; the impact is not asked for in runs of before."""
    places = np.flatnonzero(traded).tolist()
    rates = world.rates if world.charges and places else None
    trades = {}
    for place in places:
        value, price = float(traded[place]), float(portfolio.marks[place])
        cost = cost_of_fractions(value, price, world.params.costs)
        impact = abs(value) * rates.impact_of(market.names[place], abs(value), price) if rates else None
        trades[place] = Trade(value, cost, impact)
    return trades


def _as_paid(paid: dict[str, Rate]) -> FindRate:
    """What the trades of an earlier session cost then, as fractions of their value."""

    def find_rate(ticker: str) -> RateOf:
        return lambda _value, _price: paid[ticker]

    return find_rate


def _as_orders(world: World) -> Callable[[str], RateOf]:
    """What orders of the session cost."""
    rates = world.rates
    return lambda ticker: partial(rates.of_order, ticker)
