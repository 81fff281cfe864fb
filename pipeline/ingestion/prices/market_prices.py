"""Turns landed bars into prices as traded, each change of a known bar a further revision."""

from __future__ import annotations

import polars as pl

from lake.tables.market import CORPORATE_ACTIONS, INSTRUMENTS, MARKET_PRICES, RAW_PRICES
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.prices.validate_bars import COLUMNS, KNOWN, LOOKBACK, validate_bars
from pipeline.ingestion.prices.waiting_bars import WAITING, sessions_of_waiting


def prices(
    quarantined_rows: pl.DataFrame,
    raw_prices: pl.DataFrame,
    market_prices: pl.DataFrame,
    instruments: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    moment: Moment,
    params: IngestionParams,
) -> pl.DataFrame:
    """Keep the sound bars that are new or differ from what is known; nothing changed gives no row.

    What is not sound is left to the stage `quarantine`. Works on a range of sessions as well as on one, and gives the
    same rows again for the same sessions.
    """
    judged = validate_bars(quarantined_rows, raw_prices, market_prices, instruments, corporate_actions, moment, params)
    if market_prices.is_empty() and judged.good["new"].all():
        judged.good.drop_in_place("new")  # of a first load, whose rows are too many to be copied for nothing
        return judged.good
    fresh = judged.good.filter("new").select(COLUMNS)
    return fresh.join(market_prices, on=MARKET_PRICES.key, how="anti", maintain_order="left")


STAGE = Stage(
    name="prices",
    function=prices,
    reads=(
        WAITING,
        Read(RAW_PRICES, where=pl.col("kind") == "bars", further=sessions_of_waiting),
        Read(MARKET_PRICES, lookback=LOOKBACK, upto="previous", every_revision=True, columns=KNOWN),
        Read(INSTRUMENTS, lookback=None),
        Read(CORPORATE_ACTIONS, lookback=LOOKBACK, where=pl.col("kind").is_in(["split", "rename", "delisting"])),
    ),
    writes=MARKET_PRICES,
    params=IngestionParams(),
    section="ingestion",
)
