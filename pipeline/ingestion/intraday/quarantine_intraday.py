"""Keeps every delivered intraday bar that broke a rule: complete, with the rule, so that nothing is lost silently."""

from __future__ import annotations

import polars as pl

from lake.contract import UTC
from lake.tables.intraday import QUARANTINED_INTRADAY
from pipeline.engine.stage import Moment, Stage
from pipeline.ingestion.intraday.intraday_prices import KNOWN, LANDED, LISTED
from pipeline.ingestion.intraday.params import IntradayParams
from pipeline.ingestion.intraday.validate_intraday import validate_intraday


def quarantine_intraday(
    raw_intraday: pl.DataFrame,
    intraday_prices: pl.DataFrame,
    instruments: pl.DataFrame,
    moment: Moment,
    params: IntradayParams,
) -> pl.DataFrame:
    """Check what the snapshot landed as `intraday_prices` does, and keep the rows that it set aside."""
    bad = validate_intraday(raw_intraday, intraday_prices, instruments, moment, params).bad
    limits = {name: QUARANTINED_INTRADAY.columns[name].max_length for name in ("ticker", "row")}
    return bad.select(
        "payload_id",
        "line",
        session="landed",
        ticker=pl.col("ticker").fill_null("").str.slice(0, limits["ticker"]),
        rule="rule",
        row=pl.col("text").str.slice(0, limits["row"]),
        source="source",
        available_at=pl.lit(moment.as_of, dtype=UTC),
    )


STAGE = Stage(
    name="quarantine_intraday",
    function=quarantine_intraday,
    reads=(LANDED, KNOWN, LISTED),
    writes=QUARANTINED_INTRADAY,
    params=IntradayParams(),
    section="intraday",
)
