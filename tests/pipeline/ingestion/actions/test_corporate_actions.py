"""Splits, dividends, delistings and renames: what passes, how it is numbered, since when it is known."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from lake.tables.market import CORPORATE_ACTIONS, FX_RATES, INSTRUMENTS
from pipeline.engine.stage import Moment
from pipeline.ingestion.actions.corporate_actions import actions as stage
from pipeline.ingestion.actions.validate_actions import validate_actions
from pipeline.ingestion.params import IngestionParams
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
    rows = stage(raw, known, INSTRUMENTS.empty(), FX_RATES.empty(), at or moment(), IngestionParams())
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
        (action(kind="spin-off"), "kind is known"),  # a landing without coverage is read as it always was
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
    good, bad = validate_actions(landed(line), instruments("AAA"), CORPORATE_ACTIONS.empty(), CALENDAR)
    assert good.is_empty()
    assert bad["rule"].to_list() == [rule]


# ---- landings that say which ex-dates they cover

OPEN = {"covers": {"since": "2020-01-02", "until": None}}


def stated(*lines: Any, **values: Any) -> pl.DataFrame:
    """A landing that states all actions from the start of the year on."""
    return landing(lines, kind="actions", request=values.pop("request", OPEN), **values)


def told(rows: pl.DataFrame) -> list[tuple[Any, ...]]:
    return rows.select("kind", "ex_date", "sequence", "revision", "withdrawn").rows()


def test_what_the_next_landing_leaves_out_is_taken_back_as_of_that_landing() -> None:
    first = computed(stated(action(), SPLIT))
    rows = computed(stated(SPLIT, session=NEXT), first, at=moment(NEXT))
    assert told(rows) == [("dividend", DAY, 0, 1, True)]
    assert rows["available_at"].to_list() == [CALENDAR.close_at(NEXT) + LAG]
    assert rows["learned_on"].to_list() == [NEXT]


def test_a_landing_takes_back_only_what_it_covers_of_its_own_source() -> None:
    first = computed(stated(action()))
    later = {"covers": {"since": NEXT.isoformat(), "until": None}}
    assert computed(stated(session=NEXT, request=later), first, at=moment(NEXT)).is_empty()
    assert computed(stated(session=NEXT, source="other"), first, at=moment(NEXT)).is_empty()
    assert computed(stated(session=NEXT, ticker="BBB"), first, at=moment(NEXT)).is_empty()
    assert computed(landed(SPLIT, session=NEXT), first, at=moment(NEXT))["withdrawn"].to_list() == [None]
    assert told(computed(stated(session=NEXT), first, at=moment(NEXT))) == [("dividend", DAY, 0, 1, True)]


def test_what_was_taken_back_can_be_stated_again() -> None:
    one = computed(stated(action()))
    two = pl.concat([one, computed(stated(session=NEXT), one, at=moment(NEXT))])
    third = CALENDAR.next(NEXT)
    rows = computed(stated(action(), session=third), two, at=moment(third))
    assert told(rows) == [("dividend", DAY, 0, 2, None)]
    assert computed(stated(session=third), two, at=moment(third)).is_empty(), "it is taken back once"


def test_what_is_postponed_or_cancelled_before_its_ex_date_never_happens_on_that_day() -> None:
    after = CALENDAR.next(NEXT)
    first = stated(action(ex_date=NEXT), action(ticker="BBB", ex_date=NEXT), session=CALENDAR.previous(DAY))
    second = stated(action(ex_date=after), session=DAY)
    both = pl.concat([first, second])
    assert computed(both, at=moment(NEXT)).is_empty()
    assert told(computed(both, at=moment(after))) == [("dividend", after, 0, 0, None)]


def test_a_moved_ex_date_is_one_taken_back_and_one_new() -> None:
    first = computed(stated(SPLIT))
    rows = computed(stated(SPLIT | {"ex_date": NEXT.isoformat()}, session=NEXT), first, at=moment(NEXT))
    assert told(rows) == [("split", DAY, 0, 1, True), ("split", NEXT, 0, 0, None)]


def test_a_restated_ratio_and_a_moved_pay_date_are_corrections_not_withdrawals() -> None:
    first = computed(stated(SPLIT, action(pay_date="2020-04-01")))
    now = stated(SPLIT | {"numerator": "3"}, action(pay_date="2020-04-08"), session=NEXT)
    rows = computed(now, first, at=moment(NEXT))
    assert told(rows) == [("dividend", DAY, 0, 1, None), ("split", DAY, 0, 1, None)]
    assert rows["numerator"].to_list() == [None, 3]


def test_a_range_of_sessions_takes_back_as_one_by_one() -> None:
    first, second = stated(action(), SPLIT), stated(SPLIT, session=NEXT)
    one = computed(first)
    two = computed(second, one, at=moment(NEXT))
    together = computed(pl.concat([second, first]), at=moment(NEXT, since=DAY))
    assert together.equals(pl.concat([one, two]).sort(CORPORATE_ACTIONS.key))


def test_two_equal_dividends_of_one_answer_are_two_and_given_again_they_are_the_same_two() -> None:
    lines = (action(), action(), SPLIT)
    first = computed(stated(*lines))
    assert told(first.filter(pl.col("kind") == "dividend")) == [("dividend", DAY, n, 0, None) for n in (0, 1)]
    assert computed(stated(*lines, session=NEXT), first, at=moment(NEXT)).is_empty()
    once = computed(stated(action(), SPLIT, session=NEXT), first, at=moment(NEXT))
    assert told(once) == [("dividend", DAY, 1, 1, True)]


def test_an_answer_that_was_written_twice_counts_once() -> None:
    assert computed(stated(action(), SPLIT, action(), SPLIT)).height == 2


def test_what_a_landing_states_unsoundly_stays_as_it_was() -> None:
    first = computed(stated(SPLIT, action()))
    garbled = (SPLIT | {"numerator": "0"}, action(ex_date="soon"))
    assert computed(stated(*garbled, session=NEXT), first, at=moment(NEXT)).is_empty()
    assert computed(stated("{", session=NEXT), first, at=moment(NEXT)).is_empty()
    other = stated(action(ticker="BBB", amount="-1"), session=NEXT)
    assert computed(other, first, at=moment(NEXT))["withdrawn"].to_list() == [True, True]


def test_a_payment_before_the_ex_date_is_a_dividend_like_any() -> None:
    rows = computed(stated(action(pay_date="2020-03-02")))
    assert rows.select("amount", "pay_date").rows() == [(0.25, DAY.replace(day=2))]


@pytest.mark.parametrize(
    ("called", "terms", "kind", "nature"),
    [
        ("special_dividend", {"amount": "3"}, "dividend", "special"),
        ("Return of capital", {"amount": "3"}, "dividend", "return_of_capital"),
        ("rights", {"amount": "0.4"}, "dividend", "rights"),
        ("stock dividend", {"amount": None, "numerator": "105", "denominator": "100"}, "split", "stock_dividend"),
        (
            "spin-off",
            {"amount": "8", "numerator": "1", "denominator": "4", "successor": "NEW", "cost_share": "0.2"},
            "dividend",
            "spin_off",
        ),
        (
            "merger",
            {"amount": "52", "cash": "2", "numerator": "1", "denominator": "2", "successor": "ACQ"},
            "delisting",
            "merger",
        ),
    ],
)
def test_an_action_is_told_by_its_common_name(called: str, terms: dict[str, Any], kind: str, nature: str) -> None:
    (row,) = computed(stated(action(kind=called, currency="USD", **terms))).iter_rows(named=True)
    assert (row["kind"], row["nature"], row["currency"]) == (kind, nature, "USD")
    assert [row["cash"], row["cost_share"]] == [
        None if name not in terms else float(terms[name]) for name in ("cash", "cost_share")
    ]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (action(kind="bonus"), "kind is known"),
        (action(kind="spin-off", amount="8"), "a spin-off has a successor and a ratio"),
        (action(kind="rename", amount=None, successor="AAA"), "a rename leads to another ticker"),
        (action(currency="euro"), "currency is known"),
        (action(kind="merger", amount="9", cash="some"), "cash is a finite number"),
        (SPLIT | {"numerator": "0"}, "a split has a positive ratio other than 1"),
    ],
)
def test_what_a_covering_landing_states_wrongly_is_set_aside_by_name(line: Any, rule: str) -> None:
    good, bad = validate_actions(stated(line), instruments("AAA"), CORPORATE_ACTIONS.empty(), CALENDAR)
    assert good.is_empty()
    assert bad["rule"].to_list() == [rule]


def test_nothing_landed_gives_nothing() -> None:
    assert computed(landed().clear()).is_empty()
