"""Dated splits: parts follow one another, and no label of one reaches into the next."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.tasks.splits import PARTS, DatedSplit

DAYS = [date(2020, 1, 1) + timedelta(days=2 * number) for number in range(60)]
SESSIONS = np.array(DAYS, dtype="datetime64[D]")


def test_an_example_belongs_to_the_day_its_label_is_known() -> None:
    split = DatedSplit(DAYS[10], DAYS[30], DAYS[40], end=DAYS[50])
    known = np.array([9, 10, 29, 30, 39, 40, 50, 51])
    parts = split.parts(SESSIONS, known)
    assert {name: known[rows].tolist() for name, rows in parts.items()} == {
        "train": [10, 29],
        "validate": [30, 39],
        "test": [40, 50],
    }


def test_a_day_without_a_session_starts_its_part_at_the_next_one() -> None:
    split = DatedSplit(DAYS[10] - timedelta(days=1), DAYS[30] - timedelta(days=1), DAYS[40])
    parts = split.parts(SESSIONS, np.arange(60))
    assert [parts[name][0] for name in PARTS] == [10, 30, 40]
    assert parts["test"][-1] == 59


@given(st.integers(1, 8), st.integers(12, 25), st.integers(30, 45))
def test_no_label_reaches_into_a_later_part_and_no_other_is_dropped(horizon: int, validate: int, test: int) -> None:
    split = DatedSplit(DAYS[1], DAYS[validate], DAYS[test], horizon=horizon)
    parts = split.parts(SESSIONS, np.arange(60))
    for earlier, later in (("train", "validate"), ("validate", "test")):
        first_base = parts[later][0] - horizon
        assert parts[earlier][-1] == first_base, "a label ends, at the latest, at the close the next part counts from"
    assert len(parts["train"]) == validate - 1 - (horizon - 1)


@pytest.mark.parametrize(
    ("dates", "words"),
    [
        ((20, 10, 40), "'validate' starts at .* not after 'train'"),
        ((10, 40, 30), "'test' starts at .* not after 'validate'"),
        ((10, 30, 30), "would overlap or be empty"),
    ],
)
def test_parts_out_of_order_are_refused_by_name(dates: tuple[int, int, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        DatedSplit(*(DAYS[at] for at in dates))


def test_an_end_before_the_test_part_is_refused() -> None:
    with pytest.raises(ValueError, match="before its test part starts"):
        DatedSplit(DAYS[1], DAYS[2], DAYS[9], end=DAYS[8])
