"""Takes landed payloads apart into lines of text under our own field names, judging nothing but readability."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import polars as pl

from lake.contract import UTC
from lake.engine import collect
from pipeline.ingestion.news.parse_feeds import rss, yahoo_news
from pipeline.ingestion.parse_values import normalize_ticker
from pipeline.ingestion.prices.yahoo_chart.decode_chart import CURRENCY, yahoo_chart
from pipeline.ingestion.prices.yahoo_chart.screener import yahoo_screener

Fields = Mapping[str, str | None]
"""Our name of a field -> the vendor's, None where the vendor has no such field."""
Request = dict[str, Any] | None
"""What was asked for; None where it cannot be read."""
Decoder = Callable[[pl.DataFrame, Fields], pl.DataFrame]
"""(payloads: payload_id, ticker, request, payload; fields) -> payload_id, line, text, fault, the fields, and
said_currency where the payload itself states one."""

TICKERS = frozenset({"ticker", "tickers", "successor"})
"""Fields that hold tickers."""
UNREADABLE = "the line is readable"
UNKNOWN_FORMAT = "the format is known"
UNREADABLE_REQUEST = "the request is readable"

FACTS: dict[str, pl.DataType] = {
    "payload_id": pl.String(),
    "source": pl.String(),
    "landed": pl.Date(),
    "fetched_at": UTC,
    "asked_interval": pl.String(),
    "asked_exchange": pl.String(),
    "asked_currency": pl.String(),
    "asked_stamp": pl.String(),
    "asked_role": pl.String(),
    "asked_units": pl.String(),
    "asked_amounts": pl.String(),
    "history": pl.Boolean(),
}
ASKED = (
    *("asked_interval", "asked_exchange", "asked_currency", "asked_stamp", "asked_role", "asked_units"),
    *("asked_amounts", "history"),
)
"""The facts that the request tells."""

LANDED = ("payload_id", "source", "ticker", "session", "fetched_at", "format", "request", "payload")
"""What of a landed row decides on its lines."""
MAX_KEPT_BYTES = 2**20
"""Of payloads whose lines are kept for the next stage that asks for them: a session's."""
_decoded: deque[tuple[pl.DataFrame, tuple[str, ...], pl.DataFrame]] = deque(maxlen=12)
"""Landed rows, the fields asked for, and their lines; what is set aside is asked of the same rows again."""

SET_ASIDE: dict[str, pl.DataType] = {
    "payload_id": pl.String(),
    "line": pl.Int64(),
    "ticker": pl.String(),
    "source": pl.String(),
    "landed": pl.Date(),
    "text": pl.String(),
    "rule": pl.String(),
}
"""What is told of a line that broke a rule."""


def decode(raw: pl.DataFrame, fields: tuple[str, ...]) -> pl.DataFrame:
    """One row per delivered line, in the order of payload and line.

    Args:
        raw: landed rows with payload_id, source, ticker, session, fetched_at, format, request and payload; news has no
            ticker.
        fields: our own names of the fields wanted. A request without `fields` uses them itself; in one that has them, a
            field that it does not name is absent.

    Returns:
        payload_id, line (Int64, position in the payload), text (String, the line as delivered), fault (String, the rule
        an unreadable line breaks, else null), each of `fields` (String, null if absent; tickers as we spell them), and
        what the landing says of all its lines: source, landed (Date), fetched_at (UTC), the
        interval, exchange, currency, stamp, role, units and amounts asked for (String), history (Boolean);
        currency_said (Boolean): the payload itself states the currency, in whole units of which its prices then are.
    """
    raw = raw.select(name for name in LANDED if name in raw.columns).sort("payload_id")
    for asked, names, lines in _decoded:
        if names == fields and asked.equals(raw):
            return lines
    lines = _decode_lines(raw, fields)
    if int(raw.get_column("payload").str.len_bytes().sum()) <= MAX_KEPT_BYTES:
        _decoded.append((raw, fields, lines))
    return lines


def _decode_lines(raw: pl.DataFrame, fields: tuple[str, ...]) -> pl.DataFrame:
    raw = raw if "ticker" in raw.columns else raw.with_columns(ticker=pl.lit("*"))
    requests = {text: _request(text) for text in raw["request"].unique(maintain_order=True)}
    schema = {"payload_id": pl.String, "line": pl.Int64, "text": pl.String, "fault": pl.String, CURRENCY: pl.String}
    parts = [pl.DataFrame(schema={**schema, **dict.fromkeys(fields, pl.String)})]
    for (form, vendor), rows in _group_by_format(raw, requests, fields).items():
        payloads = raw.select("payload_id", "ticker", "request", "payload")[rows]
        part = DECODERS.get(form, _refuse_unknown_formats)(payloads, dict(zip(fields, vendor, strict=True)))
        parts.append(part if CURRENCY in part.columns else part.with_columns(pl.lit(None, pl.String).alias(CURRENCY)))
    lines = pl.concat([part.select(parts[0].columns) for part in parts])
    decoded = (
        _add_facts(lines, _facts(raw, requests))
        .lazy()
        .with_columns(
            *(normalize_ticker(name) for name in fields if name in TICKERS),
            fault=pl.coalesce("fault", pl.when(pl.col("history").is_null()).then(pl.lit(UNREADABLE_REQUEST))),
            asked_currency=pl.coalesce(CURRENCY, "asked_currency"),
            currency_said=pl.col(CURRENCY).is_not_null(),
        )
        .drop(CURRENCY)
    )
    in_order = len(parts) <= 2 and _is_in_order(lines)
    return collect(decoded if in_order else decoded.sort("payload_id", "line"), lines.height)


def _is_in_order(lines: pl.DataFrame) -> bool:
    """Whether the lines come in the order of payload and line; looking costs little, sorting long texts much."""
    payload, line = pl.col("payload_id"), pl.col("line")
    later = (payload > payload.shift(1)) | ((payload == payload.shift(1)) & (line > line.shift(1)))
    return bool(lines.select(later.all()).item())


def _add_facts(lines: pl.DataFrame, facts: pl.DataFrame) -> pl.DataFrame:
    """Put beside each line what its landing says; what all landings say alike need not be looked for."""
    said = facts.drop("payload_id")
    alike = said.unique()
    if alike.height == 1:
        return lines.with_columns(pl.lit(value).first() for value in alike)
    return lines.join(facts, on="payload_id", how="left", maintain_order="left")


def ndjson(payloads: pl.DataFrame, fields: Fields) -> pl.DataFrame:
    """Decode one JSON object per line; blank lines are no lines, a line that is no object gets a fault."""
    split = (
        payloads.lazy()
        .select("payload_id", text=pl.col("payload").str.split("\n"))
        .with_columns(line=pl.int_ranges(0, pl.col("text").list.len(), dtype=pl.Int64))
        .explode("text", "line")
        .with_columns(pl.col("text").str.strip_chars_end("\r"))
        .filter(pl.col("text").str.strip_chars() != "")
    )
    lines = collect(split, int(payloads["payload"].str.count_matches("\n", literal=True).sum()))
    vendor = tuple(dict.fromkeys(name for name in fields.values() if name is not None))
    decoded = _objects(lines["text"], vendor)
    if decoded is None:
        parts = [_objects(part["text"], vendor, tolerant=True) for part in lines.partition_by("payload_id")]
        decoded = pl.concat(part for part in parts if part is not None)
    ours = decoded.select("readable", *(_member(name).alias(field) for field, name in fields.items()))
    return pl.concat([lines, ours], how="horizontal").with_columns(
        fault=pl.when(~pl.col("readable")).then(pl.lit(UNREADABLE))
    )


def _member(name: str | None) -> pl.Expr:
    return pl.lit(None, dtype=pl.String) if name is None else pl.col(name)


def _objects(lines: pl.Series, names: tuple[str, ...], *, tolerant: bool = False) -> pl.DataFrame | None:
    """The named members of each line's object as text, and `readable`; None where a line is no object."""
    schema = dict.fromkeys(names, pl.String())
    if lines.is_empty():
        return pl.DataFrame(schema={**schema, "readable": pl.Boolean()})
    try:
        read = pl.read_ndjson(lines.str.join("\n").item().encode(), schema=schema)
    except (pl.exceptions.PolarsError, UnicodeError):
        read = None
    if read is not None and read.height == len(lines):
        return read.with_columns(readable=pl.lit(True))
    if not tolerant:
        return None
    rows = [_object(line, names) for line in lines]
    return pl.DataFrame(rows, schema={**schema, "readable": pl.Boolean()}, orient="row")


def _object(line: str, names: tuple[str, ...]) -> tuple[str | bool | None, ...]:
    """One line the slow way: for payloads that hold a broken line."""
    try:
        # Numbers stay the text they were; of a repeated member the first counts, as in the fast way.
        found = json.loads(line, parse_float=str, parse_int=str, parse_constant=_refuse, object_pairs_hook=_first)
        if not isinstance(found, dict):
            raise ValueError("no object")
        return (*(_text(found.get(name)) for name in names), True)
    except (ValueError, RecursionError):
        return (*(None for _ in names), False)


def _first(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(reversed(pairs))


def _refuse(constant: str) -> str:
    raise ValueError(f"{constant} is no JSON")


def _text(value: object) -> str | None:
    if isinstance(value, str):
        value.encode()  # half a surrogate pair is no text: UnicodeEncodeError is a ValueError
        return value
    return None if value is None else json.dumps(value)


def _refuse_unknown_formats(payloads: pl.DataFrame, fields: Fields) -> pl.DataFrame:
    """A payload in a format nobody can read becomes one faulty row, so that it is seen."""
    nothing = [pl.lit(None, dtype=pl.String).alias(field) for field in fields]
    return payloads.select(
        "payload_id",
        *nothing,
        line=pl.lit(0, dtype=pl.Int64),
        text=pl.col("payload").str.slice(0, 2_000),
        fault=pl.lit(UNKNOWN_FORMAT),
    )


def failure(payloads: pl.DataFrame, fields: Fields) -> pl.DataFrame:
    """Decode what a source landed for want of an answer: one line, whose fault is the `rule` that the payload names."""
    rows = []
    for ticker, payload in payloads.select("ticker", "payload").iter_rows():
        rule = _object(payload, ("rule",))[0]
        rows.append(
            (0, payload[:2_000], rule or UNREADABLE, *(ticker if field == "ticker" else None for field in fields))
        )
    schema = {"line": pl.Int64, "text": pl.String, "fault": pl.String, **dict.fromkeys(fields, pl.String)}
    failures = pl.DataFrame(rows, schema=schema, orient="row")
    return pl.concat([payloads.select("payload_id"), failures], how="horizontal")


DECODERS: dict[str, Decoder] = {
    "ndjson": ndjson,
    "yahoo-chart": yahoo_chart,
    "yahoo-screener": yahoo_screener,
    "rss": rss,
    "yahoo-news": yahoo_news,
    "failure": failure,
}
"""By the `format` of the landing."""


def _request(text: str) -> Request:
    try:
        request = json.loads(text)
    except ValueError:
        return None
    return request if isinstance(request, dict) and isinstance(request.get("fields", {}), dict) else None


def _group_by_format(
    raw: pl.DataFrame, requests: Mapping[str, Request], fields: tuple[str, ...]
) -> Mapping[tuple[str, tuple[str | None, ...]], list[int]]:
    """Row numbers by format and vendor's names: payloads that can be decoded in one go."""
    vendors = {text: _vendor_names(request, fields) for text, request in requests.items()}
    groups: dict[tuple[str, tuple[str | None, ...]], list[int]] = {}
    for row, (form, text) in enumerate(raw.select("format", "request").iter_rows()):
        groups.setdefault((form, vendors[text]), []).append(row)
    return groups


def _vendor_names(request: Request, fields: tuple[str, ...]) -> tuple[str | None, ...]:
    named = (request or {}).get("fields") or dict(zip(fields, fields, strict=True))
    vendor = (named.get(field) for field in fields)
    return tuple(None if name is None else str(name) for name in vendor)


def _facts(raw: pl.DataFrame, requests: Mapping[str, Request]) -> pl.DataFrame:
    """What a landing says of all its lines; `history` is null where the request cannot be read."""
    requested = [(text, *_requested_names(request)) for text, request in requests.items()]
    stated = pl.DataFrame(
        requested, schema={"request": pl.String(), **{name: FACTS[name] for name in ASKED}}, orient="row"
    )
    landed = raw.select("payload_id", "source", "request", "fetched_at", landed="session")
    return landed.join(stated, on="request", how="left", maintain_order="left").select(*FACTS)


def _requested_names(request: Request) -> Iterator[str | bool | None]:
    stated = request or {}
    texts = [stated.get(name) for name in ("interval", "exchange", "currency", "stamp", "role", "units", "amounts")]
    yield from (text if isinstance(text, str) else None for text in texts)
    yield None if request is None else stated.get("history") is True
