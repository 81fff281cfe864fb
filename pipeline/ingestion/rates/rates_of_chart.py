"""Reads the daily rates of a pair of currencies out of a vendor's chart, such as that of EURUSD=X."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Any, NamedTuple

import numpy as np

from pipeline.ingestion.prices.yahoo_chart.parse_chart import Chart, UnreadableChartError, read_chart
from pipeline.ingestion.rates.pairs import read_unit, split_pair

RIGHT_CURRENCY = "the chart is in the currency asked for"
SUFFIX = "=X"
"""What Yahoo's symbol of a pair ends in."""
SHOWN = 1_000
"""Characters of an unreadable answer that are kept."""


class ChartLine(NamedTuple):
    """A rate as a chart states it, or why there is none."""

    line: int
    text: str
    fault: str | None
    pair: str
    session: str | None = None
    rate: str | None = None
    """In the vendor's unit of the quote currency."""
    unit: str | None = None
    """That unit."""
    ended: datetime | None = None
    """The end of the day in the chart's time zone: only then was its last rate known."""


def chart_symbol(pair: str) -> str:
    """Yahoo's symbol of a pair: EURUSD=X for EURUSD."""
    return f"{pair}{SUFFIX}"


def read_rates(symbol: str, request: str, payload: str) -> Iterator[ChartLine]:
    """Yield the last rate of each day up to the last one asked for; a day without a quote has none.

    An answer that is no chart of the pair is one faulty line.
    """
    asked = _read_request(request)
    pair, until = str(asked.get("ticker") or symbol.removesuffix(SUFFIX)), asked.get("until")
    try:
        chart = read_chart(payload, symbol)
        _check_currency(chart, pair)
    except UnreadableChartError as error:
        yield ChartLine(0, f"{error.detail} | {payload[:SHOWN]}", error.rule, pair)
        return
    closes = chart.series["close"]
    for line, (stamp, day) in enumerate(zip(chart.stamps, chart.days, strict=True)):
        close = float(closes[line])
        if np.isnan(close) or (isinstance(until, str) and day.isoformat() > until):
            continue
        text = json.dumps({"symbol": chart.symbol, "time": stamp, "close": close, "currency": chart.unit})
        ended = datetime.combine(day + timedelta(days=1), time(), chart.zone)
        yield ChartLine(line, text, None, pair, day.isoformat(), repr(close), chart.unit, ended)


def _read_request(request: str) -> dict[str, Any]:
    try:
        asked = json.loads(request)
    except ValueError:
        return {}
    return asked if isinstance(asked, dict) else {}


def _check_currency(chart: Chart, pair: str) -> None:
    both = split_pair(pair)
    if both is None or read_unit(both[1])[0] != chart.currency:
        raise UnreadableChartError(RIGHT_CURRENCY, f"asked for {pair!r}, answered in {chart.unit!r}")
