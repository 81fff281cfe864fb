"""Where the facts of some sessions lie: which bars there are, what stands in for one that lacks, and actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from pipeline.features.panel import Flags, Ints, Panel
from pipeline.market.sessions import Sessions


@dataclass(frozen=True)
class Ground:
    """The facts of a panel as matrices [rows, tickers], and one row more after the last session, of nothing."""

    tickers: tuple[str, ...]
    bar: Flags
    known: Flags
    """The bar has a return: its history goes on from a bar before."""
    following: Ints
    """The row of the next bar after each row; the last row where there is none."""
    start: Ints
    """The row at which the history begins that a row belongs to."""
    paid: Flags
    """A dividend counts at the bar."""
    member: Flags
    sector: Ints
    scored: Flags
    """The session's scored articles have weight."""
    actions: pl.DataFrame
    """Splits and dividends, with the `row` and `column` of the bar at which they count."""


def survey(panel: Panel, corporate_actions: pl.DataFrame, calendar: Sessions) -> Ground:
    """Survey a panel.

    Args:
        panel: of an epoch.
        corporate_actions: the epoch's, by the names that the panel has; further columns are kept.
        calendar: the sessions of the exchange.
    """
    bar: Flags = _extend(panel.bar, fill=False)
    rows = np.arange(len(bar))[:, None]
    last = len(bar) - 1
    here: Ints = np.minimum.accumulate(np.where(bar, rows, last)[::-1], axis=0)[::-1]
    apart = _extend(np.isnan(panel.growth), fill=True)
    actions = _place(panel, corporate_actions, here, calendar)
    paid = np.zeros(bar.shape, dtype=bool)
    dividends = actions.filter(pl.col("kind") == "dividend", pl.col("amount") != 0)
    paid[dividends["row"].to_numpy(), dividends["column"].to_numpy()] = True
    return Ground(
        tickers=panel.tickers,
        bar=bar,
        known=bar & ~apart,
        following=np.vstack([here[1:], np.full((1, bar.shape[1]), last)]),
        start=np.maximum.accumulate(np.where(apart, rows, 0), axis=0),
        paid=paid,
        member=_extend(panel.member, fill=False),
        sector=_extend(panel.sector, fill=-1),
        scored=_extend(panel.news_weight > 0, fill=False),
        actions=actions,
    )


def _place(panel: Panel, corporate_actions: pl.DataFrame, here: Ints, calendar: Sessions) -> pl.DataFrame:
    """Each split and dividend at the first bar on or after its ex-date; those alone that have one in the panel."""
    own = pl.col("kind").is_in(["split", "dividend"]) & pl.col("ticker").is_in(panel.tickers)
    since = calendar.days[max(panel.first, 0)]
    told = corporate_actions.filter(own & (pl.col("ex_date") >= since))
    days = np.array(calendar.days, dtype="datetime64[D]")
    ex = np.searchsorted(days, told["ex_date"].to_numpy().astype("datetime64[D]")) - panel.first
    place = {name: column for column, name in enumerate(panel.tickers)}
    columns = np.array([place[name] for name in told["ticker"]], dtype=np.int64)
    rows = here[np.clip(ex, 0, len(here) - 1), columns]
    placed = told.with_columns(row=pl.Series(rows, dtype=pl.Int64), column=pl.Series(columns, dtype=pl.Int64))
    return placed.filter(pl.col("row") < len(panel.bar))


def _extend(matrix: npt.NDArray[Any], *, fill: float) -> npt.NDArray[Any]:
    return np.vstack([matrix, np.full((1, matrix.shape[1]), fill, dtype=matrix.dtype)])
