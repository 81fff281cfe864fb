"""What the operator states of an action stands, whatever sources say of it before and after."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl

from lake.tables.market import CORPORATE_ACTIONS, FX_RATES, INSTRUMENTS
from pipeline.ingestion.actions.corporate_actions import actions
from pipeline.ingestion.params import IngestionParams
from tests.frames.market import CALENDAR, DAY, landing, moment

NEXT = CALENDAR.next(DAY)
THIRD = CALENDAR.next(NEXT)
OPEN = {"covers": {"since": "2020-01-02", "until": None}}


def split(ratio: int, day: date = DAY) -> dict[str, Any]:
    return {"ticker": "AAA", "ex_date": str(day), "kind": "split", "numerator": str(ratio), "denominator": "1"}


def stated(*lines: dict[str, Any], session: date = DAY) -> pl.DataFrame:
    """What a source states of everything from the start of the year on."""
    return landing(lines, kind="actions", request=OPEN, session=session)


def word(
    *lines: dict[str, Any], day: date = DAY, session: date = NEXT, after: int = 0, verb: str = "correct"
) -> pl.DataFrame:
    """What the operator says of the splits of AAA on a day."""
    covers = {"since": str(day), "until": str(day)}
    request = {"ticker": "AAA", "kind": "split", "covers": covers, "reason": "seen in the filing", "verb": verb}
    at = CALENDAR.open_at(session) + timedelta(minutes=after)
    return landing(
        lines, kind="actions", source="operator", ticker="AAA", request=request, session=session, fetched_at=at
    )


def told(rows: pl.DataFrame) -> list[tuple[Any, ...]]:
    return rows.select("ex_date", "sequence", "revision", "numerator", "withdrawn", "source").rows()


class Story:
    """A lake's landings and facts, session by session."""

    def __init__(self) -> None:
        self.raw: list[pl.DataFrame] = []
        self.facts = CORPORATE_ACTIONS.empty()

    def at(self, session: date, *landed: pl.DataFrame) -> list[tuple[Any, ...]]:
        """What the session adds to the facts."""
        self.raw += landed
        rows = actions(
            pl.concat(self.raw), self.facts, INSTRUMENTS.empty(), FX_RATES.empty(), moment(session), IngestionParams()
        )  # as the stage reads: everything landed in the last quarter
        self.facts = pl.concat([self.facts, CORPORATE_ACTIONS.check(rows)])
        return told(rows)


def test_a_correction_stands_against_the_source_that_goes_on_saying_otherwise() -> None:
    story = Story()
    assert story.at(DAY, stated(split(2))) == [(DAY, 0, 0, 2, None, "test")]
    assert story.at(NEXT, stated(split(2), session=NEXT), word(split(3))) == [(DAY, 0, 1, 3, None, "operator")]
    assert story.at(THIRD, stated(split(4), session=THIRD)) == []
    assert story.facts["learned_on"].to_list() == [DAY, NEXT]


def test_what_the_operator_takes_back_stays_taken_back() -> None:
    story = Story()
    story.at(DAY, stated(split(2)))
    assert story.at(NEXT, stated(split(2), session=NEXT), word()) == [(DAY, 0, 1, 2, True, "operator")]
    assert story.at(THIRD, stated(split(2), session=THIRD)) == []


def test_what_the_operator_and_the_source_take_back_in_one_session_is_taken_back_once() -> None:
    story = Story()
    story.at(DAY, stated(split(2)))
    assert story.at(NEXT, stated(session=NEXT), word()) == [(DAY, 0, 1, 2, True, "operator")]


def test_what_the_operator_adds_no_source_takes_back() -> None:
    story = Story()
    story.at(DAY, stated())
    assert story.at(NEXT, stated(session=NEXT), word(split(2))) == [(DAY, 0, 0, 2, None, "operator")]
    assert story.at(THIRD, stated(split(3), session=THIRD)) == []
    assert story.at(CALENDAR.next(THIRD), word(session=CALENDAR.next(THIRD))) == [(DAY, 0, 1, 2, True, "operator")]


def test_the_last_word_of_one_session_counts() -> None:
    story = Story()
    story.at(DAY, stated(split(2)))
    assert story.at(NEXT, word(split(3)), word(split(5), after=1)) == [(DAY, 0, 1, 5, None, "operator")]


def test_a_word_on_what_is_ahead_counts_on_its_day_and_from_then_on() -> None:
    for lines, expected in (
        ((), (THIRD, 0, 0, 2, True, "operator")),
        ((split(3, THIRD),), (THIRD, 0, 0, 3, None, "operator")),
    ):
        story = Story()
        assert story.at(DAY, stated(split(2, THIRD))) == []
        assert story.at(NEXT, word(*lines, day=THIRD), stated(split(2, THIRD), session=NEXT)) == []
        assert story.at(THIRD, stated(split(2, THIRD), session=THIRD)) == [expected]
        much_later = CALENDAR.offset(THIRD, 70)
        story.raw = []  # the word is out of reach by now
        assert story.at(much_later, stated(split(2, THIRD), session=much_later)) == []


def test_a_word_that_missed_its_session_is_taken_in_by_the_next_and_once() -> None:
    story = Story()
    story.at(DAY, stated(split(2)))
    story.at(NEXT)
    assert story.at(THIRD, word(split(3), session=NEXT)) == [(DAY, 0, 1, 3, None, "operator")]
    assert story.facts["learned_on"].to_list() == [DAY, THIRD]
    assert story.at(CALENDAR.next(THIRD)) == []


def test_a_word_on_splits_leaves_the_dividends_of_the_day_to_their_source() -> None:
    dividend = {"ticker": "AAA", "ex_date": str(DAY), "kind": "dividend", "amount": "1"}
    story = Story()
    story.at(DAY, stated(split(2), dividend))
    assert story.at(NEXT, word(), stated(split(2), session=NEXT)) == [
        (DAY, 0, 1, None, True, "test"),
        (DAY, 0, 1, 2, True, "operator"),
    ]
