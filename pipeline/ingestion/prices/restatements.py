"""Records every change a source made to a bar it had already delivered."""

from __future__ import annotations

import polars as pl

from lake.tables.market import MARKET_PRICES, PRICE_RESTATEMENTS
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.prices.bar_rules import VALUES
from pipeline.ingestion.prices.validate_bars import LOOKBACK


def restatements(market_prices: pl.DataFrame, moment: Moment, params: IngestionParams) -> pl.DataFrame:
    """Return each revision that became public in the moment's sessions, beside the value it replaced.

    A session's own are those public after the session before was decided. Works on a range of sessions.
    """
    bar = list(MARKET_PRICES.entity)
    before = moment.calendar.previous(moment.calendar.at_or_after(moment.since))
    since = moment.calendar.close_at(before) + params.publication_lag(moment.calendar)
    is_new = (pl.col("revision") > 0) & (pl.col("available_at") > since)
    restated = market_prices.join(market_prices.filter(is_new), on=bar, how="semi").sort(MARKET_PRICES.key)
    beside = restated.with_columns(pl.col(name).shift(1).over(bar).alias(f"old_{name}") for name in VALUES)
    told = beside.filter(is_new & pl.col("old_close").is_not_null()).with_columns(
        *(pl.col(name).alias(f"new_{name}") for name in VALUES),
        close_change=pl.col("close") / pl.col("old_close") - 1,
    )
    return told.select(*PRICE_RESTATEMENTS.columns)


STAGE = Stage(
    name="restatements",
    function=restatements,
    reads=(Read(MARKET_PRICES, lookback=LOOKBACK, every_revision=True, needs=pl.col("revision") > 0),),
    writes=PRICE_RESTATEMENTS,
    params=IngestionParams(),
    section="ingestion",
)
