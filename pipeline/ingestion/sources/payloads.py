"""How a source's answer becomes rows of the raw tables: verbatim, hashed, one payload per request."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple

import polars as pl

from lake.tables.market import RAW_PRICES
from lake.tables.news import RAW_NEWS
from pipeline.ingestion.sources.payload_lines import as_bytes, join_lines, json_lines

BARS, ACTIONS, LISTINGS, NEWS = "bars", "actions", "listings", "news"
FACTORS, MEMBERS, RATES, CHECK = "factors", "members", "rates", "check"
ALL_TICKERS = "*"
"""The ticker of a payload that speaks of many."""
FETCH_LAG = timedelta(minutes=15)
"""From a session's close to its daily fetch: what is published by then belongs to that fetch."""
CONVERTED = "converted"
"""What a request says of units such as pence: they are read as hundredths of their currency. Requests of earlier
programs say nothing, and are read as before."""
WHOLE = "whole"
"""The same of what is in whole units of the listing's currency, whatever its bars are quoted in."""
BY_LINE = "by line"
"""What a request says of amounts: a line that names a currency or unit is in it, the others are in the listing's.
Requests of earlier programs say nothing, and are read as before."""
ACTIONS_REFETCHED = 63
"""Sessions, a quarter, of whose ex-dates a daily fetch asks again what is stated of them."""
REFETCHED = 5
"""Sessions a daily fetch asks for again, the current one included, so that restated bars show up."""


@dataclass(frozen=True, kw_only=True)
class Fetch:
    """One visit to a source: what was asked, and when the answer came."""

    source: str
    since: date
    """First session asked for."""
    session: date
    """Last session the answer can speak of."""
    fetched_at: datetime
    history: bool
    interval: str = "1d"
    exchange: str = "XNYS"
    currency: str = "USD"
    stamp: str = "start"
    """What an intraday bar's time marks: its start or its end."""

    def request(self, fields: Mapping[str, str], **further: object) -> str:
        """The request as JSON: how each canonical field is called in the payload, and what was asked for.

        Args:
            fields: canonical name -> the vendor's.
            further: what else a request of this kind says, such as what it covers.
        """
        asked = {
            "fields": dict(fields),
            "interval": self.interval,
            "exchange": self.exchange,
            "currency": self.currency,
            "stamp": self.stamp,
            "units": CONVERTED,
            "history": self.history,
            "since": self.since.isoformat(),
            "until": self.session.isoformat(),
            **further,
        }
        return json.dumps(asked, ensure_ascii=False)


def payload_id(*parts: str | memoryview) -> str:
    """Return the sha256 (hex) of the parts, each preceded by its length: no two lists of parts share one text."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(f"{len(data)}:".encode())
        digest.update(data)
    return digest.hexdigest()


def payload_text(frame: pl.DataFrame) -> str:
    """Return the rows as newline-delimited JSON, in the frame's order."""
    return "\n".join(json_lines(frame).to_list())


def bar_rows(
    fetch: Fetch, fields: Mapping[str, str], lines: pl.DataFrame, symbol: pl.Series, **further: object
) -> pl.DataFrame:
    """Return RAW_PRICES rows of kind bars, one payload per symbol, in the order symbols first appear.

    Args:
        lines: the vendor's rows, all columns String.
        symbol: the vendor's symbol of each row; a row without one goes to the payload of the empty symbol.
        further: what else the request says.
    """
    request = fetch.request(fields, **further)
    told = [_Payload.of(fetch, BARS, one, request, text) for one, text in join_lines(symbol.fill_null(""), lines)]
    return _land(fetch, told)


def price_rows(fetch: Fetch, payloads: Iterable[tuple[str, str, str, str]]) -> pl.DataFrame:
    """Return RAW_PRICES rows from (kind, ticker, request, payload); a ticker's text is cut at 200 characters."""
    return _land(fetch, [_Payload.of(fetch, kind, of, asked, pl.Series([text])) for kind, of, asked, text in payloads])


class _Payload(NamedTuple):
    """An answer as it lands."""

    identity: str
    kind: str
    ticker: str
    request: str
    text: pl.Series
    """The text alone, where it lies: it is long, and not copied."""

    @classmethod
    def of(cls, fetch: Fetch, kind: str, ticker: str, request: str, text: pl.Series) -> _Payload:
        """Give an answer its identity."""
        return cls(payload_id(fetch.source, kind, ticker, request, as_bytes(text)), kind, ticker, request, text)


def _land(fetch: Fetch, payloads: Sequence[_Payload]) -> pl.DataFrame:
    """The rows of RAW_PRICES that payloads make."""
    identities, kinds, tickers, requests, texts = zip(*payloads, strict=True) if payloads else [()] * 5
    facts = {
        "source": fetch.source,
        "session": fetch.session,
        "fetched_at": fetch.fetched_at,
        "format": "ndjson",
    }
    columns = {
        "payload_id": identities,
        "kind": kinds,
        "ticker": [ticker[:200] for ticker in tickers],
        "request": requests,
        "payload": pl.concat(texts) if texts else [],
        **{name: [value] * len(identities) for name, value in facts.items()},
    }
    return pl.DataFrame(columns, schema_overrides=RAW_PRICES.schema).select(*RAW_PRICES.columns)


def as_kind(rows: pl.DataFrame, kind: str) -> pl.DataFrame:
    """The same landings under another kind, and so under other identities."""
    parts = rows.select("source", "ticker", "request", "payload").iter_rows()
    identities = [payload_id(source, kind, *rest) for source, *rest in parts]
    return rows.with_columns(kind=pl.lit(kind), payload_id=pl.Series(identities, dtype=pl.String))


def news_rows(fetch: Fetch, payloads: Iterable[tuple[str, str]]) -> pl.DataFrame:
    """Return RAW_NEWS rows from (request, payload)."""
    rows = [
        {
            "payload_id": payload_id(fetch.source, NEWS, request, payload),
            "source": fetch.source,
            "session": fetch.session,
            "fetched_at": fetch.fetched_at,
            "format": "ndjson",
            "request": request,
            "payload": payload,
        }
        for request, payload in payloads
    ]
    return pl.DataFrame(rows, schema=RAW_NEWS.schema)
