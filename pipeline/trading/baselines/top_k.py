"""Top-k dropout on the book's own forecasts: what the simplest textbook portfolio would have made of them.

As qlib describes it (`TopkDropoutStrategy`): of k names held, those that fall out of the first k by forecast are
replaced by the best that are not held, n a session at most; what is bought gets an equal part of the cash there is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from datetime import date
from typing import NamedTuple

import numpy as np
import polars as pl

from pipeline.trading.baselines.held_portfolio import HeldPortfolio
from pipeline.trading.baselines.price_grid import PriceGrid
from pipeline.trading.baselines.trading_rates import Rate
from pipeline.trading.params import TopK, TradingParams


class Ranking(NamedTuple):
    """The members as the champion ranked them at a close."""

    names: tuple[str, ...]
    """From the highest forecast down, ties by ticker."""
    k: int
    """How many of them are held."""


class Swap(NamedTuple):
    """What is sold and what is bought at an open, in that order."""

    sold: tuple[str, ...]
    bought: tuple[str, ...]


class Trade(NamedTuple):
    """A trade done: currency, bought positive and sold negative, and what it costs."""

    traded: float
    cost: float
    """Half-spread and commission."""
    impact: float | None
    """None where it is not charged."""


RateOf = Callable[[float, float], Rate]
"""Value and price of a trade -> what it costs."""
FindRate = Callable[[str], RateOf]
"""Of which ticker."""


def rank_members(
    predictions: pl.DataFrame, ticker_universe: pl.DataFrame, decided: date, params: TradingParams
) -> Ranking | None:
    """Rank the members of a session by what the champion forecast at its close; None where no champion did.

    Args:
        predictions: session, ticker, horizon, role and point.
        ticker_universe: session and ticker of members.
        decided: the session before the trades.
        params: the horizon that decisions rest on, and how many names are held.
    """
    members = ticker_universe.filter(pl.col("session") == decided, pl.col("member"))
    of_session = pl.col("session") == decided, pl.col("horizon") == params.horizon, pl.col("role") == "champion"
    ranked = predictions.filter(*of_session).join(members, on="ticker", how="semi")
    if ranked.is_empty():
        return None
    names = ranked.sort("point", "ticker", descending=[True, False])["ticker"].to_list()
    return Ranking(tuple(names), count_held(members.height, params.top_k))


def count_held(members: int, settings: TopK) -> int:
    """How many names are held of so many members."""
    return max(min(int(members * settings.share + 1e-9), settings.most), 1)


def choose_swap(ranking: Ranking, held: Collection[str], dropped: int) -> Swap:
    """What to sell and buy: of the held and the n best others together, the held among the last n go.

    A name that is held and was not ranked comes last. What is missing to k names is bought as well.
    """
    others = [name for name in ranking.names if name not in held]
    best = others[: max(dropped + ranking.k - len(held), 0)]
    place = {name: number for number, name in enumerate(ranking.names)}
    together = sorted({*held, *best}, key=lambda name: (place.get(name, len(place)), name))
    sold = [name for name in together[max(ranking.k, len(together) - dropped) :] if name in held]
    return Swap(tuple(sold), tuple(best[: max(len(sold) + ranking.k - len(held), 0)]))


def read_swaps(rows: pl.DataFrame) -> tuple[dict[date, Swap], dict[date, dict[str, Rate]]]:
    """What was decided in earlier sessions and what it cost: that stays, whatever is learned of prices since.

    Args:
        rows: of baseline_holdings, of this portfolio.

    Returns:
        the swap of each session, and what each of its names cost.
    """
    swaps: dict[date, Swap] = {}
    rates: dict[date, dict[str, Rate]] = defaultdict(dict)
    done = rows.filter(pl.col("traded") != 0).sort("session", "asset")
    for day, asset, traded, cost, impact in done.select("session", "asset", "traded", "cost", "impact").iter_rows():
        sold, bought = swaps.get(day, Swap((), ()))
        swaps[day] = Swap(sold, (*bought, asset)) if traded > 0 else Swap((*sold, asset), bought)
        rates[day][asset] = Rate(cost / abs(traded), impact / abs(traded))
    return swaps, rates


def swap_at_open(
    portfolio: HeldPortfolio, swap: Swap, market: PriceGrid, number: int, find_rate: FindRate
) -> dict[int, Trade]:
    """Sell and buy at a session's open, costs paid from the cash; the trades by the place of their names.

    What has no open stays as it is, and nothing is bought in the place of what could not be sold.
    """
    opens = np.where(market.traded[number], market.opens[number], np.nan)
    places = [[portfolio.places[name] for name in names if name in portfolio.places] for names in swap]
    done = {}
    for place in places[0]:
        if portfolio.shares[place] > 0 and np.isfinite(opens[place]):
            done[place] = _sell(portfolio, place, float(opens[place]), find_rate(market.names[place]))
    stuck = sum(portfolio.shares[place] > 0 for place in places[0])
    buys = [place for place in places[1] if np.isfinite(opens[place])][: max(len(places[1]) - stuck, 0)]
    for left, place in zip(range(len(buys), 0, -1), buys, strict=True):
        given = portfolio.cash / left
        if given > 0:
            done[place] = _buy(portfolio, place, float(opens[place]), given, find_rate(market.names[place]))
    return done


def _sell(portfolio: HeldPortfolio, place: int, opening: float, rate_of: RateOf) -> Trade:
    value = float(portfolio.shares[place]) * opening
    rate = rate_of(value, opening)
    portfolio.shares[place] = 0.0
    portfolio.cash += value * (1 - rate.both)
    return Trade(-value, value * rate.cost, value * rate.impact)


def _buy(portfolio: HeldPortfolio, place: int, opening: float, given: float, rate_of: RateOf) -> Trade:
    """Buy for that much cash, costs included."""
    rate = rate_of(given, opening)
    value = given / (1 + rate.both)
    portfolio.shares[place] += value / opening
    portfolio.cash -= given
    return Trade(value, value * rate.cost, value * rate.impact)
