"""Sums bars within sessions up to the daily ones that the whole program decides by."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import polars as pl

from pipeline.ingestion.sources.files.bars import Bars, PriceFiles
from pipeline.ingestion.sources.files.checks.judged_rows import Asked, judge_each
from pipeline.ingestion.sources.files.dates import read_instants
from pipeline.ingestion.sources.source import MINUTES

FIELDS = ("ticker", "session", "open", "high", "low", "close", "volume", "bars")
"""Columns of a daily bar as it lands; `bars` is of how many it was summed."""
CUT_OFF = timedelta(hours=1)
"""How long before the close the last bar of any ticker may end in the last session of the files: one that ends earlier
was cut off, and its last price is no close."""


def sum_to_sessions(bars: Bars, asked: Asked) -> Bars:
    """Return the daily bars that the bars of whole tickers make, by ticker and session; none where all are broken.

    What breaks a rule, or lies outside the hours of trading, is no part of them. Of two bars of one ticker and time the
    first counts. Where the bars say when they were seen, the day was seen when the last of them was.

    Args:
        bars: of `asked.interval`, all those of a ticker's session.
        asked: what they are judged by.
    """
    judged = judge_each(bars, asked)
    rows = bars.numbers.with_columns(
        bars.symbol.alias("ticker"), bars.file.alias("file"), bars.line.alias("line"), *judged["session", "ts", "rule"]
    )
    if "available_at" in bars.fields:
        rows = rows.with_columns(available_at=bars.lines[bars.fields["available_at"]])
    sound = rows.filter(pl.col("rule").is_null()).unique(["ticker", "ts"], keep="first", maintain_order=True)
    seen = [pl.col("available_at").max()] if "available_at" in rows.columns else []
    daily = (
        sound.sort("ticker", "session", "ts")
        .group_by("ticker", "session", maintain_order=True)
        .agg(
            pl.col("open").first(), pl.col("high").max(), pl.col("low").min(), pl.col("close").last(),
            pl.col("volume").sum(), pl.len().alias("bars"), *seen, pl.col("file").first(), pl.col("line").first(),
        )
    )  # fmt: skip
    names = [*FIELDS, *(["available_at"] if seen else [])]
    lines = daily.select(pl.col(name).cast(pl.String) if name == "session" else name for name in names)
    return Bars(
        lines,
        {name: name for name in names if name != "bars"},
        daily["ticker"],
        daily["session"].alias("day"),
        daily["file"],
        daily["line"],
    )


def find_cut_off(files: PriceFiles, asked: Asked, zone: str) -> date | None:
    """Return the last session of the files if they end within it; None where it is whole."""
    calendar = asked.calendar
    ends = read_instants(files.days["written"], zone=zone)
    if asked.stamp == "start":
        ends = ends + timedelta(minutes=MINUTES[asked.interval])
    last = ends.filter(ends.is_between(calendar.opens[0], calendar.closes[-1], closed="right")).max()
    if not isinstance(last, datetime):
        return None
    session = calendar.last_opened(last)
    return session if last < calendar.close_at(session) - CUT_OFF else None
