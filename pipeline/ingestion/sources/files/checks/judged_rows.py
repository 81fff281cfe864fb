"""Judges the rows of price files by the rules that ingestion has, before anything is landed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

import polars as pl

from lake.tables.market import INSTRUMENTS
from pipeline.ingestion.prices.bar_rules import FIELDS, judge_bars
from pipeline.ingestion.sources.files.bars import Bars
from pipeline.ingestion.sources.payloads import CONVERTED
from pipeline.market.sessions import Sessions

BLOCK = 250_000
"""Rows judged at a time: what is kept of them are the few that break a rule."""
SHOWN = ("session", "ts", "open", "high", "low", "close", "volume")
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
    for judged in _judge_blocks(bars, asked):
        counts.append(judged.group_by("ticker", "rule").len("rows"))
        broken = judged.filter(pl.col("rule").is_not_null())
        cases.append(broken.unique(["ticker", "rule"], keep="first", maintain_order=True))
    if not counts:
        empty = pl.DataFrame(schema={"ticker": pl.String, "rule": pl.String, "rows": pl.UInt32})
        return JudgedRows(empty, pl.DataFrame())
    total = pl.concat(counts).group_by("ticker", "rule").agg(pl.col("rows").sum())
    first = pl.concat(cases).unique(["ticker", "rule"], keep="first", maintain_order=True)
    return JudgedRows(total, first)


def _judge_blocks(bars: Bars, asked: Asked) -> Iterator[pl.DataFrame]:
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
        judged = judge_bars(_as_landed(texts, asked), INSTRUMENTS.empty(), asked.calendar)
        places = bars.places.slice(start, BLOCK).filter(wanted)
        rules = texts.with_columns(line=pl.int_range(pl.len(), dtype=pl.Int64)).join(
            judged.select("line", "rule"), on="line", how="left", maintain_order="left"
        )
        yield rules.select("ticker", "rule", *SHOWN).with_columns(places["file"].cast(pl.String), places["line"])


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
