"""Closes as traded beside split-adjusted ones tell the splits, the day's own dividends, and what was traded."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from pipeline.ingestion.actions.unadjusted_closes import tell_from_unadjusted
from tests.pipeline.ingestion.actions.test_actions_in_price_files import lines, rows


def beside(closes: list[float], traded: list[Any], **columns: list[Any]) -> pl.DataFrame:
    return rows(closes, unadjusted=traded, **columns)


def test_the_step_between_them_is_the_split_and_dividends_are_per_share_of_their_day() -> None:
    adjusted = [24.75, 25.0, 25.5, 26.0]
    adjusted_for_all = [24.75 * 0.99, 25.0, 25.5, 26.0]
    given = beside(adjusted, [99.0, 100.0, 25.5, 26.0], adjusted=adjusted_for_all)
    found = tell_from_unadjusted([given])
    assert found is not None
    assert [line[:3] for line in lines(found)] == [(1, "dividend", "0.99"), (2, "split", "4:1")]
    assert found.later_ratio(given).to_list() == [4.0, 4.0, 1.0, 1.0]


def test_a_split_after_the_last_row_is_undone_and_not_told() -> None:
    given = beside([10.0, 10.5], [30.0, 31.5])
    found = tell_from_unadjusted([given])
    assert found is not None
    assert found.lines.is_empty() and found.later_ratio(given).to_list() == [3.0, 3.0]


@pytest.mark.parametrize(
    ("closes", "traded", "columns"),
    [
        ([10.0, 10.5], [10.0, 10.5], {}),
        ([10.0, 10.5], [None, None], {}),
        ([9.8, 10.5], [10.0, 10.5], {}),
        ([10.0, 10.5], [14.142, 14.849], {}),
        ([10.0, 10.5], [20.0, 10.5], {"split": ["1.0", "2.0"]}),
    ],
    ids=["the same", "empty", "a dividend between them", "no ratio of whole numbers", "splits are stated"],
)
def test_a_column_that_tells_no_split_is_of_no_use(
    closes: list[float], traded: list[Any], columns: dict[str, list[Any]]
) -> None:
    assert tell_from_unadjusted([beside(closes, traded, **columns)]) is None
