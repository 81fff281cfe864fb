"""The JSON forms that prices have: what pandas writes, what vendors answer, and Yahoo's charts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

Writer = Callable[[pl.DataFrame, Path], Path]
"""Writes bars (and back_open to back_volume, back_amount, split_or_0) of all tickers below a folder."""
FIELDS = ("open", "high", "low", "close", "volume")
Records = list[dict[str, Any]]


def _records(rows: pl.DataFrame) -> Records:
    return rows.select(pl.col("session").dt.strftime("%Y-%m-%d").alias("date"), "ticker", *FIELDS).to_dicts()


def _whole(form: Callable[[Records], str], name: str = "all.json") -> Writer:
    def write(rows: pl.DataFrame, folder: Path) -> Path:
        (folder / name).write_text(form(_records(rows)))
        return folder / name

    return write


def _each(form: Callable[[str, Records], object]) -> Writer:
    def write(rows: pl.DataFrame, folder: Path) -> Path:
        for (ticker,), own in rows.group_by("ticker", maintain_order=True):
            told = [{k: v for k, v in one.items() if k != "ticker"} for one in _records(own)]
            (folder / f"{ticker}.json").write_text(json.dumps(form(str(ticker), told)))
        (folder / "about.json").write_text('{"title": "prices", "licence": "none"}')
        return folder

    return write


def _split(told: Records) -> str:
    data = [list(one.values())[1:] for one in told]
    return json.dumps(
        {"columns": list(told[0])[1:], "index": [_milliseconds(one["date"]) for one in told], "data": data}
    )


def _milliseconds(day: str) -> int:
    return int(pl.Series([day]).str.to_datetime("%Y-%m-%d").dt.epoch("ms")[0])


def _columns(_: str, told: Records) -> object:
    return {name: {str(_milliseconds(one["date"])): one[name] for one in told} for name in FIELDS}


def _index(_: str, told: Records) -> object:
    return {one["date"]: {name: one[name] for name in FIELDS} for one in told}


def _by_ticker(told: Records) -> str:
    tickers = dict.fromkeys(one["ticker"] for one in told)
    own = {ticker: [one for one in told if one["ticker"] == ticker] for ticker in tickers}
    return json.dumps({ticker: _index(ticker, records) for ticker, records in own.items()})


def _alpha(ticker: str, told: Records) -> object:
    series = {one["date"]: {f"{n}. {name}": str(one[name]) for n, name in enumerate(FIELDS, start=1)} for one in told}
    return {"Meta Data": {"2. Symbol": ticker}, "Time Series (Daily)": series}


def _polygon(ticker: str, told: Records) -> object:
    results = [
        {"t": _milliseconds(one["date"]) + 5 * 3_600_000, **{name[0]: one[name] for name in FIELDS}} for one in told
    ]
    return {"ticker": ticker, "resultsCount": len(results), "results": results, "status": "OK"}


def _charts(rows: pl.DataFrame, folder: Path) -> Path:
    """As Yahoo has them: prices after the splits that follow, at the opening bell in New York."""
    opened = pl.col("session").cast(pl.Datetime("us")).dt.offset_by("9h30m").dt.replace_time_zone("America/New_York")
    for (ticker,), own in rows.with_columns(at=opened.dt.epoch("s")).group_by("ticker", maintain_order=True):
        paid = own.filter(pl.col("back_amount") > 0).select("at", "back_amount").rows()
        split = own.filter(pl.col("split_or_0") > 0).select("at", "split_or_0").rows()
        chart = {
            "meta": {"symbol": ticker, "currency": "USD", "exchangeTimezoneName": "America/New_York"},
            "timestamp": own["at"].to_list(),
            "indicators": {"quote": [{name: own[f"back_{name}"].to_list() for name in FIELDS}]},
            "events": {
                "dividends": {str(at): {"amount": amount, "date": at} for at, amount in paid},
                "splits": {str(at): {"date": at, "numerator": ratio, "denominator": 1} for at, ratio in split},
            },
        }
        (folder / f"{ticker}.json").write_text(json.dumps({"chart": {"result": [chart], "error": None}}))
    return folder


JSON_LAYOUTS: dict[str, tuple[Writer, bool]] = {
    "json records": (_whole(json.dumps), False),
    "json lines": (_whole(lambda told: "\n".join(map(json.dumps, told)), "all.jsonl"), False),
    "json split": (_whole(_split), False),
    "json columns": (_each(_columns), False),
    "json index": (_each(_index), False),
    "json by ticker": (_whole(_by_ticker), False),
    "json results": (_each(_polygon), False),
    "json series": (_each(_alpha), False),
    "json charts": (_charts, True),
}
"""Name -> what writes it, and whether it tells of splits and dividends."""
