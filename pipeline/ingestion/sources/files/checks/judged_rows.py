"""Judges the rows of price files by the rules that ingestion has, before anything is landed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import polars as pl

from lake.tables.market import INSTRUMENTS
from pipeline.ingestion.prices.bar_rules import FIELDS, VALUES, is_well_formed, judge_bars
from pipeline.ingestion.sources.files.bars import Bars, PriceFiles
from pipeline.ingestion.sources.payloads import CONVERTED
from pipeline.market.sessions import Sessions

BLOCK = 250_000
"""Rows judged at a time: what is kept of them are the few that break a rule."""
SHOWN = ("session", "ts", "open", "high", "low", "close", "volume")
_COUNT = {"ticker": pl.String, "rule": pl.String, "rows": pl.UInt32}
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


def join_judged(parts: Sequence[JudgedRows]) -> JudgedRows:
    """Return what the rules say of several blocks of rows together."""
    if not parts:
        return JudgedRows(pl.DataFrame(schema=_COUNT), pl.DataFrame(schema=_CASE))
    total = pl.concat(part.counts for part in parts).group_by("ticker", "rule").agg(pl.col("rows").sum())
    first = pl.concat(part.first_cases for part in parts).unique(["ticker", "rule"], keep="first", maintain_order=True)
    return JudgedRows(total, first)


def judge_rows(files: PriceFiles, bars: Bars, asked: Asked) -> JudgedRows:
    """Return which rules the rows within the days asked for break, counted by ticker, with the first case of each."""
    wanted = bars.filter(bars.day.is_between(asked.first, asked.last).fill_null(True))
    if wanted.lines.is_empty():
        return join_judged([])
    sound = _is_plainly_sound(wanted, asked)
    if sound.all():
        return JudgedRows(_count_sound(wanted.symbol), pl.DataFrame(schema=_CASE))
    doubtful = wanted.filter(~sound)
    parts = [JudgedRows(_count_sound(wanted.symbol.filter(sound)), pl.DataFrame(schema=_CASE))]
    parts += [_judge(files, doubtful.slice(start, BLOCK), asked) for start in range(0, doubtful.lines.height, BLOCK)]
    return join_judged(parts)


def _count_sound(tickers: pl.Series) -> pl.DataFrame:
    """ticker, rule and rows; a ticker's rows mostly stand together."""
    runs = tickers.rle().struct.unnest()
    counts = runs.group_by(ticker="value").agg(rows=pl.col("len").sum())
    return counts.select("ticker", pl.lit(None, pl.String).alias("rule"), "rows")


def judge_each(bars: Bars, asked: Asked) -> pl.DataFrame:
    """Return what `judge_bars` says of each bar, in their order, were it landed today."""
    return judge_bars(_as_landed(_texts(bars), asked), INSTRUMENTS.empty(), asked.calendar).sort("line")


def _texts(bars: Bars) -> pl.DataFrame:
    return bars.lines.select(
        pl.col(bars.fields[name]).cast(pl.String).alias(name)
        if name in bars.fields
        else pl.lit(None, pl.String).alias(name)
        for name in FIELDS
    )


def _judge(files: PriceFiles, bars: Bars, asked: Asked) -> JudgedRows:
    """What the rules say of rows that have to be asked about."""
    rows = _texts(bars).select("ticker", judge_each(bars, asked)["rule"], *SHOWN)
    if (column := files.written.get("session")) is not None:  # what is no date is shown as it is written
        rows = rows.with_columns(pl.col("session").fill_null(bars.lines[column].cast(pl.String)))
    broken = rows.with_columns(files.places(bars)).filter(pl.col("rule").is_not_null())
    cases = broken.unique(["ticker", "rule"], keep="first", maintain_order=True)
    return JudgedRows(rows.group_by("ticker", "rule").len("rows"), cases)


def _is_plainly_sound(bars: Bars, asked: Asked) -> pl.Series:
    """Whether a row of daily bars breaks no rule, seen at a glance; of any other row the rules themselves are asked.

    It is no second set of rules: what it lets pass is sound by every one of them.
    """
    stated = bars.fields.get("available_at")
    if (
        asked.interval != "1d"
        or (stated is not None and bars.lines[stated].count())
        or not re.fullmatch("[A-Z]{3}", asked.currency)
    ):
        return pl.repeat(False, bars.lines.height, dtype=pl.Boolean, eager=True)
    tickers = bars.symbol.unique().alias("ticker").to_frame()
    named = tickers.filter(is_well_formed("ticker"))["ticker"]
    known = bars.day.is_in(asked.calendar.frame(asked.first, asked.last)["session"].implode())
    if len(named) < tickers.height:
        known &= bars.symbol.is_in(named.implode())
    highest, lowest = pl.max_horizontal("open", "close"), pl.min_horizontal("open", "close")
    finite = pl.all_horizontal(pl.col(*VALUES).is_finite().fill_null(False))
    ordered = finite & (pl.col("low") > 0) & (pl.col("low") <= lowest) & (highest <= pl.col("high"))
    traded = pl.col("volume").is_between(0, 2**53)
    return bars.numbers.select(ordered & traded & known).to_series().fill_null(False)


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
