"""Prices as traded, corporate actions apart, and what could be traded when."""

import polars as pl

from lake.contract import RATE, UTC, Column, Rule, Table
from lake.tables.vocabulary import (
    AVAILABLE_AT,
    PAYLOAD_ID,
    SESSION,
    SOURCE,
    TICKER,
    count,
    day,
    flag,
    instant,
    number,
    text,
)

INTERVAL = Column(pl.String(), "bar length", "1d, 1h, 5m or 1m", pattern=r"1d|1h|5m|1m")

RAW_PRICES = Table(
    name="raw_prices",
    domain="market",
    doc="What a price source answered, verbatim, before any interpretation.",
    key=("payload_id",),
    mode="append",
    owner="source",
    clock="session",
    root="what a price source sent",
    published_by_run=False,
    columns={
        "payload_id": Column(
            pl.String(),
            "sha256",
            "hash of source, kind, ticker, request and payload",
            pattern=r"[0-9a-f]{64}",
        ),
        "source": SOURCE,
        "kind": Column(
            pl.String(),
            "name",
            "what the payload contains; actions of the source operator: what he states himself, with the reason in the"
            " request; factors: bars whose adjusted close implies an action;"
            " members: membership intervals of an index; rates: what a currency is worth in another;"
            " check: bars of a second source, for comparison only",
            pattern="bars|actions|factors|listings|members|rates|check",
        ),
        "ticker": text("the symbol requested, as the vendor spells it", unit="vendor symbol", max_length=200),
        "session": Column(pl.Date(), "exchange date", "the last session that the payload can contain"),
        "fetched_at": Column(
            UTC,
            "UTC instant",
            "when the answer came; a repeated answer keeps the first time",
            provenance=True,
        ),
        "format": Column(
            pl.String(),
            "name",
            "how to decode the payload; failure: there was no answer, and the payload says why",
            pattern=r"ndjson|yahoo-chart|yahoo-screener|failure",
        ),
        "request": text("the request as JSON", unit="JSON", max_length=20_000),
        "payload": text("the answer, byte for byte", unit="vendor text", max_length=50_000_000),
    },
)

INSTRUMENTS = Table(
    name="instruments",
    domain="market",
    doc="What a ticker is: name, sector, exchange, currency, as the source lists it.",
    key=("ticker",),
    mode="merge",
    owner="instruments",
    clock="listed_on",
    columns={
        "ticker": TICKER,
        "name": text("the issuer", max_length=200),
        "sector": text("industry sector; 'unknown' where the source has none", unit="name", max_length=60),
        "role": Column(
            pl.String(),
            "name",
            "stock: may be traded; benchmark: for comparison only",
            pattern="stock|benchmark",
        ),
        "exchange": Column(pl.String(), "ISO 10383", "exchange calendar", pattern="[A-Z]{4}|24/[57]"),
        "currency": Column(pl.String(), "ISO 4217", "currency of its prices", pattern="[A-Z]{3}"),
        "listed_on": day("first session known"),
        "source": SOURCE,
        "payload_id": PAYLOAD_ID.refer_to("raw_prices.payload_id"),
        "unit": Column(
            pl.String(),
            "name",
            "what its source quotes it in where that is a hundredth of the currency; null: the currency",
            nullable=True,
            pattern="GBp|GBX|ZAc|ZAC|ZAX|ILA",
        ),
        "earlier_currencies": Column(
            pl.String(),
            "ISO 4217 and day",
            "its currencies before, in order, each up to the session that brought the next: EUR:2024-03-04;...",
            nullable=True,
            pattern="[A-Z]{3}:[0-9-]{10}(;[A-Z]{3}:[0-9-]{10})*",
        ),
    },
)

MARKET_PRICES = Table(
    name="market_prices",
    domain="market",
    doc="One bar as traded (not adjusted); a changed bar becomes a further revision, the earlier one stays.",
    key=("ticker", "interval", "ts", "revision"),
    entity=("ticker", "interval", "ts"),
    mode="append",
    owner="prices",
    clock="session",
    available="available_at",
    columns={
        "ticker": TICKER,
        "interval": INTERVAL,
        "session": SESSION,
        "ts": instant("the end of the bar, before which it was not known"),
        "revision": Column(pl.Int32(), "count", "0 for the first value seen, then 1, 2, ..."),
        "open": number("currency per share", "first trade"),
        "high": number("currency per share", "highest trade"),
        "low": number("currency per share", "lowest trade"),
        "close": number("currency per share", "last trade"),
        "volume": count("shares", "shares traded in the bar"),
        "currency": Column(pl.String(), "ISO 4217", "currency of the prices", pattern="[A-Z]{3}"),
        "source": SOURCE,
        "available_at": AVAILABLE_AT,
        "payload_id": PAYLOAD_ID.refer_to("raw_prices.payload_id"),
        "line": count("index", "the line of the payload the bar was read from"),
        "volume_rounding": number(
            "shares",
            "what was traded less `volume`, -0.5 to 0.5, where fractions trade; null where nothing is to be added",
            nullable=True,
        ),
    },
    rules={
        "prices are positive": Rule(
            (pl.col("open") > 0) & (pl.col("high") > 0) & (pl.col("low") > 0) & (pl.col("close") > 0),
            "leave out bars without a price, or fetch them again",
        ),
        "high is not below low": Rule(pl.col("high") >= pl.col("low"), "fetch the bar again"),
        "open lies within the range": Rule(
            (pl.col("open") <= pl.col("high")) & (pl.col("open") >= pl.col("low")), "fetch the bar again"
        ),
        "close lies within the range": Rule(
            (pl.col("close") <= pl.col("high")) & (pl.col("close") >= pl.col("low")), "fetch the bar again"
        ),
        "volume is not negative": Rule(pl.col("volume") >= 0, "fetch the bar again"),
        "known only after it ended": Rule(pl.col("available_at") >= pl.col("ts"), "wait for the end of the bar"),
        "revision counts from 0": Rule(pl.col("revision") >= 0, "number revisions 0, 1, 2, ..."),
    },
)

CORPORATE_ACTIONS = Table(
    name="corporate_actions",
    domain="market",
    doc="Splits, dividends, delistings and renames, kept apart from prices so that any past view can be adjusted.",
    key=("ticker", "ex_date", "kind", "sequence", "revision"),
    entity=("ticker", "ex_date", "kind", "sequence"),
    mode="append",
    owner="actions",
    clock="ex_date",
    available="available_at",
    withdrawal="withdrawn",
    columns={
        "ticker": TICKER,
        "ex_date": Column(pl.Date(), "exchange date", "first session that trades without the entitlement"),
        "kind": Column(
            pl.String(), "name", "what it does to the price of a share", pattern="split|dividend|delisting|rename"
        ),
        "sequence": Column(pl.Int32(), "count", "0, 1, ... for several of one kind on one day"),
        "revision": Column(pl.Int32(), "count", "0 for the first statement, then corrections"),
        "numerator": count("shares", "split: new shares ...", nullable=True),
        "denominator": count("shares", "split: ... for this many old ones", nullable=True),
        "amount": number(
            "currency per share",
            "dividend: cash per share held; delisting: final value per share",
            nullable=True,
        ),
        "pay_date": day("dividend: when the cash arrives", nullable=True),
        "successor": Column(
            pl.String(),
            "symbol",
            "rename: the new ticker; one made of the old one and the day where that became another company's",
            nullable=True,
            pattern=TICKER.pattern,
            max_length=20,
        ),
        "source": SOURCE,
        "available_at": AVAILABLE_AT,
        "payload_id": PAYLOAD_ID.refer_to("raw_prices.payload_id"),
        "nature": Column(
            pl.String(),
            "name",
            "what a holder gets; null where the kind says it all",
            nullable=True,
            pattern="special|return_of_capital|stock_dividend|spin_off|rights|merger|ticker_swap",
        ),
        "currency": Column(
            pl.String(),
            "ISO 4217",
            "currency the amounts were stated in; null for the listing's, in which they always are here",
            nullable=True,
            pattern="[A-Z]{3}",
        ),
        "cash": number("currency per share", "merger: the part of the amount paid in cash", nullable=True),
        "cost_share": number("fraction", "spin-off: the share of the cost that goes to the successor", nullable=True),
        "learned_on": day("the session whose landing brought it; null for a load of history", nullable=True),
        "withdrawn": flag("the source took it back; readers of last revisions do not see it", nullable=True),
        "rate": Column(
            RATE,
            "listing's currency per stated one",
            "what the amounts were converted at; null where they were stated in the listing's currency",
            nullable=True,
        ),
        "stated_amount": number(
            "stated currency per share", "the amount as stated, where it was converted", nullable=True
        ),
        "stated_cash": number("stated currency per share", "merger: the same of `cash`", nullable=True),
        "rate_session": day("the day of that rate, the last one known before the ex-date", nullable=True),
        "confidence": number(
            "fraction",
            "how sure it is as it stands, where the columns of a price file told it: 1 stated there; below, worked out "
            "of adjusted closes; null where a source states actions as such",
            nullable=True,
        ),
    },
    rules={
        "a split has a positive ratio other than 1": Rule(
            (pl.col("kind") != "split")
            | (
                (pl.col("numerator") > 0) & (pl.col("denominator") > 0) & (pl.col("numerator") != pl.col("denominator"))
            ).fill_null(False),
            "state new and old shares as whole numbers",
        ),
        "a dividend has a positive amount": Rule(
            (pl.col("kind") != "dividend") | (pl.col("amount") > 0).fill_null(False),
            "state the cash per share",
        ),
        "a delisting has a value of zero or more": Rule(
            (pl.col("kind") != "delisting") | (pl.col("amount") >= 0).fill_null(False),
            "state the final value per share, 0 if worthless",
        ),
    },
)

FX_RATES = Table(
    name="fx_rates",
    domain="market",
    doc="What a currency was worth in another on a day; a changed rate becomes a further revision, as with bars.",
    key=("base", "quote", "session", "revision"),
    entity=("base", "quote", "session"),
    mode="append",
    owner="fx_rates",
    clock="session",
    available="available_at",
    columns={
        "base": Column(pl.String(), "ISO 4217", "the currency of which one unit is valued", pattern="[A-Z]{3}"),
        "quote": Column(pl.String(), "ISO 4217", "the currency it is valued in", pattern="[A-Z]{3}"),
        "session": day("the day of the rate, as its source dates it; the exchange need not trade on it"),
        "revision": Column(pl.Int32(), "count", "0 for the first value seen, then 1, 2, ..."),
        "rate": Column(RATE, "quote per base", "units of the quote currency for one of the base, half to even"),
        "source": SOURCE,
        "available_at": AVAILABLE_AT,
        "payload_id": PAYLOAD_ID.refer_to("raw_prices.payload_id"),
        "line": count("index", "the line of the payload the rate was read from"),
    },
    rules={
        "a rate is positive": Rule(pl.col("rate") > 0, "leave out days without a rate, or fetch them again"),
        "a pair has two currencies": Rule(pl.col("base") != pl.col("quote"), "leave out a currency in itself"),
        "revision counts from 0": Rule(pl.col("revision") >= 0, "number revisions 0, 1, 2, ..."),
    },
)

PRICE_RESTATEMENTS = Table(
    name="price_restatements",
    domain="market",
    doc="Every change a source made to a bar that it had already delivered: before, after, and when it was learned.",
    key=("ticker", "interval", "ts", "revision"),
    mode="append",
    owner="restatements",
    clock="session",
    available="available_at",
    columns={
        "ticker": TICKER.refer_to("market_prices.ticker"),
        "interval": INTERVAL.refer_to("market_prices.interval"),
        "session": SESSION,
        "ts": instant("the end of the bar").refer_to("market_prices.ts"),
        "revision": Column(pl.Int32(), "count", "the revision that replaced the one before"),
        **{
            f"{when}_{field}": number("currency per share", f"{field} {when} the change")
            for when in ("old", "new")
            for field in ("open", "high", "low", "close")
        },
        "old_volume": count("shares", "volume before the change"),
        "new_volume": count("shares", "volume after the change"),
        "close_change": number("fraction", "new close over old close, less 1"),
        "source": SOURCE,
        "available_at": AVAILABLE_AT,
        "payload_id": PAYLOAD_ID.refer_to("raw_prices.payload_id"),
    },
)

QUARANTINED_ROWS = Table(
    name="quarantined_rows",
    domain="market",
    doc="Rows that broke a rule, stored completely with the rule; none reaches a canonical table but a bar whose jump"
    " is explained later.",
    key=("payload_id", "line", "target"),
    mode="append",
    owner="quarantine",
    clock="session",
    available="available_at",
    columns={
        "payload_id": PAYLOAD_ID.refer_to("raw_prices.payload_id", "raw_news.payload_id", "raw_imports.payload_id"),
        "line": count("index", "the line within the payload"),
        "target": text("the table it was meant for", unit="table", max_length=60),
        "session": Column(pl.Date(), "exchange date", "the session of the landing that it came with"),
        "ticker": text("the symbol as delivered", unit="vendor symbol", max_length=200),
        "rule": text("the first rule it breaks", max_length=300),
        "row": text("the row as delivered", unit="JSON", max_length=20_000),
        "source": SOURCE,
        "available_at": AVAILABLE_AT,
    },
)

CONSTITUENTS = Table(
    name="constituents",
    domain="market",
    doc="Members of the index that the universe is drawn from: one row per membership interval, past ones included.",
    key=("ticker", "start"),
    mode="merge",
    owner="constituents",
    clock="start",
    columns={
        "ticker": TICKER,
        "start": day("first day as a member"),
        "end": Column(pl.Date(), "date", "first day no longer a member; null for a present member", nullable=True),
        "source": SOURCE,
        "payload_id": PAYLOAD_ID.refer_to("raw_prices.payload_id"),
    },
    rules={"a spell ends after it starts": Rule(pl.col("end") > pl.col("start"), "correct the days of the interval")},
)

TICKER_UNIVERSE = Table(
    name="ticker_universe",
    domain="market",
    doc="Which tickers could be traded at each session, which could not, and the first filter that excluded them.",
    key=("session", "ticker"),
    mode="merge",
    owner="universe",
    clock="session",
    columns={
        "session": SESSION.refer_to("market_prices.session"),
        "ticker": TICKER.refer_to("market_prices.ticker", "instruments.ticker", "constituents.ticker"),
        "member": flag("in the universe for decisions at this session's close"),
        "reason": text("'member', or the first filter it fails, as a sentence", max_length=200),
        "sector": text("sector as known", unit="name", max_length=60),
        "close": number("currency per share", "the last close known", nullable=True),
        "dollar_volume": number("currency per session", "median close x volume, 20 sessions", nullable=True),
        "history": count("sessions", "bars known so far"),
        "stale": count("sessions", "sessions since its last bar; 0 if it traded today"),
    },
)
