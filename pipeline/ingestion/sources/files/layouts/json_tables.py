"""Reads the tables that JSON files hold: records, lines, what pandas writes, and Yahoo's charts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.files import columns

JSON_ENDINGS = (".json", ".jsonl", ".ndjson")
FORMS = "a list of records, records line by line, what pandas writes (split, columns, index), or Yahoo's chart"
Record = Mapping[str, Any]


def read_json(path: Path) -> pl.DataFrame:
    """Return the rows of a JSON file, all columns String; numbers stay as they are written.

    Raises:
        SourceError: if it holds no table in a form that is known.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        found = _load_lines(text) if path.suffix.lower() != ".json" else _load(text)
        records = list(_find_records(found))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise SourceError(f"{path} is no JSON that can be read: {str(error)[:200]}; save its table as CSV") from error
    if not records:
        raise SourceError(f"{path} holds no table in a form that is known ({FORMS}); save its table as CSV")
    names = dict.fromkeys(name for record in records for name in record)
    cells = {str(name): [_as_text(record.get(name)) for record in records] for name in names}
    return pl.DataFrame(cells, schema=dict.fromkeys(cells, pl.String))


def _load(text: str) -> Any:
    """One value; or, where there is more behind it, one on each line."""
    try:
        return _parse(text)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise
        return _load_lines(text)


def _load_lines(text: str) -> Any:
    return [_parse(line) for line in text.splitlines() if line.strip()]


def _parse(text: str) -> Any:
    return json.loads(text, parse_int=str, parse_float=str, parse_constant=lambda _: None)


def _find_records(found: Any) -> Iterable[Record]:
    if isinstance(found, list):
        return found if all(isinstance(one, dict) for one in found) else []
    if not isinstance(found, dict):
        return []
    if isinstance(found.get("chart"), dict):
        return [record for chart in found["chart"].get("result") or () for record in _read_chart(chart)]
    if {"columns", "data"} <= found.keys():
        return _read_split(found)
    if found and all(isinstance(one, dict) for one in found.values()) and (records := _read_nested(found)):
        return records
    return _read_parts(found)


def _read_parts(found: Record) -> list[Record]:
    """Records that lie one level below: one part beside words about it, or a part for each ticker."""
    read = {name: list(_find_records(one)) for name, one in found.items() if isinstance(one, (dict, list))}
    parts = {name: records for name, records in read.items() if any(map(_names_prices, records))}
    if len(parts) > 1:
        return [{"ticker": name, **record} for name, records in parts.items() for record in records]
    said = {name: one for name, one in found.items() if name in ("ticker", "symbol") and isinstance(one, str)}
    return [{**said, **record} for records in parts.values() for record in records]


def _read_split(found: Record) -> Iterable[Record]:
    if not all(isinstance(row, list) for row in (found["columns"], found["data"], *found["data"])):
        return []
    rows = [dict(zip(found["columns"], row, strict=True)) for row in found["data"]]
    index = found.get("index") or []
    return [{"date": at, **row} for at, row in zip(index, rows, strict=True)] if index else rows


def _read_nested(found: Mapping[str, Record]) -> list[Record]:
    """Columns by name with a cell for each index, or rows by index: whichever names the values of a bar."""
    if _names_prices(found):
        index = dict.fromkeys(at for column in found.values() for at in column)
        rows = {at: {name: column.get(at) for name, column in found.items()} for at in index}
    else:
        rows = {at: dict(row) for at, row in found.items() if _names_prices(row)}
    return [row if _has_day(row) else {"date": at, **row} for at, row in rows.items()]


def _names_prices(names: Iterable[str]) -> bool:
    found = columns.recognise(list(names), columns.DAILY_BARS, {}, required=(), file="", strict=False)
    return {"open", "close"} <= found.keys()


def _has_day(row: Record) -> bool:
    usual = {"session": columns.DAY}
    return bool(columns.recognise(list(row), usual, {}, required=(), file="", strict=False))


def _read_chart(chart: Record) -> Iterable[Record]:
    """Bars of one ticker; splits and dividends stand beside the bar of their day, as yfinance has them."""
    times, shown = chart.get("timestamp") or [], chart["indicators"]
    values = {name: column for part in ("quote", "adjclose") for name, column in (shown.get(part) or [{}])[0].items()}
    events = chart.get("events") or {}
    told: dict[str, dict[str, str]] = {}
    if "dividends" in events:
        told["Dividends"] = {one["date"]: one["amount"] for one in events["dividends"].values()}
    if "splits" in events:
        ratios = (
            (one["date"], float(one["numerator"]) / float(one["denominator"])) for one in events["splits"].values()
        )
        told["Stock Splits"] = {at: str(ratio) for at, ratio in ratios}
    for number, at in enumerate(times):
        cells = {name: column[number] for name, column in values.items()}
        if any(cell is not None for cell in cells.values()):
            beside = {name: of_day.get(at, "0") for name, of_day in told.items()}
            yield {"ticker": chart["meta"]["symbol"], "timestamp": at, **cells, **beside}


def _as_text(cell: Any) -> str | None:
    return cell if cell is None or isinstance(cell, str) else json.dumps(cell)
