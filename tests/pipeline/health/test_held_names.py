"""A held name that stopped trading is told of."""

from __future__ import annotations

import polars as pl
import pytest

from pipeline.health.held_names import check_held_names, check_holds, check_rates
from pipeline.health.params import HealthParams
from tests.frames.market import moment
from tests.frames.trading import CALENDAR, DAYS, plans


def test_a_held_name_without_bars_is_told_with_its_last_session_and_the_way_out() -> None:
    at = moment(DAYS[9], calendar=CALENDAR)
    holdings = pl.DataFrame({
        "session": [DAYS[9]] * 3,
        "ticker": ["QUIET", "HALTED", "TRADED"],
        "close_session": [DAYS[5], DAYS[6], DAYS[9]],
    })  # fmt: skip
    (check,) = check_held_names(holdings, at, HealthParams(max_silent=3))
    assert (check.status, check.value, check.limit) == ("fail", 4.0, 3.0)
    assert f"1 held name without a bar: QUIET since {DAYS[5]};" in check.message
    assert "`nextgen actions add TICKER DATE delisting --amount VALUE`" in check.message
    assert not check_held_names(holdings, at, HealthParams(max_silent=4))
    assert not check_held_names(holdings, at, HealthParams(max_silent=0))


@pytest.mark.parametrize(("traded", "told"), [(1, True), (3, False)])
def test_where_most_names_fall_silent_at_once_it_is_the_source_that_is_named(traded: int, *, told: bool) -> None:
    silent = ["AAA", "BBB", "CCC"]
    holdings = pl.DataFrame({
        "session": [DAYS[9]] * (3 + traded),
        "ticker": [*silent, *(f"T{number}" for number in range(traded))],
        "close_session": [DAYS[5]] * 3 + [DAYS[9]] * traded,
    })  # fmt: skip
    (check,) = check_held_names(holdings, moment(DAYS[9], calendar=CALENDAR), HealthParams(max_silent=3))
    assert (check.status, check.value) == ("fail", 4.0)
    said = f"3 of {3 + traded} held names have no bar since {DAYS[5]}, the same session: the source gives none"
    assert check.message.startswith(said) == told
    assert ("delisting" in check.message) != told


def test_currencies_that_are_valued_at_an_old_rate_are_told_with_its_day() -> None:
    at = moment(DAYS[9], calendar=CALENDAR)
    holdings = pl.DataFrame({
        "session": [DAYS[9]] * 4,
        "currency": ["EUR", "EUR", "GBP", None],
        "rate_session": [DAYS[8], DAYS[1], DAYS[8], None],
    })  # fmt: skip
    (check,) = check_rates(holdings, at, HealthParams(max_rate_age_days=5))
    assert (check.status, check.value, check.limit) == ("warn", 10.0, 5.0)
    assert f"at old exchange rates: EUR of {DAYS[1]}; nothing in them is traded until rates arrive" in check.message
    assert not check_rates(holdings, at, HealthParams(max_rate_age_days=10))
    assert not check_rates(holdings, at, HealthParams(max_rate_age_days=0))


def test_names_that_are_not_traded_for_want_of_an_explanation_are_told_with_it() -> None:
    ruling = {
        "rule": "unexplained_price",
        "verdict": "refuse",
        "scale": 0.0,
        "distance": 3.0,
        "reason": "on hold since",
    }
    row = {"session": DAYS[9], "blocked_by": "unexplained_price", "verdicts": [ruling]}
    other = {"session": DAYS[9], "ticker": "BBB", "blocked_by": "patience"}
    (check,) = check_holds(plans(row, other))
    assert (check.status, check.value, check.message) == ("warn", 1.0, "1 name not traded: AAA on hold since")
    assert check_holds(plans(other)) == []
