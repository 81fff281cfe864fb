"""How equal weight and benchmark were chained from daily returns by earlier programs; only runs of theirs use it."""

from __future__ import annotations

from datetime import date
from math import fsum
from typing import NamedTuple

import polars as pl

from pipeline.engine.stage import Moment
from pipeline.market.returns import daily_total_returns


class ChainedLevels(NamedTuple):
    """What the same capital is worth in the equal-weight universe and in the benchmark; None without a benchmark."""

    equal_weight: float
    benchmark: float | None


def chain_levels(
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    instruments: pl.DataFrame,
    before: ChainedLevels,
    moment: Moment,
    *,
    funded: bool,
) -> ChainedLevels:
    """Go on from the levels before: members as of the close before, and the first benchmark.

    A member without a bar earned 0, whatever it reopened at once it was no member any more. At the session at which the
    book is funded both start at its capital.
    """
    references = instruments.filter(pl.col("role") == "benchmark")["ticker"].sort().to_list()
    if funded:
        return ChainedLevels(before.equal_weight, before.equal_weight if references else None)
    session, previous = moment.session, moment.calendar.previous(moment.session)
    returns = daily_total_returns(market_prices, corporate_actions)
    gained = _measure_returns(returns, corporate_actions, previous, session)
    members = ticker_universe.filter((pl.col("session") == previous) & pl.col("member"))["ticker"].to_list()
    market = [gained.get(ticker, 0.0) for ticker in members]
    # fsum is exact, so the mean does not depend on the order of the members.
    equal_weight = before.equal_weight * (1 + (fsum(market) / len(market) if market else 0.0))
    if before.benchmark is None or not references:
        return ChainedLevels(equal_weight, before.benchmark)
    return ChainedLevels(equal_weight, before.benchmark * (1 + gained.get(references[0], 0.0)))


def _measure_returns(
    returns: pl.DataFrame, corporate_actions: pl.DataFrame, previous: date, session: date
) -> dict[str, float]:
    """The session's total return of each ticker; a delisted one ends at its final value, one without a bar earned 0."""
    today = returns.filter((pl.col("session") == session) & pl.col("total_return").is_not_null())
    earned: dict[str, float] = dict(today.select("ticker", "total_return").iter_rows())
    gone = corporate_actions.filter(
        (pl.col("kind") == "delisting") & (pl.col("ex_date") > previous) & (pl.col("ex_date") <= session)
    )
    if gone.height:
        last = returns.filter(pl.col("session") <= previous).unique("ticker", keep="last", maintain_order=True)
        final = gone.join(last.select("ticker", "close"), on="ticker")
        earned |= dict(final.select("ticker", pl.col("amount") / pl.col("close") - 1).iter_rows())
    return earned
