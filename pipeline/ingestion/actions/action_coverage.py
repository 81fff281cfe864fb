"""Which ex-dates a landing of corporate actions speaks of: what it leaves out of them is no longer stated."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import polars as pl

COVERS = "covers"
"""The member of a request: {"since": first ex-date, "until": last ex-date or null for no end}."""
COVERAGE = ("covers_since", "covers_until")
ENDLESS = date(9999, 12, 31)
_SCHEMA = {"payload_id": pl.String, COVERAGE[0]: pl.Date, COVERAGE[1]: pl.Date}


def read_coverage(raw_prices: pl.DataFrame) -> pl.DataFrame:
    """payload_id and the first and last ex-date (Date, both included) of each landing that says which it covers.

    Args:
        raw_prices: landed rows; those without coverage, or of other kinds than actions, are left out.
    """
    landings = raw_prices.filter(pl.col("kind") == "actions").select("payload_id", "request")
    spans = ((identity, _span(request)) for identity, request in landings.iter_rows())
    rows = [(identity, *span) for identity, span in spans if span is not None]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row").unique("payload_id", maintain_order=True)


def _span(text: str) -> tuple[date, date] | None:
    """First and last ex-date of a request; None where it names none."""
    try:
        request: Any = json.loads(text)
        told = request[COVERS]
        return date.fromisoformat(told["since"]), date.fromisoformat(told["until"]) if told["until"] else ENDLESS
    except (ValueError, KeyError, TypeError):
        return None
