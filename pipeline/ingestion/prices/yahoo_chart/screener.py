"""Reads the answer of a screener: which symbols it names, and what it says of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import polars as pl

from pipeline.ingestion.prices.yahoo_chart.parse_chart import MINOR_UNITS, READABLE
from pipeline.ingestion.prices.yahoo_chart.symbols import our_ticker


def screened_symbols(payload: str) -> list[str]:
    """The symbols an answer names, in its order; none if it cannot be read."""
    return [str(quote["symbol"]) for quote in _quotes(payload) or []]


def yahoo_screener(payloads: pl.DataFrame, fields: object) -> pl.DataFrame:
    """Decode a screener's answer into one listing per symbol.

    Returns payload_id, line, text, fault, said_currency and the fields, all String but the line.
    """
    names = list(fields) if isinstance(fields, dict) else []
    schema: dict[str, pl.DataType] = {"payload_id": pl.String(), "line": pl.Int64(), "text": pl.String()}
    schema |= {"fault": pl.String(), "said_currency": pl.String(), **dict.fromkeys(names, pl.String())}
    rows: list[dict[str, object]] = []
    for identity, request, payload in payloads.select("payload_id", "request", "payload").iter_rows():
        exchange = _exchange(request)
        quotes = _quotes(payload)
        if quotes is None:
            rows.append({"payload_id": identity, "line": 0, "text": payload[:2_000], "fault": READABLE})
        for line, quote in enumerate(quotes or []):
            rows.append(
                {"payload_id": identity, "line": line, "text": json.dumps(quote)[:2_000], **_listing(quote, exchange)}
            )
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)


def _exchange(request: str) -> str:
    try:
        asked = json.loads(request)
    except ValueError:
        return ""
    return str(asked.get("exchange")) if isinstance(asked, dict) else ""


def _listing(quote: dict[str, Any], exchange: str) -> dict[str, object]:
    unit = quote.get("currency")
    first = quote.get("firstTradeDateMilliseconds")
    name = quote.get("longName") or quote.get("shortName")
    return {
        "ticker": our_ticker(str(quote["symbol"]), exchange),
        "name": name if isinstance(name, str) else None,
        "currency": MINOR_UNITS.get(unit, unit) if isinstance(unit, str) else None,
        "listed_on": _day(first),
    }


def _day(milliseconds: object) -> str | None:
    if not isinstance(milliseconds, int) or not 0 <= milliseconds < 7_258_118_400_000:
        return None
    return datetime.fromtimestamp(milliseconds / 1_000, UTC).date().isoformat()


def _quotes(payload: str) -> list[dict[str, Any]] | None:
    """The answer's quotes with a symbol; None if it is no screener's answer."""
    try:
        quotes = json.loads(payload)["finance"]["result"][0]["quotes"]
    except (ValueError, RecursionError, KeyError, TypeError, IndexError):
        return None
    if not isinstance(quotes, list):
        return None
    return [quote for quote in quotes if isinstance(quote, dict) and isinstance(quote.get("symbol"), str)]
