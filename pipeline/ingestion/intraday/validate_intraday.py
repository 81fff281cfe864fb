"""Separates a snapshot's sound bars from those that are set aside, each with the rule it breaks."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from lake.contract import UTC
from lake.tables.intraday import INTRADAY_PRICES
from pipeline.engine.stage import Moment
from pipeline.ingestion.decode_payloads import SET_ASIDE
from pipeline.ingestion.intraday.params import IntradayParams
from pipeline.ingestion.prices.bar_rules import read_bars
from pipeline.ingestion.prices.known_bars import compare_with_known
from pipeline.ingestion.prices.validate_bars import drop_repeats

LOOKBACK = 20
"""Sessions before a snapshot's own of which bars are known, and may still be brought."""
TOO_OLD = f"the bar is at most {LOOKBACK} sessions old"
NOT_YET = "the bar was available by the snapshot"


class ValidatedIntraday(NamedTuple):
    """The two parts of what a snapshot brought; together they are all of it."""

    good: pl.DataFrame
    """The contract's columns of intraday_prices, and `new`: False where the bar was known with these values."""
    bad: pl.DataFrame
    """payload_id, line, ticker, source, landed, text (the line as delivered) and rule."""


def validate_intraday(
    raw_intraday: pl.DataFrame,
    intraday_prices: pl.DataFrame,
    instruments: pl.DataFrame,
    moment: Moment,
    params: IntradayParams,
) -> ValidatedIntraday:
    """Judge the bars that the moment's snapshot landed.

    They keep the rules that every bar does, and end by the moment: one that was still growing waits for a snapshot
    that sees it whole. Of a snapshot that was interrupted and taken again, the later answer counts.

    Args:
        raw_intraday: landed rows; those of other snapshots are passed over.
        intraday_prices: the last revision of each known bar, from LOOKBACK sessions before the moment's.
        instruments: what is listed.
        moment: of the snapshot.
        params: when what it brings counts as known.
    """
    landed = raw_intraday.filter(pl.col("asked_at") == moment.as_of)
    asked = landed.with_columns(kind=pl.lit("bars"), fetched_at="asked_at")  # no bar ends after what was asked
    bars = _add_age_rules(read_bars(asked, instruments, moment.calendar), moment)
    came = landed.select("payload_id", came_at="fetched_at")
    bars = bars.join(came, on="payload_id", how="left", maintain_order="left").with_columns(fetched_at="came_at")
    sound = bars.filter(pl.col("rule").is_null()).with_columns(arrival="landed")
    single = drop_repeats(sound)
    batch = compare_with_known(single.filter(pl.col("rule").is_null()), intraday_prices)
    good = batch.with_columns(available_at=_available_at(moment, params))
    aside = (part.filter(pl.col("rule").is_not_null()).select(*SET_ASIDE) for part in (bars, single))
    return ValidatedIntraday(
        good.select(*INTRADAY_PRICES.columns, "new").sort(INTRADAY_PRICES.key),
        pl.concat(aside).sort("payload_id", "line"),
    )


def _add_age_rules(bars: pl.DataFrame, moment: Moment) -> pl.DataFrame:
    oldest = moment.calendar.position(moment.session) - LOOKBACK
    return bars.with_columns(
        rule=pl.coalesce(
            "rule",
            pl.when(pl.col("position") < oldest).then(pl.lit(TOO_OLD)),
            pl.when(pl.col("stated") > moment.as_of).then(pl.lit(NOT_YET)),
        )
    )


def _available_at(moment: Moment, params: IntradayParams) -> pl.Expr:
    """When the bar, as it now stands, could first have been known: see `IntradayParams.publication_lag_minutes`."""
    as_of = pl.lit(moment.as_of, dtype=UTC)
    shown = pl.min_horizontal(pl.col("ts") + params.publication_lag, as_of)
    first = pl.col("history") & (pl.col("revision") == 0)
    return pl.when(first).then(pl.max_horizontal(shown, "stated")).otherwise(as_of).cast(UTC)
