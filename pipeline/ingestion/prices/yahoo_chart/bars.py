"""Turns the bars of many charts into lines of text, as they were traded, in one go."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from math import isnan

import numpy as np
import polars as pl

from pipeline.ingestion.prices.yahoo_chart.answer import CURRENCY, REPAIRED, ChartAnswer
from pipeline.ingestion.prices.yahoo_chart.parse_chart import PRICES, Chart, Floats
from pipeline.ingestion.prices.yahoo_chart.unfinished_bars import LIVE, began_by, unfinished_rule

AUCTION = 0.05
"""Relative; how far an auction's price may lie outside the day's range. What is further away is an error."""
SERIES = (*PRICES, "volume", "adjclose")


@dataclass(frozen=True)
class _ChartBlock:
    """Some bars of one chart."""

    identity: str
    answer: ChartAnswer
    chart: Chart
    """As delivered, or as repaired."""
    numbers: list[int]
    faults: list[str | None]
    notes: list[str | None]
    """What is told instead of the bar as delivered."""


def bar_lines(answers: Sequence[tuple[str, ChartAnswer]]) -> pl.DataFrame:
    """The bars asked for of each chart, and after them the repaired ones.

    Args:
        answers: payload_id and answer.

    Returns:
        payload_id, line (Int64), text, fault, said_currency, ticker, session, ts, open, high, low, close and volume,
        all String but the line. Splits after a bar are undone; prices are in the whole currency.
    """
    blocks = [block for identity, answer in answers for block in _blocks(identity, answer)]
    if not blocks:
        return pl.DataFrame(schema={"payload_id": pl.String, "line": pl.Int64})
    owner = np.repeat(np.arange(len(blocks)), [len(block.numbers) for block in blocks])
    frame = pl.DataFrame(
        {
            "payload_id": pl.Series([block.identity for block in blocks])[owner],
            "line": np.concatenate([_lines(block) for block in blocks]),
            "fault": pl.Series([fault for block in blocks for fault in block.faults], dtype=pl.String),
            "note": pl.Series([note for block in blocks for note in block.notes], dtype=pl.String),
            CURRENCY: pl.Series([block.chart.currency for block in blocks])[owner],
            "ticker": pl.Series([block.answer.ticker for block in blocks])[owner],
            "session": pl.Series([block.chart.days[n] for block in blocks for n in block.numbers], dtype=pl.Date),
            "timestamp": np.array([block.chart.stamps[n] for block in blocks for n in block.numbers], dtype=np.int64),
            **{f"said_{name}": np.concatenate([_series_of(block, name) for block in blocks]) for name in SERIES},
            "divisor": np.array([block.chart.divisor for block in blocks])[owner],
            "shares": np.concatenate([_shares_factor(block) for block in blocks]),
        }
    )
    return _as_text(_widen_range(_undo_adjustments(frame)))


def shares_since(chart: Chart, days: Sequence[date]) -> Floats:
    """For each day, in order: what one share of then has become by the answer's splits with a later ex-date."""
    shares = np.ones(len(days))
    for split in chart.splits:
        shares[: bisect_left(days, chart.day(split.stamp))] *= float(split.ratio)
    return shares


def _blocks(identity: str, answer: ChartAnswer) -> Iterator[_ChartBlock]:
    chart, findings = answer.chart, answer.findings
    asked = list(range(began_by(answer, bisect_right(chart.days, answer.until))))
    unfinished = {n: rule for n in asked if (rule := unfinished_rule(answer, n))} if answer.snapshot else {}
    if _ends_live(answer):
        unfinished[len(chart.stamps) - 1] = LIVE
    rules = [unfinished.get(n, rule) for n, rule in enumerate(findings.bar_rules)]
    told = [_readings(answer, n) if n in findings.undecided else None for n in asked]
    yield _ChartBlock(identity, answer, chart, asked, [rules[n] for n in asked], told)
    repaired = [n for n in asked if rules[n] and n not in unfinished and n not in findings.undecided]
    if repaired:
        notes: list[str | None] = [f"repaired: {rules[n]}" for n in repaired]
        yield _ChartBlock(identity, answer, findings.repaired, repaired, [None] * len(repaired), notes)


def _readings(answer: ChartAnswer, bar: int) -> str:
    """Both readings of a bar that nobody can decide on, for whoever looks at what was set aside."""
    rows = (answer.chart, answer.findings.repaired)
    values = [[float(one.series[name][bar]) for name in ("close", "volume")] for one in rows]
    read = [{"close": close, "volume": None if isnan(volume) else volume} for close, volume in values]
    return json.dumps({"timestamp": answer.chart.stamps[bar], "as stated": read[0], "as put right": read[1]})


def _ends_live(answer: ChartAnswer) -> bool:
    """Yahoo may append the live quote to daily bars, as a second row of the day: it is no bar."""
    days, chart = answer.chart.days, answer.chart
    return answer.interval == "1d" and len(days) > 1 and days[-1] == days[-2] and chart.stamps[-1] == chart.quoted_at


def _lines(block: _ChartBlock) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(block.numbers, dtype=np.int64) + (REPAIRED if block.chart is not block.answer.chart else 0)


def _series_of(block: _ChartBlock, name: str) -> Floats:
    values = block.chart.series.get(name)
    return np.full(len(block.numbers), np.nan) if values is None else values[block.numbers]


def _shares_factor(block: _ChartBlock) -> Floats:
    return shares_since(block.chart, [block.chart.days[n] for n in block.numbers])


def _undo_adjustments(bars: pl.DataFrame) -> pl.DataFrame:
    """Add open, high, low, close and volume with splits undone and in the whole currency."""
    return bars.with_columns(
        **{name: pl.col(f"said_{name}") / pl.col("divisor") * pl.col("shares") for name in PRICES},
        volume=(pl.col("said_volume") / pl.col("shares")).round(),
    )


def _widen_range(bars: pl.DataFrame) -> pl.DataFrame:
    """Open and close are trades too: some exchanges' auctions are missing from the vendor's high and low."""
    top, bottom = pl.max_horizontal("open", "close"), pl.min_horizontal("open", "close")
    high, low = pl.col("high"), pl.col("low")
    return bars.with_columns(
        high=pl.when(top.is_between(high, high * (1 + AUCTION))).then(top).otherwise(high),
        low=pl.when(bottom.is_between(low * (1 - AUCTION), low)).then(bottom).otherwise(low),
    )


def _as_text(bars: pl.DataFrame) -> pl.DataFrame:
    delivered = pl.struct("timestamp", *(pl.col(f"said_{name}").fill_nan(None).alias(name) for name in SERIES))
    at = pl.from_epoch("timestamp").dt.replace_time_zone("UTC")
    return bars.select(
        "payload_id",
        "line",
        pl.coalesce("note", delivered.struct.json_encode()).alias("text"),
        "fault",
        CURRENCY,
        "ticker",
        pl.col("session").cast(pl.String),
        at.dt.to_string("%Y-%m-%dT%H:%M:%S+00:00").alias("ts"),
        *(pl.col(name).fill_nan(None).cast(pl.String) for name in (*PRICES, "volume")),
    )
