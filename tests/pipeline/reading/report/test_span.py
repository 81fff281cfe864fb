"""A span is the book's own sessions, and knows what was before them."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from lake.errors import NoSuchError
from lake.store import Lake
from pipeline.reading.report.span import read_span
from tests.new_lake import new_lake
from tests.pipeline.reading.report.conftest import DAYS


def test_the_whole_book_begins_with_its_capital(book_lake: Lake) -> None:
    span = read_span(book_lake)
    assert span.sessions == DAYS
    assert (span.start_value, span.paid("commission")) == (Decimal("1000.00"), Decimal("4.50"))


def test_a_later_span_begins_with_the_value_before_it(book_lake: Lake) -> None:
    span = read_span(book_lake, date(2022, 1, 29), date(2022, 2, 1))
    assert span.sessions == DAYS[1:3]
    assert (span.start_value, span.paid("commission")) == (Decimal("1000.00"), Decimal("3.00"))
    assert read_span(book_lake, DAYS[2]).start_value == Decimal("1100.00")
    assert span.history.height == 3


def test_a_span_without_a_session_names_those_there_are(book_lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(NoSuchError, match="to 2022-02-03; it has 5 sessions from 2022-01-28"):
        read_span(book_lake, date(2023, 1, 1))
    with pytest.raises(NoSuchError, match="has no session yet; `nextgen cycle`"):
        read_span(new_lake(tmp_path / "empty"))
