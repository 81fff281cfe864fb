"""How figures are written in sentences."""

from __future__ import annotations

import polars as pl

from pipeline.text_format import change, counted, counted_each, percent


def test_what_rounds_to_nothing_is_never_minus_nothing() -> None:
    assert (percent(-0.000001), change(-0.000001), change(0.0123)) == ("0.00 %", "+0.00 %", "+1.23 %")


def test_a_count_has_its_noun_in_the_right_number() -> None:
    told = [counted(1, "row"), counted(0, "entry"), counted(2_000, "day"), counted(2, "index", "indices")]
    assert told == ["1 row", "0 entries", "2,000 days", "2 indices"]
    assert [counted(3, one) for one in ("branch", "pass", "box", "dash")] == [
        "3 branches", "3 passes", "3 boxes", "3 dashes",
    ]  # fmt: skip


def test_a_column_of_counts_is_told_like_one_count_and_nothing_stays_nothing() -> None:
    frame = pl.DataFrame({"age": [0, 1, 2, None]})
    told = frame.select(told=counted_each("age", "session"))["told"]
    assert told.to_list() == ["0 sessions", "1 session", "2 sessions", None]
