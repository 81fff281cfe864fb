"""Lands the bars within sessions that a source has at a moment, verbatim: those since the last ones known."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from lake.tables.intraday import INTRADAY_PRICES, RAW_INTRADAY
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.ingestion.intraday.params import IntradayParams
from pipeline.ingestion.intraday.validate_intraday import LOOKBACK
from pipeline.ingestion.sources.snapshot_source import SnapshotQuestion

if TYPE_CHECKING:
    from pipeline.ingestion.sources.snapshot_source import SnapshotSource


def land_intraday(
    source: SnapshotSource, intraday_prices: pl.DataFrame, moment: Moment, params: IntradayParams
) -> pl.DataFrame:
    """Ask the source for the bars of each configured length that had ended by the moment.

    Returns the rows of `raw_intraday`.
    """
    calendar = moment.calendar
    first = calendar.open_at(calendar.offset(moment.session, 1 - params.history_sessions))
    answers = [RAW_INTRADAY.empty()]
    for interval in source.intervals:
        held = intraday_prices.filter(pl.col("interval") == interval)
        known = find_known(held, moment, params)
        recent = {ticker: since for ticker, since in known.items() if since >= first}
        question = SnapshotQuestion(session=moment.session, as_of=moment.as_of, since=first, known=recent)
        answers.append(source.snapshot(interval, question))
    return pl.concat(answers)


def find_known(held: pl.DataFrame, moment: Moment, params: IntradayParams) -> dict[str, datetime]:
    """Ticker -> the end of the last bar that is not asked for again.

    Some time before the last known bar; where that is of an earlier session, the open of it.
    """
    opens = moment.calendar.frame(moment.calendar.days[0], moment.session).select("session", "open_at")
    last = held.group_by("ticker").agg(pl.col("ts", "session").sort_by("ts").last())
    since = last.join(opens, on="session", how="left").select(
        "ticker",
        since=pl.when(pl.col("session") < moment.session)
        .then("open_at")
        .otherwise(pl.max_horizontal(pl.col("ts") - params.refetched, "open_at")),
    )
    return dict(since.sort("ticker").iter_rows())


STAGE = Stage(
    name="land_intraday",
    function=land_intraday,
    reads=(Read(INTRADAY_PRICES, lookback=LOOKBACK, upto="held", columns=(*INTRADAY_PRICES.key, "session")),),
    writes=RAW_INTRADAY,
    params=IntradayParams(),
    section="intraday",
    kind="landing",
    asks="snapshots",
)
