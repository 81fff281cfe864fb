"""What the figures of a report rest on is counted from the tables."""

from __future__ import annotations

from lake.store import Lake
from lake.tables.feedback import VALIDATION_EVENTS
from pipeline.reading.report.data_quality import read_data_quality
from tests.nextgen_tui.lakes import publish, rows
from tests.pipeline.reading.report.conftest import DAYS


def test_forecasts_without_an_outcome_are_counted_with_their_names(book_lake: Lake) -> None:
    assert read_data_quality(book_lake, DAYS[0], DAYS[-1]).survivors == ""
    events = [
        {"prediction_id": f"{number:016x}", "session": DAYS[day], "ticker": ticker, "event": event}
        for number, (day, ticker, event) in enumerate(
            [(1, "GONE", "void"), (2, "GONE", "void"), (2, "DEAD", "void"), (2, "LATE", "waiting"), (4, "OUT", "void")]
        )
    ]
    publish(book_lake, VALIDATION_EVENTS, rows(VALIDATION_EVENTS, *events))
    found = read_data_quality(book_lake, DAYS[0], DAYS[3])
    assert (found.void, found.void_tickers) == (3, ("DEAD", "GONE"))
    assert found.survivors.startswith("3 forecasts of 2 tickers (the first is DEAD) have no score: ")
