"""Keeps who belonged to the index that the universe is drawn from, one membership interval per row."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from lake.tables.market import CONSTITUENTS, RAW_PRICES
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.ingestion.decode_payloads import SET_ASIDE, decode
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.parse_values import day, first_broken, present
from pipeline.ingestion.prices.bar_rules import is_well_formed

FIELDS = ("ticker", "start", "end")


class ValidatedMemberships(NamedTuple):
    """The two parts of what was delivered."""

    good: pl.DataFrame
    """The contract's columns, and landed, fetched_at, line."""
    bad: pl.DataFrame
    """payload_id, line, ticker, source, landed, text and rule."""


def validate_memberships(raw_prices: pl.DataFrame) -> ValidatedMemberships:
    """Part the delivered membership spells into sound ones and those that break a rule, which is named."""
    lines = decode(raw_prices.filter(pl.col("kind") == "members"), FIELDS)
    typed = lines.with_columns(start_text="start", end_text="end", start=day("start"), end=day("end"))
    rules = {
        "ticker is well-formed": is_well_formed("ticker"),
        "start is readable": pl.col("start").is_not_null(),
        "end is readable": ~present("end_text") | pl.col("end").is_not_null(),
        **{name: rule.holds for name, rule in CONSTITUENTS.rules.items()},
    }
    typed = typed.with_columns(rule=pl.coalesce("fault", first_broken(rules)))
    bad = typed.filter(pl.col("rule").is_not_null()).select(*SET_ASIDE)
    return ValidatedMemberships(good=typed.filter(pl.col("rule").is_null()), bad=bad)


def constituents(
    raw_prices: pl.DataFrame, constituents: pl.DataFrame, moment: Moment, params: IngestionParams
) -> pl.DataFrame:
    """Keep what the last landing says of each membership, if it says something new.

    A spell that starts after the session is left for later. Works on a range of sessions: the last statement counts.
    """
    del params  # nothing about a membership can be set
    last = (
        validate_memberships(raw_prices)
        .good.filter(pl.col("start") <= moment.session)
        .sort("ticker", "start", "landed", "fetched_at", "payload_id", "line")
        .unique(["ticker", "start"], keep="last", maintain_order=True)
    )
    fresh = last.join(constituents, on=list(FIELDS), how="anti", nulls_equal=True, maintain_order="left")
    return fresh.select(*CONSTITUENTS.columns)


STAGE = Stage(
    name="constituents",
    function=constituents,
    reads=(
        Read(RAW_PRICES, where=pl.col("kind") == "members"),
        Read(CONSTITUENTS, lookback=None, upto="previous"),
    ),
    writes=CONSTITUENTS,
    params=IngestionParams(),
    section="ingestion",
)
