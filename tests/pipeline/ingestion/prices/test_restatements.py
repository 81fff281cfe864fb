"""Each change of a bar is told once, beside the value before."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from lake.tables.market import PRICE_RESTATEMENTS
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.prices.restatements import restatements
from tests.frames.market import CALENDAR, DAY, moment, prices

LAG = timedelta(minutes=15)
NEXT = CALENDAR.next(DAY)
LAST = CALENDAR.offset(DAY, 2)
BARS = prices(
    {"close": 100.0},
    {"close": 110.0, "revision": 1, "available_at": CALENDAR.close_at(NEXT) + LAG},
    {"close": 99.0, "revision": 2, "available_at": CALENDAR.close_at(LAST) + LAG},
    {"session": NEXT, "close": 101.0},
)


def told(session: object, since: object = None) -> pl.DataFrame:
    at = moment(session, since=since)  # type: ignore[arg-type]
    bars = BARS.filter(pl.col("available_at") <= at.as_of)
    return PRICE_RESTATEMENTS.check(restatements(bars, at, IngestionParams()))


def test_a_change_is_told_in_the_session_that_brought_it() -> None:
    assert told(DAY).is_empty()
    row = told(NEXT).row(0, named=True)
    assert (row["old_close"], row["new_close"], row["revision"]) == (100.0, 110.0, 1)
    assert abs(row["close_change"] - 0.1) < 1e-12


def test_a_second_change_stands_beside_the_first() -> None:
    assert told(LAST).select("old_close", "new_close").rows() == [(110.0, 99.0)]


def test_a_range_tells_what_its_sessions_tell_one_by_one() -> None:
    one_by_one = pl.concat([told(day) for day in (DAY, NEXT, LAST)]).sort(PRICE_RESTATEMENTS.key)
    assert told(LAST, since=DAY).equals(one_by_one)
