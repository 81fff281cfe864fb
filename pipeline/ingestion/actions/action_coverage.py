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
EVERY_TICKER = "*"
OPERATOR = "operator"
"""The source of what the operator states himself: of the actions that it covers it overrules every other."""
_SCHEMA = {"payload_id": pl.String, COVERAGE[0]: pl.Date, COVERAGE[1]: pl.Date, "asked": pl.String}


def read_coverage(raw_prices: pl.DataFrame) -> pl.DataFrame:
    """payload_id, the first and last ex-date (Date, both included) and asked, of each landing that says what it covers.

    Args:
        raw_prices: landed rows; those without coverage, or of other kinds than actions, are left out.

    Returns:
        asked (String) is the one ticker that the landing speaks of, as we spell it, or EVERY_TICKER.
    """
    landings = raw_prices.filter(pl.col("kind") == "actions").select("payload_id", "ticker", "request")
    told = ((identity, ticker, _read(request)) for identity, ticker, request in landings.iter_rows())
    rows = [(identity, *span[:2], span[2] or ticker) for identity, ticker, span in told if span is not None]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row").unique("payload_id", maintain_order=True)


def list_landings(raw_prices: pl.DataFrame) -> pl.DataFrame:
    """payload_id, source, landed, fetched_at, coverage and asked (ticker, or *) of sources' landings that cover any."""
    told = raw_prices.select("payload_id", "source", "fetched_at", landed="session")
    told = told.filter(pl.col("source") != OPERATOR)
    return told.join(read_coverage(raw_prices), on="payload_id", how="inner", maintain_order="left")


def drop_superseded(stated: pl.DataFrame, landings: pl.DataFrame) -> pl.DataFrame:
    """The lines that no later landing of their source, which covers their ex-date, leaves out."""
    if landings.is_empty() or stated.is_empty():
        return stated
    newest = (
        stated.select("source", "ticker", "ex_date")
        .unique()
        .pipe(join_covering, landings.rename({"payload_id": "current"}))
        .sort("landed", "fetched_at")
        .unique(["source", "ticker", "ex_date"], keep="last", maintain_order=True)
        .select("source", "ticker", "ex_date", "current")
    )
    beside = stated.join(newest, on=["source", "ticker", "ex_date"], how="left", maintain_order="left")
    stands = pl.col("current").is_null() | (pl.col("payload_id") == pl.col("current"))
    return beside.filter(stands).drop("current")


def join_covering(rows: pl.DataFrame, landings: pl.DataFrame) -> pl.DataFrame:
    """The rows once for each landing of their source that covers their ticker and ex-date, with its columns."""
    everybody = pl.col("asked") == EVERY_TICKER
    broad = rows.join(landings.filter(everybody).drop("asked"), on="source")
    own = rows.join(landings.filter(~everybody).rename({"asked": "ticker"}), on=["source", "ticker"])
    return pl.concat([broad, own.select(broad.columns)]).filter(pl.col("ex_date").is_between(*COVERAGE))


def _read(text: str) -> tuple[date, date, str] | None:
    """First and last ex-date of a request, and the ticker it names, if any; None where it covers nothing."""
    try:
        request: Any = json.loads(text)
        told = request[COVERS]
        until = date.fromisoformat(told["until"]) if told["until"] else ENDLESS
        return date.fromisoformat(told["since"]), until, str(request.get("ticker") or "")
    except (ValueError, KeyError, TypeError):
        return None
