"""Judges the rows of price files by the rules that ingestion has, before anything is landed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

import polars as pl

from lake.tables.market import INSTRUMENTS
from pipeline.ingestion.prices.bar_rules import FIELDS, VALUES, is_well_formed, judge_bars
from pipeline.ingestion.sources.files.bars import Bars
from pipeline.ingestion.sources.payloads import CONVERTED
from pipeline.market.sessions import Sessions

BLOCK = 250_000
"""Rows judged at a time: what is kept of them are the few that break a rule."""
SHOWN = ("session", "ts", "open", "high", "low", "close", "volume")
_CASE = {**dict.fromkeys(("ticker", "rule", *SHOWN, "file"), pl.String), "line": pl.UInt32}
OFF_SESSION = "the exchange trades that day"


@dataclass(frozen=True)
class Asked:
    """What the load of the files would ask for."""

    calendar: Sessions
    first: date
    last: date
    currency: str
    interval: str
    stamp: str


@dataclass(frozen=True)
class JudgedRows:
    """What the rules say of the rows of files with equal columns."""

    counts: pl.DataFrame
    """ticker, rule (null for sound rows) and rows."""
    first_cases: pl.DataFrame
    """ticker, rule, file, line and the cells as text, of the first row of each ticker and rule."""


def judge_rows(bars: Bars, asked: Asked) -> JudgedRows:
    """Return which rules the rows within the days asked for break, counted by ticker, with the first case of each."""
    counts, cases = [], []
    for judged, doubtful in _judge_blocks(bars, asked):
        counts.append(judged.group_by("ticker", "rule").len("rows"))
        if doubtful is not None:
            broken = doubtful.filter(pl.col("rule").is_not_null())
            cases.append(broken.unique(["ticker", "rule"], keep="first", maintain_order=True))
    if not counts:
        empty = pl.DataFrame(schema={"ticker": pl.String, "rule": pl.String, "rows": pl.UInt32})
        return JudgedRows(empty, pl.DataFrame())
    total = pl.concat(counts).group_by("ticker", "rule").agg(pl.col("rows").sum())
    first = (pl.concat(cases) if cases else pl.DataFrame(schema=_CASE)).unique(
        ["ticker", "rule"], keep="first", maintain_order=True
    )
    return JudgedRows(total, first)


def _is_plainly_sound(texts: pl.DataFrame, asked: Asked) -> pl.Series:
    """Whether a row of daily bars breaks no rule, seen at a glance; of any other row the rules themselves are asked.

    It is no second set of rules: what it lets pass is sound by every one of them.
    """
    if asked.interval != "1d" or texts["available_at"].count() or not re.fullmatch("[A-Z]{3}", asked.currency):
        return pl.repeat(False, texts.height, dtype=pl.Boolean, eager=True)
    tickers = texts.select("ticker").unique().filter(is_well_formed("ticker"))["ticker"]
    sessions = asked.calendar.frame(asked.first, asked.last)["session"].dt.to_string("%Y-%m-%d")
    numbers = texts.select(pl.col(*VALUES).cast(pl.Float64, strict=False))
    highest, lowest = pl.max_horizontal("open", "close"), pl.min_horizontal("open", "close")
    finite = pl.all_horizontal(pl.col(*VALUES).is_finite().fill_null(False))
    ordered = finite & (pl.col("low") > 0) & (pl.col("low") <= lowest) & (highest <= pl.col("high"))
    traded = pl.col("volume").is_between(0, 2**53)
    known = texts.select(
        pl.col("ticker").is_in(tickers.implode()) & pl.col("session").is_in(sessions.implode())
    ).to_series()
    return (numbers.select(ordered & traded).to_series() & known).fill_null(False)


def _judge_blocks(bars: Bars, asked: Asked) -> Iterator[tuple[pl.DataFrame, pl.DataFrame | None]]:
    """Ticker and rule of each row, and of those that were not plainly sound their cells and places."""
    inside = bars.day.is_between(asked.first, asked.last).fill_null(True)
    for start in range(0, bars.lines.height, BLOCK):
        wanted = inside.slice(start, BLOCK)
        lines = bars.lines.slice(start, BLOCK).filter(wanted)
        if lines.is_empty():
            continue
        texts = lines.select(
            *(
                pl.col(bars.fields[name]).alias(name) if name in bars.fields else pl.lit(None, pl.String).alias(name)
                for name in FIELDS
            )
        )
        sound = _is_plainly_sound(texts, asked)
        yield texts.filter(sound).select("ticker", rule=pl.lit(None, pl.String)), None
        doubtful = texts.filter(~sound)
        if not doubtful.is_empty():
            judged = judge_bars(_as_landed(doubtful, asked), INSTRUMENTS.empty(), asked.calendar).sort("line")
            places = bars.places.slice(start, BLOCK).filter(wanted).filter(~sound)
            rules = doubtful.select("ticker", judged["rule"], *SHOWN)
            yield rules, rules.with_columns(places["file"].cast(pl.String), places["line"])


def _as_landed(texts: pl.DataFrame, asked: Asked) -> pl.DataFrame:
    """The lines as they would be decoded from a landing of today."""
    return texts.with_columns(
        payload_id=pl.lit(""),
        line=pl.int_range(pl.len(), dtype=pl.Int64),
        text=pl.lit(""),
        fault=pl.lit(None, pl.String),
        source=pl.lit("files"),
        landed=pl.lit(asked.last),
        fetched_at=pl.lit(datetime.now(UTC)).cast(pl.Datetime("us", "UTC")),
        asked_interval=pl.lit(asked.interval),
        asked_exchange=pl.lit(asked.calendar.exchange),
        asked_currency=pl.lit(asked.currency),
        asked_stamp=pl.lit(asked.stamp),
        asked_role=pl.lit(None, pl.String),
        asked_units=pl.lit(CONVERTED),
        history=pl.lit(True),
        currency_said=pl.lit(False),
    )
