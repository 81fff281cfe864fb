"""Bars within a session: what snapshots of a session in progress landed, and what became of it."""

import polars as pl

from lake.contract import Column, Table
from lake.tables.market import MARKET_PRICES, QUARANTINED_ROWS, RAW_PRICES
from lake.tables.vocabulary import PAYLOAD_ID, instant

INTRADAY_INTERVAL = Column(pl.String(), "bar length", "1h, 5m or 1m", pattern="1h|5m|1m")
RAW_PAYLOAD = PAYLOAD_ID.refer_to("raw_intraday.payload_id")

RAW_INTRADAY = Table(
    name="raw_intraday",
    domain="market",
    doc="What a source answered when it was asked for bars within a session, verbatim, before any interpretation.",
    key=("payload_id",),
    mode="append",
    owner="source",
    clock="session",
    available="asked_at",
    root="what a price source sent",
    published_by_run=False,
    columns={
        "payload_id": RAW_PRICES.columns["payload_id"],
        "source": RAW_PRICES.columns["source"],
        "ticker": RAW_PRICES.columns["ticker"],
        "interval": INTRADAY_INTERVAL,
        "session": Column(pl.Date(), "exchange date", "the session of the snapshot: the last one that had opened"),
        "asked_at": instant("the moment of the snapshot: bars that end later are no part of it"),
        "fetched_at": RAW_PRICES.columns["fetched_at"],
        "format": Column(
            pl.String(),
            "name",
            "how to decode the payload; failure: there was no answer, and the payload says why",
            pattern="ndjson|yahoo-chart|failure",
        ),
        "request": RAW_PRICES.columns["request"],
        "payload": RAW_PRICES.columns["payload"],
    },
)

INTRADAY_PRICES = Table(
    name="intraday_prices",
    domain="market",
    doc="One bar within a session, as traded; a changed bar becomes a further revision, the earlier one stays.",
    key=MARKET_PRICES.key,
    entity=MARKET_PRICES.entity,
    mode="append",
    owner="intraday_prices",
    clock="session",
    available="available_at",
    columns={**MARKET_PRICES.columns, "interval": INTRADAY_INTERVAL, "payload_id": RAW_PAYLOAD},
    rules=MARKET_PRICES.rules,
)

QUARANTINED_INTRADAY = Table(
    name="quarantined_intraday",
    domain="market",
    doc="Intraday bars that broke a rule, such as one that had not ended, stored completely with the rule.",
    key=("payload_id", "line"),
    mode="append",
    owner="quarantine_intraday",
    clock="session",
    available="available_at",
    columns={
        "payload_id": RAW_PAYLOAD,
        "line": QUARANTINED_ROWS.columns["line"],
        "session": Column(pl.Date(), "exchange date", "the session of the snapshot that it came with"),
        **{name: QUARANTINED_ROWS.columns[name] for name in ("ticker", "rule", "row", "source", "available_at")},
    },
)
