"""What many sessions know of how names trade, measured in a few queries, to the bit as each would measure it alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from math import log
from typing import Any

import polars as pl

from pipeline.market.sessions import Sessions
from pipeline.trading.params import TradingParams
from pipeline.trading.planning.holds import NEAR, SMALLEST_RATIO
from pipeline.trading.simulation.conditions import TradingWindows

Row = Mapping[str, Any]
MARGIN = 0.9
"""Part of the smallest move that can put a name on hold, from which on a session looks for holds itself."""


class ManySessions:
    """Volatility, volume and last close of each name at the opens and closes of sessions in a row."""

    def __init__(
        self,
        bars: pl.DataFrame,
        actions: pl.DataFrame,
        sessions: Sequence[date],
        calendar: Sessions,
        params: TradingParams,
    ) -> None:
        """Measure them.

        Args:
            bars: daily ones, last revisions, from `LOOKBACK` sessions before the first one on; by ticker and session.
            actions: with an ex-date up to the last session.
            sessions: in a row.
            calendar: the sessions there are.
            params: the window, and what puts a name on hold.
        """
        windows = TradingWindows(bars, actions, calendar, params.sizing.window)
        self.at_open = key_rows(windows.measure(sessions))
        self.at_close = key_rows(windows.measure(sessions, at_close=True))
        move = (1 + pl.col("total_return")).log().abs()
        opening = ((1 + pl.col("total_return")) * bars["open"] / bars["close"]).log().abs()
        least = MARGIN * find_least_move(params)
        self.moved = frozenset(windows.bars.filter(move >= least)["session"])
        """Sessions at whose close a name may have moved as a split would move it."""
        self.opened_far = frozenset(windows.bars.filter(opening >= least)["session"])
        """The same at their opens."""


def find_least_move(params: TradingParams) -> float:
    """Return the smallest move, in logarithms, that can put a name on hold: one near the smallest ratio of a split.

    It lies within `NEAR` volatilities of the ratio and beyond `hold_sigmas` of them, whatever the volatility is.
    """
    sigmas = params.rules.hold_sigmas
    return log(SMALLEST_RATIO) * sigmas / (sigmas + NEAR)


def group_rows(rows: pl.DataFrame, name: str) -> dict[Any, list[Row]]:
    """Return the rows by the value of a column."""
    found: dict[Any, list[Row]] = defaultdict(list)
    for row in rows.iter_rows(named=True):
        found[row[name]].append(row)
    return found


def key_rows(rows: pl.DataFrame) -> dict[date, dict[str, Row]]:
    """Return the rows by session and ticker."""
    found: dict[date, dict[str, Row]] = defaultdict(dict)
    for row in rows.iter_rows(named=True):
        found[row["session"]][row["ticker"]] = row
    return found
