"""Numbers as the operator reads them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextgen_tui.text import formats


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (formats.percent(0.01234), "1.23 %"),
        (formats.percent(0.01234, 1, signed=True), "+1.2 %"),
        (formats.percent(None), "–"),
        (formats.percent(-0.000001, signed=True), "+0.00 %"),
        (formats.money(Decimal("-0.001")), "0.00"),
        (formats.money(Decimal("1234567.80")), "1,234,567.80"),
        (formats.money(Decimal("-0.05"), signed=True), "-0.05"),
        (formats.whole(1234567), "1,234,567"),
        (formats.duration(0.044), "0.04 s"),
        (formats.duration(1.44), "1.4 s"),
        (formats.duration(59.6), "1 min 00 s"),
        (formats.duration(7_260), "2 h 01 min"),
        (formats.counted(1, "row"), "1 row"),
        (formats.counted(1200, "row"), "1,200 rows"),
        (formats.counted(2, "entry"), "2 entries"),
        (formats.counted(2, "day"), "2 days"),
        (formats.bar(0.5, 4), "━━  "),
        (formats.bar(0.6, 4), "━━╸ "),
        (formats.bar(1.7, 4), "━━━━"),
        (formats.bar(-1, 4), "    "),
        (formats.sparkline([1, 2, 3, 4, 5, 6, 7]), "▁▂▃▄▅▆▇"),
        (formats.sparkline([5, 5]), "▄▄"),
        (formats.sparkline([]), ""),
        (formats.sparkline([0, 1], low=0, high=6), "▁▂"),
    ],
)
def test_a_figure_reads_as_expected(shown: str, expected: str) -> None:
    assert shown == expected


@given(st.lists(st.floats(-1e9, 1e9), max_size=300), st.integers(min_value=2, max_value=80))
def test_thinning_keeps_the_ends_and_the_width(values: list[float], width: int) -> None:
    kept = formats.thin(values, width)
    assert len(kept) == min(len(values), width)
    assert kept[:1] == values[:1]
    assert kept[-1:] == values[-1:]


@given(st.floats(0, 1), st.integers(min_value=1, max_value=40))
def test_a_bar_always_has_its_width(share: float, width: int) -> None:
    assert len(formats.bar(share, width)) == width


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_parts_that_stand_beside_their_sum_add_up_as_they_are_read(gain: float, cost: float) -> None:
    digits = formats.adding_digits(gain + cost, (gain, cost), most=12)
    shown = [formats.percent(one, digits).removesuffix(" %") for one in (gain + cost, gain, cost)]
    total, *parts = (Decimal(one) for one in shown)
    assert digits >= 2 and (sum(parts) == total or digits == 2)


def test_the_fewest_digits_are_written_that_add_up() -> None:
    assert formats.adding_digits(0.0073, (0.0104, -0.0031)) == 2
    assert formats.adding_digits(0.00734, (0.01037, -0.00303)) == 3
    assert formats.adding_digits(None, (0.1, None)) == 2


def test_a_number_that_could_not_be_computed_is_missing() -> None:
    assert formats.number(float("nan"), signed=True) == formats.number(None) == formats.MISSING
    assert formats.number(-0.00001) == "0.0000"
