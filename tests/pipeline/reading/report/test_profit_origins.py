"""Where profit came from is told in views that add up, the largest items first."""

from __future__ import annotations

from decimal import Decimal

from lake.store import Lake
from pipeline.reading.report.profit_origins import TITLES, read_origins
from tests.pipeline.reading.report.conftest import DAYS


def test_each_view_adds_up_to_the_profit_of_the_span(book_lake: Lake) -> None:
    views = read_origins(book_lake, None, None)
    assert [view.name for view in views] == list(TITLES)
    assert {view.profit for view in views} == {Decimal("8.00")}
    for view in views:
        for part in view.parts:
            assert not part.items or sum(amount for _, amount in part.items) == part.amount


def test_items_are_in_words_and_the_largest_in_size_comes_first(book_lake: Lake) -> None:
    decided = next(view for view in read_origins(book_lake, None, None) if view.name == "decision")
    told = {part.title: part for part in decided.parts}
    assert list(told) == ["the benchmark", "forecasts", "rules", "commission"]
    assert told["forecasts"].items == (("5 sessions", Decimal("5.00")), ("1 session", Decimal("-0.50")))
    assert told["rules"].items == (("sector limit", Decimal("-0.50")),)


def test_a_span_counts_its_own_sessions_and_one_before_any_has_no_view(book_lake: Lake) -> None:
    assert read_origins(book_lake, DAYS[3], DAYS[3])[0].profit == Decimal("4.00")
    assert read_origins(book_lake, DAYS[0], DAYS[1]) == ()
