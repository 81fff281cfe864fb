"""Turns the lines of a span into rows of the raw tables: only what is new or changed, and as what it may count."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime

import polars as pl

from lake.tables.imports import RAW_IMPORTS
from lake.tables.market import INSTRUMENTS, RAW_PRICES
from lake.tables.news import RAW_NEWS
from pipeline.ingestion.decode_payloads import decode
from pipeline.ingestion.imports.mapping import Mapping
from pipeline.ingestion.imports.spool import KEYS, SCHEMA, DaySpan, Spooled, key_of
from pipeline.ingestion.prices.bar_rules import is_well_formed, read_bars
from pipeline.ingestion.sources.payloads import (
    ALL_TICKERS,
    BARS,
    CHECK,
    LISTINGS,
    Fetch,
    news_rows,
    payload_id,
    payload_text,
    price_rows,
)
from pipeline.market.currencies import currency_of
from pipeline.market.sessions import Sessions

LARGEST = 10_000_000
"""Characters of a payload; a longer one is several."""
DERIVED_ID = "=id"
"""The member that holds the id of a trade that has none of its own."""


@dataclass(frozen=True)
class Known:
    """What the lake holds already that bears on a span."""

    landed: dict[str, pl.DataFrame]
    """Kind -> key and line of what was landed of this system, the last landing of each key."""
    others: pl.DataFrame
    """ticker and session of bars whose standing value comes from another source."""
    listed: frozenset[str]
    """Tickers with a listing."""
    settled: bool = False
    """Cycles have decided on what was known: bars that come now are only compared with it."""


@dataclass(frozen=True)
class Delivery:
    """What is landed for a span. It stands in for a source: the landing stages ask it, and get what was cut."""

    name: str
    since: date
    session: date
    price_rows: pl.DataFrame = field(default_factory=RAW_PRICES.empty)
    news_rows: pl.DataFrame = field(default_factory=RAW_NEWS.empty)
    imports: pl.DataFrame = field(default_factory=RAW_IMPORTS.empty)
    corrections: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SCHEMA))
    """Lines of bars that were landed before with other values: they come as later knowledge, apart."""
    unchanged: dict[str, int] = field(default_factory=dict)
    """Kind -> lines that were landed before as they are."""
    compared: int = 0
    """Lines of bars that are compared with those of another source, and used for nothing else."""

    def coverage(self) -> tuple[date, date]:
        """The span."""
        return self.since, self.session

    def check_reachable(self) -> None:
        """It is at hand already."""

    def prices(self, since: date, session: date, *, history: bool) -> pl.DataFrame:  # noqa: ARG002 - a source's
        """The rows of `raw_prices`."""
        return self.price_rows

    def news(self, since: date, session: date, *, history: bool) -> pl.DataFrame:  # noqa: ARG002 - a source's
        """The rows of `raw_news`."""
        return self.news_rows

    def news_so_far(self, session: date, as_of: datetime) -> pl.DataFrame:  # noqa: ARG002 - a source's
        """None: an import has no time between cycles."""
        return RAW_NEWS.empty()

    @property
    def payloads(self) -> list[str]:
        """The identities of all it lands."""
        return [one for rows in (self.price_rows, self.news_rows, self.imports) for one in rows["payload_id"]]


def deliver(
    mapping: Mapping, parts: Iterable[Spooled], span: DaySpan, known: Known, calendar: Sessions, at: datetime
) -> Delivery:
    """Cut a span's lines out of what was staged, and leave out what was landed before as it is.

    A bar that another source has delivered is landed as a check. One that this system delivered with other values is
    a correction: it is given back, because what is known of a span's sessions stands as it was known then.
    """
    prices, news, imports = [RAW_PRICES.empty()], [RAW_NEWS.empty()], [RAW_IMPORTS.empty()]
    corrections, unchanged, compared = pl.DataFrame(schema=SCHEMA), {}, 0
    for part in parts:
        kind = part.section.kind
        fetch = _fetch(mapping, part, span, calendar.exchange, at)
        lines, fields = _add_ids(part.between(span.first, span.last), part)
        fresh = lines.join(_unchanged_keys(lines, known.landed[kind]), on="key", how="anti", maintain_order="left")
        unchanged[kind] = lines.height - fresh.height
        if kind == "prices":
            checks, fresh = (fresh, fresh.clear()) if known.settled else _split_known(fresh, known.others)
            unsound = _unsound(land_bars(fetch, BARS, checks, fields), calendar)
            broken, checks = _split_known(checks, unsound, on={"line": "text"})
            fresh = pl.concat([fresh, broken])  # these have nothing to compare, and are told with the rule they break
            corrections, fresh = _split_known(fresh, known.landed[kind], on={"key": "key"})
            compared = checks.height
            come = fresh.clear() if known.settled else fresh  # what is only compared lists nothing
            first = part.firsts.filter(pl.col("ticker").is_in(come["ticker"].implode()))
            prices += [
                land_bars(fetch, BARS, fresh, fields),
                land_bars(fetch, CHECK, checks, fields),
                _listings(fetch, first, known.listed, mapping.benchmark),
            ]
        elif kind == "news":
            news.append(news_rows(fetch, [(fetch.request(fields), text) for text in _texts(fresh["line"])]))
        else:
            imports.append(_import_rows(fetch, kind, fields, fresh["line"]))
    return Delivery(
        name=mapping.source,
        since=span.since,
        session=span.session,
        price_rows=pl.concat(prices),
        news_rows=pl.concat(news),
        imports=pl.concat(imports),
        corrections=corrections,
        unchanged=unchanged,
        compared=compared,
    )


def correct(
    mapping: Mapping, part: Spooled, lines: pl.DataFrame, session: date, exchange: str, at: datetime
) -> Delivery:
    """Land corrected bars at a session after all their earlier landings: each is a revision, known from then on."""
    first = lines["day"].min()
    assert isinstance(first, date)
    fetch = _fetch(mapping, part, DaySpan(first, session, first, session), exchange, at)
    rows = land_bars(fetch, BARS, lines, part.fields)
    return Delivery(mapping.source, first, session, price_rows=rows)


def read_landed_lines(raw: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Key and line of what was landed, only the last landing of each key."""
    lines = decode(raw, KEYS[kind])
    keyed = lines.with_columns(key=key_of(list(KEYS[kind]), kind))
    last = keyed.filter(pl.col("fetched_at") == pl.col("fetched_at").max().over("key"))
    return last.select("key", line="text").unique(maintain_order=True)


def land_bars(fetch: Fetch, kind: str, lines: pl.DataFrame, fields: dict[str, str]) -> pl.DataFrame:
    """Rows of `raw_prices`: a payload per ticker, or several where one would be too large."""
    request = fetch.request(fields)
    return price_rows(
        fetch,
        (
            (kind, str(ticker), request, text)
            for (ticker,), part in lines.group_by(["ticker"], maintain_order=True)
            for text in _texts(part["line"])
        ),
    )


def _fetch(mapping: Mapping, part: Spooled, span: DaySpan, exchange: str, at: datetime) -> Fetch:
    return Fetch(
        source=mapping.source,
        since=span.since,
        session=span.session,
        fetched_at=at,
        history=True,
        interval=part.section.interval,
        exchange=exchange,
        currency=mapping.currency or currency_of(exchange),
        stamp=part.section.stamp,
    )


def _add_ids(lines: pl.DataFrame, part: Spooled) -> tuple[pl.DataFrame, dict[str, str]]:
    """Give trades without an id one: a hash of the line, and the how-manieth of its like it is."""
    if part.section.kind != "trades" or "id" in part.fields:
        return lines, part.fields
    ids = pl.Series([hashlib.sha256(line.encode()).hexdigest()[:16] for line in lines["line"]], dtype=pl.String)
    numbered = lines.with_columns(hashed=ids, nth=pl.int_range(pl.len()).over("line").cast(pl.String))
    named = numbered.with_columns(key=pl.concat_str("hashed", "nth", separator="-"))
    member = pl.concat_str(pl.lit(f',"{DERIVED_ID}":"'), "key", pl.lit('"}'))
    line = pl.concat_str(pl.col("line").str.head(-1), member)
    return named.with_columns(line=line).select(lines.columns), {**part.fields, "id": DERIVED_ID}


def _split_known(
    lines: pl.DataFrame, there: pl.DataFrame, on: dict[str, str] | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The lines that have their like in the other frame, and those that have none."""
    names = on or {"ticker": "ticker", "day": "session"}
    ours, theirs = list(names), list(names.values())
    return tuple(  # type: ignore[return-value]
        lines.join(there, left_on=ours, right_on=theirs, how=how, maintain_order="left") for how in ("semi", "anti")
    )


def _unchanged_keys(lines: pl.DataFrame, landed: pl.DataFrame) -> pl.DataFrame:
    """The keys under which the older system says just what it said last; where it says several things, all of them."""
    said = [
        rows.unique(["key", "line"]).group_by("key").agg(pl.col("line").sort().str.join("\n"))
        for rows in (lines.select("key", "line"), landed)
    ]
    return said[0].join(said[1], on=["key", "line"], how="semi").select("key")


def _unsound(bars: pl.DataFrame, calendar: Sessions) -> pl.DataFrame:
    """The lines that break a rule by themselves, as text."""
    read = read_bars(bars, INSTRUMENTS.empty(), calendar)
    return read.filter(pl.col("rule").is_not_null()).select("text").unique()


def _listings(fetch: Fetch, firsts: pl.DataFrame, listed: frozenset[str], benchmark: str) -> pl.DataFrame:
    """List the tickers that have bars now and no listing yet: an older system seldom keeps one."""
    new = firsts.filter(is_well_formed("ticker") & ~pl.col("ticker").is_in(sorted(listed))).sort("ticker")
    if new.is_empty():
        return RAW_PRICES.empty()
    role = pl.when(pl.col("ticker") == benchmark).then(pl.lit("benchmark")).otherwise(pl.lit("stock"))
    rows = new.select("ticker", role=role, listed_on=pl.col("first").dt.to_string("%Y-%m-%d"))
    fields = {name: name for name in rows.columns}
    return price_rows(fetch, [(LISTINGS, ALL_TICKERS, fetch.request(fields), payload_text(rows))])


def _import_rows(fetch: Fetch, kind: str, fields: dict[str, str], lines: pl.Series) -> pl.DataFrame:
    request = fetch.request(fields)
    rows = [
        {
            "payload_id": payload_id(fetch.source, kind, request, text),
            "source": fetch.source,
            "kind": kind,
            "session": fetch.session,
            "fetched_at": fetch.fetched_at,
            "format": "ndjson",
            "request": request,
            "payload": text,
        }
        for text in _texts(lines)
    ]
    return pl.DataFrame(rows, schema=RAW_IMPORTS.schema)


def _texts(lines: pl.Series) -> Iterator[str]:
    """The lines as payloads, none larger than LARGEST unless a single line is."""
    held: list[str] = []
    size = 0
    for line in lines:
        if held and size + len(line) > LARGEST:
            yield "\n".join(held)
            held, size = [], 0
        held.append(line)
        size += len(line) + 1
    if held:
        yield "\n".join(held)
