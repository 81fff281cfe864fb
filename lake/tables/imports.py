"""What an older system forecast and traded: stored for comparison with our own, and used for nothing else."""

import polars as pl

from lake.contract import CENTS, PRICE, UTC, Column, Rule, Table
from lake.tables.vocabulary import (
    AVAILABLE_AT,
    HORIZON,
    PAYLOAD_ID,
    SESSION,
    TICKER,
    count,
    instant,
    number,
    text,
)

IMPORT_SOURCE = Column(
    pl.String(),
    "name",
    "the older system: 'import-' and its name in the mapping",
    pattern=r"import-[a-z0-9][a-z0-9\-]*",
)

RAW_IMPORTS = Table(
    name="raw_imports",
    domain="imports",
    doc="Forecasts and trades of an older system, verbatim; its prices and news are in the raw tables.",
    key=("payload_id",),
    mode="append",
    owner="source",
    clock="session",
    root="what an older system held",
    published_by_run=False,
    columns={
        "payload_id": Column(
            pl.String(), "sha256", "hash of source, kind, request and payload", pattern=r"[0-9a-f]{64}"
        ),
        "source": IMPORT_SOURCE,
        "kind": Column(pl.String(), "name", "what the payload contains", pattern="predictions|trades"),
        "session": Column(pl.Date(), "exchange date", "the last session that the payload can contain"),
        "fetched_at": Column(
            UTC, "UTC instant", "when it was imported; a repeated payload keeps the first time", provenance=True
        ),
        "format": Column(pl.String(), "name", "how to decode the payload", pattern="ndjson"),
        "request": text("the mapping as JSON: the name of each field in the payload", unit="JSON", max_length=20_000),
        "payload": text("the rows, one JSON object a line", unit="JSON lines", max_length=50_000_000),
    },
)

IMPORTED_PREDICTIONS = Table(
    name="imported_predictions",
    domain="imports",
    doc="One forecast of an older system, as a total return from a close; a restated one replaces the earlier one.",
    key=("source", "session", "ticker", "horizon", "model"),
    mode="merge",
    owner="imported_predictions",
    clock="session",
    available="available_at",
    columns={
        "source": IMPORT_SOURCE,
        "session": Column(pl.Date(), "exchange date", "the session at whose close the forecast starts"),
        "ticker": TICKER,
        "horizon": HORIZON,
        "model": text("the older system's model; its own name where it has none", unit="name", max_length=80),
        "point": number("fraction", "expected return over the horizon, converted to a fraction"),
        "probability_up": number("0 to 1", "probability of a rise, where it states one", nullable=True),
        "made_at": instant("when it was made according to the system; null where it does not say", nullable=True),
        "available_at": AVAILABLE_AT,
        "payload_id": PAYLOAD_ID.refer_to("raw_imports.payload_id"),
        "line": count("index", "the line of the payload it was read from"),
    },
    rules={
        "horizon is a session or more": Rule(pl.col("horizon").is_between(1, 2_000), "state sessions ahead"),
        "a return is above -100 %": Rule(pl.col("point") > -1, "check the mapping's unit of the value"),
        "a return is below 1,000 %": Rule(pl.col("point") < 10, "check the mapping's unit of the value"),
        "probability lies in 0..1": Rule(pl.col("probability_up").is_between(0, 1), "divide percentages by 100"),
    },
)

IMPORTED_TRADES = Table(
    name="imported_trades",
    domain="imports",
    doc="One fill of an older system; it has no effect on our own ledger.",
    key=("source", "trade_id"),
    mode="merge",
    owner="imported_trades",
    clock="session",
    available="available_at",
    columns={
        "source": IMPORT_SOURCE,
        "trade_id": text("the older system's id, else a hash of the row and its count", unit="id", max_length=90),
        "session": SESSION,
        "ts": instant("when it was filled; null where only the day is known", nullable=True),
        "ticker": TICKER,
        "side": Column(pl.String(), "name", "buy or sell", pattern="buy|sell"),
        "shares": Column(PRICE, "shares", "shares filled, fractions included"),
        "price": Column(PRICE, "currency per share", "price paid or received"),
        "fees": Column(CENTS, "currency", "fees beside the price; null where unknown", nullable=True),
        "profit": Column(
            CENTS, "currency", "realised profit according to the system; null where it does not say", nullable=True
        ),
        "available_at": AVAILABLE_AT,
        "payload_id": PAYLOAD_ID.refer_to("raw_imports.payload_id"),
        "line": count("index", "the line of the payload it was read from"),
    },
    rules={
        "shares are positive": Rule(
            pl.col("shares") > 0, "state the side in its own column, or map signed shares without a side"
        ),
        "price is positive": Rule(pl.col("price") > 0, "check the mapping's unit of the price"),
        "trade_id is not empty": Rule(pl.col("trade_id").str.len_chars() > 0, "give every trade its id, or map none"),
    },
)
