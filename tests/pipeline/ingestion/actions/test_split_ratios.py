"""Splits told from dividends by adjusted closes alone: rare ratios, ratios close to 1, and cash of every size."""

from __future__ import annotations

from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ingestion.actions.actions_from_adjusted_closes import recover_actions
from pipeline.ingestion.actions.split_ratios import everyday_ratio, rare_ratio
from tests.frames.market import CALENDAR, DAY, landing

NEXT = CALENDAR.next(DAY)


def told(close: float, adjusted: float) -> Fraction | None:
    """The ratio that an adjusted close of six decimals tells."""
    factor = adjusted / close
    return everyday_ratio(factor) or rare_ratio(close, factor, 0.5e-6 / adjusted)


@pytest.mark.parametrize(
    ("new", "old"),
    [(1, 75), (1, 250), (96, 97), (13, 14), (80, 1), (103, 100), (10_233, 10_000), (9_750, 10_000), (2, 1), (3, 2)],
)
@pytest.mark.parametrize("close", [61.37, 417.9])
def test_a_ratio_that_chance_hardly_explains_is_a_split(new: int, old: int, close: float) -> None:
    assert told(close, round(close * old / new, 6)) == Fraction(new, old)


@given(st.integers(500, 60_000), st.integers(1, 400), st.floats(0.01, 0.2))
def test_cash_in_cents_is_no_split_of_rare_ratio(cents: int, parts: int, most: float) -> None:
    close = cents / 100
    amount = round(min(parts / 100, close * most), 2)
    assert rare_ratio(close, round(close - amount, 6) / close, 0.5e-6 / (close - amount)) is None


def test_what_moves_the_price_by_less_than_a_percent_is_no_split() -> None:
    assert told(50.0, round(50.0 * 199 / 200, 6)) is None
    assert told(50.0, round(50.0 * 201 / 200, 6)) is None


def test_a_coarsely_written_close_tells_simple_ratios_only() -> None:
    assert rare_ratio(61.37, 59.6 / 61.37, 0.05 / 59.6) is None
    assert rare_ratio(100.0, 7_500.0 / 100.0, 0.05 / 7_500.0) == Fraction(1, 75)


def seen(close: float, adjusted: float, later: float, **request: object) -> list[tuple[object, ...]]:
    """Kind, terms and fault of what the adjusted close of a bar, seen again a session later, implies."""
    after = CALENDAR.close_at(NEXT).isoformat()
    lines = [
        {"ticker": "AAA", "session": str(day), "close": repr(bar), "adj_close": repr(adj), "available_at": after}
        for day, bar, adj in ((DAY, close, adjusted), (NEXT, later, later))
    ]
    rows = recover_actions(landing(lines, kind="factors", session=NEXT, request=request), CALENDAR)
    found: list[tuple[object, ...]] = rows.select("kind", "numerator", "denominator", "fault").rows()
    return found


def test_a_landing_is_read_by_the_ratios_that_its_request_names() -> None:
    earlier: tuple[float, float, float] = (20.0, 1_500.0, 1_490.0)
    assert seen(*earlier) == [("dividend", None, None, None)]
    assert seen(*earlier, ratios=2) == [("split", "1", "75", None)]


def test_a_split_that_the_price_does_not_follow_is_doubted() -> None:
    assert seen(20.0, 1_500.0, 20.1, ratios=2) == [("split", "1", "75", "the price falls with the split")]


def test_nothing_seen_implies_nothing() -> None:
    assert recover_actions(pl.DataFrame(schema=landing([]).schema), CALENDAR).is_empty()
