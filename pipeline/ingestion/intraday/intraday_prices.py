"""Turns the bars of a snapshot into intraday prices as traded, each change of a known bar a further revision."""

from __future__ import annotations

import polars as pl

from lake.tables.intraday import INTRADAY_PRICES, RAW_INTRADAY
from lake.tables.market import INSTRUMENTS
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.ingestion.intraday.params import IntradayParams
from pipeline.ingestion.intraday.validate_intraday import LOOKBACK, validate_intraday

LANDED = Read(RAW_INTRADAY)
KNOWN = Read(INTRADAY_PRICES, lookback=LOOKBACK, upto="held")
LISTED = Read(INSTRUMENTS, lookback=None)


def intraday_prices(
    raw_intraday: pl.DataFrame,
    intraday_prices: pl.DataFrame,
    instruments: pl.DataFrame,
    moment: Moment,
    params: IntradayParams,
) -> pl.DataFrame:
    """Keep the sound bars that are new or differ from what is known; nothing changed gives no row.

    What is not sound, such as a bar that had not ended, is left to the stage `quarantine_intraday`.
    """
    judged = validate_intraday(raw_intraday, intraday_prices, instruments, moment, params)
    return judged.good.filter("new").select(*INTRADAY_PRICES.columns)


STAGE = Stage(
    name="intraday_prices",
    function=intraday_prices,
    reads=(LANDED, KNOWN, LISTED),
    writes=INTRADAY_PRICES,
    params=IntradayParams(),
    section="intraday",
)
