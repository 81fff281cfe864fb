"""Keeps what each ticker is, as the source lists it last."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from lake.tables.market import INSTRUMENTS, RAW_PRICES
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.ingestion.decode_payloads import SET_ASIDE, decode
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.parse_values import day, first_broken, present
from pipeline.ingestion.prices.bar_rules import is_well_formed
from pipeline.ingestion.sources.payloads import CONVERTED
from pipeline.market.currencies import MINOR_UNITS

FIELDS = ("ticker", "name", "sector", "role", "exchange", "currency", "listed_on")
FACTS = tuple(name for name in INSTRUMENTS.columns if name not in ("source", "payload_id", "earlier_currencies"))


LISTING = (pl.col("kind") == "listings") | ((pl.col("kind") == "bars") & (pl.col("format") == "yahoo-chart"))
"""Which landings say what an instrument is: a chart does so beside its bars."""
UNKNOWN = "unknown"


class ValidatedListings(NamedTuple):
    """The two parts of what was delivered."""

    good: pl.DataFrame
    """The contract's columns (listed_on null where not stated), and landed, fetched_at, line."""
    bad: pl.DataFrame
    """payload_id, line, ticker, source, landed, text and rule."""


def validate_listings(raw_prices: pl.DataFrame) -> ValidatedListings:
    """Part the delivered listings into sound ones and those that break a rule, which is named.

    A unit such as GBX is told apart from the currency that it is a hundredth of. A missing name is the ticker, a
    missing sector 'unknown', a missing role 'stock', a missing exchange or currency the request's.
    """
    lines = decode(raw_prices.filter(LISTING), FIELDS)
    # What is wrong with a chart is told of its bars already.
    lines = lines.filter(pl.col("fault").is_null() | ~pl.col("payload_id").is_in(_charts(raw_prices)))
    typed = lines.with_columns(listed_text=pl.col("listed_on"), listed_on=day("listed_on")).with_columns(
        name=_or_else("name", pl.col("ticker")).str.slice(0, 200),
        sector=_or_else("sector", pl.lit(UNKNOWN)).str.slice(0, 60),
        role=_or_else("role", pl.coalesce("asked_role", pl.lit("stock"))),
        exchange=_or_else("exchange", pl.col("asked_exchange")),
        currency=_or_else("currency", pl.col("asked_currency")),
    )
    whole = pl.col("currency").replace_strict(MINOR_UNITS, default=pl.col("currency"))
    hundredths = (pl.col("asked_units") == CONVERTED) & pl.col("currency").is_in(list(MINOR_UNITS))
    typed = typed.with_columns(
        unit=pl.when(hundredths).then("currency"),
        currency=pl.when(hundredths).then(whole).otherwise("currency"),
    )
    rules = {
        "ticker is well-formed": is_well_formed("ticker"),
        "role is stock or benchmark": pl.col("role").is_in(["stock", "benchmark"]),
        "exchange is known": pl.col("exchange").str.contains("^([A-Z]{4}|24/[57])$").fill_null(False),
        "currency is known": pl.col("currency").str.contains("^[A-Z]{3}$").fill_null(False),
        "listed_on is readable": ~present("listed_text") | pl.col("listed_on").is_not_null(),
        "listed by the landing": pl.col("listed_on") <= pl.col("landed"),
    }
    typed = typed.with_columns(rule=pl.coalesce("fault", first_broken(rules)))
    return ValidatedListings(
        good=typed.filter(pl.col("rule").is_null()),
        bad=typed.filter(pl.col("rule").is_not_null()).select(*SET_ASIDE),
    )


def _charts(raw_prices: pl.DataFrame) -> list[str]:
    return raw_prices.filter(pl.col("format") == "yahoo-chart")["payload_id"].to_list()


def _or_else(name: str, otherwise: pl.Expr) -> pl.Expr:
    return pl.when(present(name)).then(name).otherwise(otherwise)


def instruments(
    raw_prices: pl.DataFrame, instruments: pl.DataFrame, moment: Moment, params: IngestionParams
) -> pl.DataFrame:
    """Keep what the last landing says of each ticker, if it says something new.

    A ticker whose listing has no date is dated by what is known of it, else by the first session computed: the source
    spoke of it then. A source that does not know the sector leaves the known one standing. Works on a range of
    sessions: the last statement counts.

    A currency other than the known one is a change from the session of the landing on that brought it.
    """
    del params  # nothing about a listing can be set
    told = validate_listings(raw_prices).good.sort(
        "ticker", "landed", pl.col("sector") != UNKNOWN, "fetched_at", "payload_id", "line"
    )
    last = told.unique("ticker", keep="last", maintain_order=True).join(
        _follow_currencies(told, instruments), on="ticker", how="left", maintain_order="left"
    )
    known = instruments.select("ticker", known_listed_on="listed_on", known_sector="sector")
    dated = last.join(known, on="ticker", how="left", maintain_order="left").with_columns(
        listed_on=pl.coalesce("listed_on", "known_listed_on", pl.lit(moment.since)),
        sector=pl.when(pl.col("sector") == UNKNOWN).then(pl.coalesce("known_sector", "sector")).otherwise("sector"),
    )
    fresh = dated.join(instruments, on=list(FACTS), how="anti", nulls_equal=True, maintain_order="left")
    return fresh.select(*INSTRUMENTS.columns)


def _follow_currencies(told: pl.DataFrame, instruments: pl.DataFrame) -> pl.DataFrame:
    """ticker and earlier_currencies: what is known of them with the changes that the landings bring.

    A unit such as pence is no other currency, and earlier programs kept it as one.
    """
    whole = pl.col("currency").replace_strict(MINOR_UNITS, default=pl.col("currency"))
    kept = instruments.select("ticker", whole, "earlier_currencies")
    known = {row[0]: row[1:] for row in kept.iter_rows()}
    daily = told.unique(["ticker", "landed"], keep="last", maintain_order=True)
    for ticker, currency, landed in daily.select("ticker", whole, "landed").iter_rows():
        before, earlier = known.get(ticker, (currency, None))
        if before != currency:
            earlier = ";".join(filter(None, (earlier, f"{before}:{landed}")))
        known[ticker] = currency, earlier
    rows = [(ticker, earlier) for ticker, (_, earlier) in known.items()]
    return pl.DataFrame(rows, schema={"ticker": pl.String, "earlier_currencies": pl.String}, orient="row")


STAGE = Stage(
    name="instruments",
    function=instruments,
    reads=(
        Read(RAW_PRICES, where=LISTING),
        Read(INSTRUMENTS, lookback=None, upto="previous"),
    ),
    writes=INSTRUMENTS,
    params=IngestionParams(),
    section="ingestion",
)
