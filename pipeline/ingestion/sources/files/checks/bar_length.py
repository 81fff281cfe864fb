"""Finds bars within sessions that are shorter than was said, or whose times mark the other end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from pipeline.ingestion.sources.files.bars import Bars, PriceFiles
from pipeline.ingestion.sources.files.checks.judged_rows import Asked
from pipeline.ingestion.sources.files.dates import read_instants
from pipeline.market.sessions import Sessions

INTERVALS = {"1h": 3600, "5m": 300, "1m": 60}
MOST = 0.8
"""Share of the sessions whose first and last bar show which end of a bar its time marks."""
FEW = 3
"""Sessions from which that tells something."""


@dataclass(frozen=True)
class BarTimes:
    """What the times of a block's bars look like."""

    steps: pl.DataFrame
    """ticker, and seconds, the median between its bars."""
    sessions: int
    """Sessions of tickers that have no bar outside of them."""
    from_open: int
    """Those whose first bar is of the open and whose last is before the close: so are times that mark the start."""
    to_close: int
    """Those whose first bar is after the open and whose last is of the close: so are times that mark the end."""


def look_at_times(bars: Bars, calendar: Sessions, zone: str) -> BarTimes:
    """Return what the times of a block look like; every ticker in it is there whole."""
    at = read_instants(bars.lines[bars.fields["ts"]].cast(pl.String), zone=zone)
    rows = pl.DataFrame([bars.symbol.alias("ticker"), bars.day.alias("session"), at.alias("at")]).drop_nulls()
    rows = rows.unique().sort("ticker", "at")
    apart = pl.col("at").diff().over("ticker").dt.total_seconds()
    steps = rows.select("ticker", seconds=apart).drop_nulls().group_by("ticker").agg(pl.col("seconds").median())
    ends = rows.group_by("ticker", "session").agg(first=pl.col("at").min(), last=pl.col("at").max())
    hours = calendar.frame(calendar.days[0], calendar.days[-1]).select("session", "open_at", "close_at")
    alone = ends.join(hours, on="session").filter(
        pl.col("first") >= pl.col("open_at"), pl.col("last") <= pl.col("close_at")
    )
    opens, closes = pl.col("first") == pl.col("open_at"), pl.col("last") == pl.col("close_at")
    counts = alone.select((opens & ~closes).sum().alias("opens"), (closes & ~opens).sum().alias("closes")).row(0)
    return BarTimes(steps, alone.height, *counts)


def tell_problems_of_times(files: PriceFiles, times: Sequence[BarTimes], asked: Asked, *, waved: bool) -> Iterator[str]:
    """Yield what is wrong with bars within sessions: shorter than was said, or times that mark the other end.

    Args:
        files: the files.
        times: what those of their blocks look like.
        asked: what the load would ask for.
        waved: whether the operator waves through what only looks wrong.
    """
    if shorter := _find_shorter_step(times, INTERVALS[asked.interval]):
        ticker, seconds = shorter
        length = next((name for name, long in INTERVALS.items() if long == seconds), None)
        way_out = (
            f"--set source.files.interval={length}" if length else "give bars of an hour, five minutes or a minute"
        )
        yield (
            f"the bars of {ticker} in {files.file_of(ticker)} are {seconds} seconds apart, and no bars of "
            f"{asked.interval}: {way_out}"
        )
    elif not waved and (other := _find_other_stamp(times, asked.stamp)):
        stamp, count, sessions = other
        ends = ("after the open", "at the close") if stamp == "end" else ("at the open", "before the close")
        yield (
            f"{count} of {sessions} sessions of tickers begin with a bar {ends[0]} and end with one {ends[1]}: a time "
            f"marks the {stamp} of its bar: --set source.files.stamp={stamp}"
        )


def _find_shorter_step(times: Sequence[BarTimes], seconds: int) -> tuple[str, int] | None:
    """Return the first ticker whose bars are mostly less than so many seconds apart, and how many they are."""
    steps = pl.concat([one.steps for one in times]).filter(pl.col("seconds") < seconds).sort("ticker")
    return (str(steps["ticker"][0]), int(steps["seconds"][0])) if steps.height else None


def _find_other_stamp(times: Sequence[BarTimes], stamp: str) -> tuple[str, int, int] | None:
    """Return which end of a bar its time marks, if it is the other one, of how many sessions that shows, and of all."""
    sessions = sum(one.sessions for one in times)
    other = "end" if stamp == "start" else "start"
    count = sum(one.to_close if other == "end" else one.from_open for one in times)
    return (other, count, sessions) if sessions >= FEW and count >= MOST * sessions else None
