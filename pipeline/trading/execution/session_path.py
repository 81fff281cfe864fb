"""How a session's prices went, by its bars: when they first came to a price, and where they stood then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import polars as pl

from lake.tables.intraday import INTRADAY_PRICES
from pipeline.trading.books.money import to_micros

PATH_COLUMNS = (*INTRADAY_PRICES.key, "session", "open", "high", "low", "volume")
LENGTHS = ("1m", "5m", "1h")
"""Of bars within a session, those that tell most first."""


class PathBar(NamedTuple):
    """One bar within a session; prices in millionths, as quoted."""

    ends: datetime
    """Whatever happened in it had happened by then."""
    opens: int
    low: int
    high: int
    volume: int


class Reached(NamedTuple):
    """Where prices first came to what was asked."""

    at: datetime
    opens: int
    """Price at which that bar began: beyond what was asked, if nothing traded on the way."""
    left: float
    """Share of the session's volume that was traded from that bar on."""


@dataclass(frozen=True)
class SessionPath:
    """The bars of one name in a session, in order; there may be none."""

    steps: tuple[PathBar, ...] = ()

    @property
    def first_end(self) -> datetime | None:
        """When its first bar was over."""
        return self.steps[0].ends if self.steps else None

    def fall(self, price: int, *, beyond: bool = False) -> Reached | None:
        """The first bar in which something traded at the price or below it, or only below it."""
        return self._find(step.low < price or (step.low == price and not beyond) for step in self.steps)

    def rise(self, price: int, *, beyond: bool = False) -> Reached | None:
        """The first bar in which something traded at the price or above it, or only above it."""
        return self._find(step.high > price or (step.high == price and not beyond) for step in self.steps)

    def _find(self, found: Iterable[bool]) -> Reached | None:
        at = next((number for number, there in enumerate(found) if there), None)
        if at is None:
            return None
        traded = [step.volume for step in self.steps]
        whole = sum(traded)
        return Reached(self.steps[at].ends, self.steps[at].opens, sum(traded[at:]) / whole if whole else 1.0)


NO_PATH = SessionPath()


def read_paths(bars_within: pl.DataFrame) -> Mapping[str, SessionPath]:
    """Return the path of each name in a session, by the shortest bars that there are of it.

    Args:
        bars_within: rows of intraday_prices with `PATH_COLUMNS`, one of each bar, of one session.
    """
    paths: dict[str, SessionPath] = {}
    for length in LENGTHS:
        bars = bars_within.filter(pl.col("interval") == length, ~pl.col("ticker").is_in(list(paths)))
        for (ticker,), mine in bars.sort("ticker", "ts").group_by("ticker", maintain_order=True):
            rows = mine.select("ts", "open", "low", "high", "volume").iter_rows()
            steps = (
                PathBar(ends, to_micros(opens), to_micros(low), to_micros(high), volume)
                for ends, opens, low, high, volume in rows
            )
            paths[str(ticker)] = SessionPath(tuple(steps))
    return paths
