"""Splits, dividends, delistings and renames: what passes, how it is numbered, since when it is known."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from lake.tables.market import CORPORATE_ACTIONS, INSTRUMENTS
from pipeline.engine.stage import Moment
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.prices.corporate_actions import actions as stage
from pipeline.ingestion.prices.corporate_actions import validate_actions
from tests.frames.market import CALENDAR, DAY, instruments, landing, moment

NEXT = CALENDAR.next(DAY)
LAG = timedelta(minutes=15)


def action(**values: object) -> dict[str, Any]:
    """A dividend of a quarter as a source writes it."""
    usual = {"ticker": "AAA", "ex_date": DAY.isoformat(), "kind": "dividend", "amount": "0.25"}
    return usual | {name: value if value is None else str(value) for name, value in values.items()}


SPLIT = action(kind="split", amount=None, numerator=2, denominator=1)


def computed(raw: pl.DataFrame, known: pl.DataFrame | None = None, *, at: Moment | None = None) -> pl.DataFrame:
    known = CORPORATE_ACTIONS.empty() if known is None else known
    rows = stage(raw, known, INSTRUMENTS.empty(), at or moment(), IngestionParams())
    return CORPORATE_ACTIONS.check(rows)


def landed(*lines: Any, **values: Any) -> pl.DataFrame:
    return landing(lines, kind="actions", **values)


def test_an_action_without_an_announcement_is_known_at_the_open_of_its_ex_date() -> None:
    assert computed(landed(SPLIT))["available_at"].to_list() == [CALENDAR.open_at(DAY)]


def test_a_stated_announcement_counts() -> None:
    rows = computed(landed(action(available_at="2020-02-20T12:00:00Z")))
    assert rows["available_at"].dt.date().to_list() == [DAY.replace(month=2, day=20)]


def test_what_a_daily_fetch_brings_late_is_known_since_its_landing() -> None:
    rows = computed(landed(SPLIT, session=NEXT), at=moment(NEXT))
    assert rows["available_at"].to_list() == [CALENDAR.close_at(NEXT) + LAG]


def test_what_is_announced_ahead_waits_for_its_ex_date() -> None:
    ahead = landed(action(ex_date=NEXT, pay_date="2020-04-01"))
    assert computed(ahead).is_empty()
    rows = computed(ahead, at=moment(NEXT))
    assert rows.select("ex_date", "amount").rows() == [(NEXT, 0.25)]
    assert rows["available_at"].to_list() == [CALENDAR.open_at(NEXT)]


def test_the_latest_announcement_of_an_action_ahead_counts() -> None:
    first, second = landed(action(ex_date=NEXT)), landed(action(ex_date=NEXT, amount="0.30"), session=NEXT)
    rows = computed(pl.concat([first, second]), at=moment(NEXT))
    assert rows.select("sequence", "revision", "amount").rows() == [(0, 0, 0.3)]


def test_what_is_known_gives_no_row() -> None:
    first = computed(landed(SPLIT))
    assert computed(landed(SPLIT, session=NEXT), first, at=moment(NEXT)).is_empty()


def test_a_correction_is_a_further_revision_known_since_its_landing() -> None:
    first = computed(landed(action()))
    rows = computed(landed(action(amount="0.26"), session=NEXT), first, at=moment(NEXT))
    assert rows.select("sequence", "revision", "amount").rows() == [(0, 1, 0.26)]
    assert rows["available_at"].to_list() == [CALENDAR.close_at(NEXT) + LAG]


def test_two_dividends_of_one_day_are_both_kept() -> None:
    lines = (action(amount="1.5"), action(amount="0.25"), action(amount="0.25"))
    first = computed(landed(*lines))
    assert first.select("sequence", "amount").rows() == [(0, 0.25), (1, 1.5)]
    corrected = computed(landed(action(amount="0.25"), action(amount="1.6"), session=NEXT), first, at=moment(NEXT))
    assert corrected.select("sequence", "revision", "amount").rows() == [(1, 1, 1.6)]
    third = computed(landed(*lines, action(amount="2"), session=NEXT), first, at=moment(NEXT))
    assert third.select("sequence", "revision", "amount").rows() == [(2, 0, 2.0)]


def test_a_range_of_sessions_ends_as_one_by_one() -> None:
    first, second = landed(action(), SPLIT), landed(action(amount="0.26"), SPLIT, session=NEXT)
    one = computed(first)
    two = computed(second, one, at=moment(NEXT))
    together = computed(pl.concat([second, first]), at=moment(NEXT, since=DAY))
    assert together.equals(pl.concat([one, two]).sort(CORPORATE_ACTIONS.key))


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (action(ticker="A//B"), "ticker is well-formed"),
        (action(ticker="ZZZ"), "ticker is listed"),
        (action(kind="spin-off"), "kind is known"),
        (action(kind=None), "kind is known"),
        (action(ex_date=None), "ex_date is present"),
        (action(ex_date="soon"), "ex_date is readable"),
        (action(pay_date="later"), "pay_date is readable"),
        (action(pay_date="2020-03-03"), "paid no earlier than the ex-date"),
        (action(amount="a lot"), "amount is a finite number"),
        (action(amount="NaN"), "amount is a finite number"),
        (action(amount=None), "a dividend has a positive amount"),
        (action(amount="-1"), "a dividend has a positive amount"),
        (action(available_at="2020-03-01 12:00:00"), "available_at is a time with a zone"),
        (SPLIT | {"numerator": "1.5"}, "numerator is a whole number"),
        (SPLIT | {"denominator": None}, "a split has a positive ratio other than 1"),
        (SPLIT | {"numerator": "1"}, "a split has a positive ratio other than 1"),
        (action(kind="delisting", amount="-0.5"), "a delisting has a value of zero or more"),
        (action(kind="rename", amount=None), "a rename has a successor"),
        (action(kind="rename", amount=None, successor="b b"), "successor is well-formed"),
        ("{", "the line is readable"),
    ],
)
def test_an_action_that_breaks_a_rule_is_set_aside_by_name(line: Any, rule: str) -> None:
    good, bad = validate_actions(landed(line), instruments("AAA"), CALENDAR)
    assert good.is_empty()
    assert bad["rule"].to_list() == [rule]


def test_nothing_landed_gives_nothing() -> None:
    assert computed(landed().clear()).is_empty()
