"""What a stage reads beside its look-back: each session once, in order, and nothing where nothing is asked for."""

from dataclasses import replace
from datetime import date, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from lake.tables.market import MARKET_PRICES
from pipeline.engine.runner import Runner
from pipeline.engine.session_order import find_stage
from pipeline.engine.stage import join_spans

FIRST = date(2024, 1, 1)
days = st.integers(0, 60).map(lambda number: FIRST + timedelta(days=number))
spans = st.lists(st.tuples(days, days).map(lambda pair: (min(pair), max(pair))), max_size=6)


def test_without_further_spans_the_usual_one_is_read_alone() -> None:
    assert join_spans((), (FIRST, FIRST)) == [(FIRST, FIRST)]


def test_a_read_of_all_history_takes_no_further_span() -> None:
    assert join_spans([(FIRST, FIRST)], (None, FIRST)) == [(None, FIRST)]


@given(spans, days, days)
def test_every_day_asked_for_is_read_once(further: list[tuple[date, date]], one: date, other: date) -> None:
    since, until = min(one, other), max(one, other)
    read = join_spans(further, (since, until))
    covered = [day for first, last in read for day in range((first or FIRST).toordinal(), last.toordinal() + 1)]
    asked = {day for first, last in further for day in range(first.toordinal(), last.toordinal() + 1)}
    usual = set(range(since.toordinal(), until.toordinal() + 1))
    assert covered == sorted({day for day in asked if day < since.toordinal()} | usual)


def test_what_needs_a_row_that_is_not_there_is_not_read(runner: Runner) -> None:
    last = runner.lake.read(MARKET_PRICES)["session"].max()
    assert isinstance(last, date)
    since = runner.calendar.offset(last, -3)
    stage = find_stage("restatements")
    rows = runner.lake.read(MARKET_PRICES, since=since)
    assert rows.height and rows["revision"].max() == 0
    assert runner.executor.read_now(stage, since, last)[0][MARKET_PRICES.name].is_empty()
    needed = replace(stage.reads[0], needs=pl.col("revision") == 0)
    asking = replace(stage, reads=(needed,))
    read = runner.executor.read_now(asking, since, last)[0][MARKET_PRICES.name]
    assert set(read.filter(pl.col("session") >= since)["payload_id"]) == set(rows["payload_id"])
    assert read.columns == list(MARKET_PRICES.columns)
