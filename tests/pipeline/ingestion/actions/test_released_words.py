"""What the operator gives back is what the sources say it is, from the session that learns it on."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from lake.storage.visibility import select_last_revisions
from lake.tables.market import CORPORATE_ACTIONS
from tests.frames.market import CALENDAR, DAY, landing
from tests.pipeline.ingestion.actions.test_operator_word import NEXT, THIRD, Story, split, stated, word

FOURTH = CALENDAR.next(THIRD)
LATER = CALENDAR.offset(THIRD, 70)
"""When no landing of before is at hand any more."""


def release(session: date = THIRD) -> pl.DataFrame:
    return word(session=session, verb="release")


def spoken(*lines: pl.DataFrame, said: pl.DataFrame) -> Story:
    """A source states on DAY, the operator on the next session."""
    story = Story()
    story.at(DAY, *lines)
    story.at(NEXT, said)
    return story


def test_a_correction_given_back_is_what_the_source_says_by_now() -> None:
    story = spoken(stated(split(2)), said=word(split(3)))
    assert story.at(THIRD, stated(split(4), session=THIRD), release()) == [(DAY, 0, 2, 4, None, "test")]
    assert story.at(FOURTH, stated(split(5), session=FOURTH)) == [(DAY, 0, 3, 5, None, "test")]
    assert story.facts["learned_on"].to_list() == [DAY, NEXT, THIRD, FOURTH]


def test_what_the_source_said_before_counts_again_where_none_of_its_landings_is_at_hand() -> None:
    for said in (word(split(3)), word()):
        story = spoken(stated(split(2)), said=said)
        story.raw = []
        assert story.at(LATER, release(LATER)) == [(DAY, 0, 2, 2, None, "test")]


def test_what_the_source_states_no_more_is_taken_back_with_the_word() -> None:
    story = spoken(stated(split(2)), said=word(split(3)))
    assert story.at(THIRD, stated(session=THIRD), release()) == [(DAY, 0, 2, 3, True, "released")]
    assert story.at(FOURTH, stated(split(2), session=FOURTH)) == [(DAY, 0, 3, 2, None, "test")]


def test_what_only_the_operator_had_stated_is_taken_back_and_any_source_may_state_it_later() -> None:
    story = spoken(stated(), said=word(split(2)))
    assert story.at(THIRD, release()) == [(DAY, 0, 1, 2, True, "released")]
    assert story.at(FOURTH, stated(split(2), session=FOURTH)) == [(DAY, 0, 2, 2, None, "test")]


def test_what_source_and_operator_agree_on_becomes_the_sources() -> None:
    story = spoken(stated(), said=word(split(2)))
    agreed = stated(split(2), session=THIRD)
    assert story.at(THIRD, agreed, release()) == [(DAY, 0, 1, 2, None, "test")]
    assert story.at(FOURTH, stated(session=FOURTH)) == [(DAY, 0, 2, 2, True, "test")]


def test_of_two_on_one_day_what_the_operator_denied_comes_back_and_the_other_stays() -> None:
    story = spoken(stated(split(2), split(3)), said=word(split(3)))
    assert story.at(THIRD, release()) == [(DAY, 0, 2, 2, None, "test"), (DAY, 1, 2, 3, None, "test")]


def test_a_source_that_does_not_say_what_it_covers_is_believed_again_as_well() -> None:
    plain = landing([split(2)], kind="actions", session=DAY)
    story = spoken(plain, said=word())
    assert story.at(THIRD, release()) == [(DAY, 0, 2, 2, None, "test")]


def test_a_word_given_back_changes_nothing_twice_and_a_further_word_stands_again() -> None:
    story = spoken(stated(split(2)), said=word(split(3)))
    story.at(THIRD, release())
    assert story.at(FOURTH, stated(split(2), session=FOURTH)) == []
    fifth = CALENDAR.next(FOURTH)
    assert story.at(fifth, word(split(7), session=fifth)) == [(DAY, 0, 3, 7, None, "operator")]
    assert story.at(CALENDAR.next(fifth), stated(split(2), session=CALENDAR.next(fifth))) == []


def test_a_word_given_back_before_its_day_was_never_said() -> None:
    story = Story()
    story.at(DAY, stated(split(2, FOURTH)))
    story.at(NEXT, word(split(3, FOURTH), day=FOURTH))
    story.at(THIRD, word(day=FOURTH, session=THIRD, verb="release"))
    assert story.at(FOURTH, stated(split(2, FOURTH), session=FOURTH)) == [(FOURTH, 0, 0, 2, None, "test")]


@pytest.mark.parametrize(("by", "ratio"), [(DAY, 2), (NEXT, 3), (THIRD, 2)])
def test_each_moment_sees_the_word_that_counted_then(by: date, ratio: int) -> None:
    story = spoken(stated(split(2)), said=word(split(3)))
    story.at(THIRD, release())
    known = story.facts.filter(pl.col("available_at") <= CALENDAR.close_at(by).replace(hour=23))
    assert select_last_revisions(known.sort(CORPORATE_ACTIONS.key), CORPORATE_ACTIONS)["numerator"].to_list() == [ratio]


def test_what_the_operator_left_as_the_source_had_it_is_his_until_he_gives_it_back() -> None:
    story = spoken(stated(split(2), split(3)), said=word(split(3)))
    assert story.at(THIRD, stated(session=THIRD)) == [], "the other one was a word of his, too"
    assert story.at(FOURTH, release(FOURTH)) == [(DAY, 0, 2, 2, True, "released"), (DAY, 1, 2, 3, True, "released")]
