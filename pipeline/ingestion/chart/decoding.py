"""Turns chart answers into lines: bars as they were traded, splits and dividends, and what the instrument is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl

from pipeline.ingestion.chart.consistency import DividendFinding, Findings, examine
from pipeline.ingestion.chart.reading import (
    MINOR_UNITS,
    PRICES,
    Chart,
    Floats,
    Split,
    UnreadableChartError,
    read_chart,
)

REPAIRED = 1_000_000
"""Added to the line of a bar or event that was repaired: the line as delivered is set aside under its own number."""
LIVE = "the bar is no live quote"
AUCTION = 0.05
"""Relative; how far an auction's price may lie outside the day's range. What is further away is an error."""
SHOWN = 2_000
"""Characters of an unreadable answer that are kept beside the rule it breaks."""
CURRENCY = "said_currency"
"""Column with the currency that the payload itself states; it goes before what the request says."""


def yahoo_chart(payloads: pl.DataFrame, fields: Mapping[str, str | None]) -> pl.DataFrame:
    """Decode chart answers into the lines of what the fields belong to: bars, actions or listings.

    Prices come split-adjusted as of the download: every split after a bar is undone, on price and volume, so that the
    bar is as it was traded. Pence and other hundredths become the whole currency. Bars after the last day asked for
    are passed over: they were fetched for the splits among them. Where the answer contradicts itself the line as
    delivered carries the rule as its fault, and its repair, if there is one, follows as line REPAIRED + n.

    Args:
        payloads: payload_id, ticker (the vendor's symbol), request and payload.
        fields: our names of the fields wanted.

    Returns:
        payload_id, line (Int64), text, fault, said_currency and the fields, all String but the line.
    """
    part = _part(fields)
    schema: dict[str, pl.DataType] = {"line": pl.Int64(), "text": pl.String(), "fault": pl.String()}
    schema |= {CURRENCY: pl.String(), **dict.fromkeys(fields, pl.String())}
    frames = [pl.DataFrame(schema={"payload_id": pl.String(), **schema})]
    for identity, symbol, request, payload in payloads.select("payload_id", "ticker", "request", "payload").iter_rows():
        try:
            lines = part(_answer(payload, symbol, request))
        except UnreadableChartError as error:
            ticker = _asked(request).get("ticker") or symbol
            text = f"{error.detail} | {payload[:SHOWN]}"
            lines = pl.DataFrame([{"line": 0, "text": text, "fault": error.rule, "ticker": ticker}])
        missing = [pl.lit(None, dtype=kind).alias(name) for name, kind in schema.items() if name not in lines.columns]
        frames.append(
            lines.select(pl.lit(identity).alias("payload_id"), pl.all(), *missing).select("payload_id", *schema)
        )
    return pl.concat([frame.cast({"line": pl.Int64, "fault": pl.String}) for frame in frames])


@dataclass(frozen=True)
class Answer:
    """A chart with what was asked."""

    chart: Chart
    findings: Findings
    ticker: str
    until: date
    """Last day asked for."""
    interval: str


def _part(fields: Mapping[str, str | None]) -> Callable[[Answer], pl.DataFrame]:
    return _actions if "ex_date" in fields else _listing if "listed_on" in fields else _bars


@lru_cache(maxsize=8)
def _asked(request: str) -> dict[str, Any]:
    try:
        asked = json.loads(request)
    except ValueError:
        return {}
    return asked if isinstance(asked, dict) else {}


def _answer(payload: str, symbol: str, request: str) -> Answer:
    asked = _asked(request)
    chart = read_chart(payload, symbol)
    try:
        until = date.fromisoformat(str(asked.get("until")))
    except ValueError:
        until = date.max
    return Answer(chart, examine(chart), str(asked.get("ticker") or symbol), until, str(asked.get("interval")))


# ---- bars


def _bars(answer: Answer) -> pl.DataFrame:
    """The bars asked for, then the repairs."""
    chart, findings = answer.chart, answer.findings
    days = chart.days
    asked = [number for number, day in enumerate(days) if day <= answer.until]
    rules = list(findings.bar_rules)
    _mark_live(answer, days, rules)
    delivered = _traded(chart, days, asked)
    told = pl.DataFrame(
        {"timestamp": [chart.stamps[n] for n in asked]} | {name: values[asked] for name, values in chart.series.items()}
    ).fill_nan(None)
    text = told.select(text=pl.struct(pl.all()).struct.json_encode())
    columns = {"ticker": pl.lit(answer.ticker), CURRENCY: pl.lit(chart.currency)}
    lines = pl.concat([delivered, text], how="horizontal").with_columns(
        line=pl.Series(asked, dtype=pl.Int64),
        fault=pl.Series([rules[n] for n in asked], dtype=pl.String),
        **columns,
    )
    repairs = [n for n in asked if findings.bar_rules[n] is not None and rules[n] == findings.bar_rules[n]]
    if repairs:
        mended = _traded(findings.repaired, days, repairs).with_columns(
            line=pl.Series(repairs, dtype=pl.Int64) + REPAIRED,
            text=pl.Series([f"repaired: {rules[n]}" for n in repairs]),
            fault=pl.lit(None, dtype=pl.String),
            **columns,
        )
        lines = pl.concat([lines, mended.select(lines.columns)])
    return lines


def _mark_live(answer: Answer, days: list[date], rules: list[str | None]) -> None:
    """Yahoo may append the live quote to daily bars, as a second row of the day: it is no bar."""
    chart = answer.chart
    if answer.interval == "1d" and len(days) > 1 and days[-1] == days[-2] and chart.stamps[-1] == chart.quoted_at:
        rules[-1] = LIVE


def _traded(chart: Chart, days: list[date], numbers: list[int]) -> pl.DataFrame:
    """session, ts, open, high, low, close and volume as text, with splits undone and in the whole currency."""
    shares = _shares_since(chart, [days[n] for n in numbers])
    frame = pl.DataFrame(
        {name: chart.series[name][numbers] / chart.divisor * shares for name in PRICES}
        | {"volume": (chart.series["volume"][numbers] / shares).round()},
        schema=dict.fromkeys((*PRICES, "volume"), pl.Float64),
    )
    frame = _widened(frame)
    return frame.select(
        pl.Series("session", [days[n] for n in numbers], dtype=pl.Date).cast(pl.String),
        pl.from_epoch(pl.Series("ts", [chart.stamps[n] for n in numbers], dtype=pl.Int64))
        .dt.replace_time_zone("UTC")
        .dt.to_string("%Y-%m-%dT%H:%M:%S+00:00"),
        pl.all().fill_nan(None).cast(pl.String),
    )


def _widened(bars: pl.DataFrame) -> pl.DataFrame:
    """Open and close are trades too: some exchanges' auctions are missing from the vendor's high and low."""
    top, bottom = pl.max_horizontal("open", "close"), pl.min_horizontal("open", "close")
    high, low = pl.col("high"), pl.col("low")
    return bars.with_columns(
        high=pl.when(top.is_between(high, high * (1 + AUCTION))).then(top).otherwise(high),
        low=pl.when(bottom.is_between(low * (1 - AUCTION), low)).then(bottom).otherwise(low),
    )


def _shares_since(chart: Chart, days: list[date]) -> Floats:
    """For each day: what one share of then has become by the splits in the answer whose ex-date lies after it."""
    shares = np.ones(len(days))
    for split in chart.splits:
        ex_date = chart.day(split.stamp)
        shares *= np.array([float(split.ratio) if day < ex_date else 1.0 for day in days])
    return shares


# ---- actions


def _actions(answer: Answer) -> pl.DataFrame:
    """Splits and dividends up to the last day asked for, as they were per share of their day."""
    rows = [*_split_lines(answer), *_dividend_lines(answer)]
    schema = ("line", "text", "fault", "ticker", "ex_date", "kind", "numerator", "denominator", "amount")
    return pl.DataFrame(rows, schema={name: pl.Int64 if name == "line" else pl.String for name in schema})


def _split_lines(answer: Answer) -> Iterator[dict[str, object]]:
    for number, split in enumerate(answer.chart.splits):
        ex_date = answer.chart.day(split.stamp)
        if ex_date <= answer.until:
            yield {
                "line": number,
                "text": _split_text(split),
                "ticker": answer.ticker,
                "ex_date": ex_date.isoformat(),
                "kind": "split",
                "numerator": str(split.ratio.numerator),
                "denominator": str(split.ratio.denominator),
            }


def _split_text(split: Split) -> str:
    return json.dumps({"date": split.stamp, "numerator": split.ratio.numerator, "denominator": split.ratio.denominator})


def _dividend_lines(answer: Answer) -> Iterator[dict[str, object]]:
    first = len(answer.chart.splits)
    for number, found in enumerate(answer.findings.dividends, start=first):
        if answer.chart.day(found.stated.stamp) > answer.until:
            continue
        stated = _dividend_line(answer, found, found.stated.amount)
        yield stated | {"line": number, "fault": found.rule}
        if found.rule is not None and found.amount is not None:
            repaired = _dividend_line(answer, found, found.amount)
            yield repaired | {"line": number + REPAIRED, "text": f"repaired: {found.rule}"}


def _dividend_line(answer: Answer, found: DividendFinding, amount: float) -> dict[str, object]:
    """A dividend as it was paid: Yahoo's are adjusted for later splits like its prices."""
    chart, stated = answer.chart, found.stated
    ex_date = chart.day(stated.stamp)
    unit = stated.currency or chart.unit
    paid = amount / (100.0 if unit in MINOR_UNITS else 1.0) * float(_shares_since(chart, [ex_date])[0])
    return {
        "text": json.dumps({"date": stated.stamp, "amount": stated.amount, "currency": stated.currency}),
        "ticker": answer.ticker,
        "ex_date": ex_date.isoformat(),
        "kind": "dividend",
        "amount": repr(paid),
    }


# ---- listings


def _listing(answer: Answer) -> pl.DataFrame:
    chart = answer.chart
    first = chart.first_trade
    return pl.DataFrame(
        [
            {
                "line": 0,
                "text": json.dumps({"symbol": chart.symbol, "name": chart.name, "currency": chart.unit}),
                "fault": None,
                "ticker": answer.ticker,
                "name": chart.name,
                "currency": chart.currency,
                "listed_on": None if first is None else first.isoformat(),
            }
        ],
        schema_overrides={"fault": pl.String, "name": pl.String, "listed_on": pl.String},
    )
