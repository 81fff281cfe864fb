"""Rows that come in order are left as they are, and work within a query is done as outside one."""

import os
import signal
import threading
from contextvars import ContextVar
from types import FrameType

import polars as pl
import pytest

from lake.engine import is_in_order, put_in_order, work_within_query

KEY = ("name", "number")


@pytest.mark.parametrize(
    ("rows", "in_order"),
    [
        ([], True),
        ([("a", 1)], True),
        ([("a", 1), ("a", 1), ("a", 2), ("b", 0)], True),
        ([("a", 1), ("b", 0), ("a", 2)], False),
        ([("a", 2), ("a", 1)], False),
        ([("a", 1), ("b", None)], False),
    ],
)
def test_rows_are_sorted_where_they_do_not_come_in_order(rows: list[tuple[str, int]], in_order: bool) -> None:
    frame = pl.DataFrame(rows, schema={"name": pl.String, "number": pl.Int64}, orient="row")
    assert is_in_order(frame, KEY) == in_order
    assert put_in_order(frame, KEY).rows() == frame.sort(KEY, nulls_last=False).rows()


class TestWorkWithinAQuery:
    """It is what it would be outside, once, in the caller's thread."""

    def test_it_is_done_once_and_its_result_returned(self) -> None:
        done: list[int] = []

        def work() -> pl.DataFrame:
            done.append(threading.get_ident())
            return pl.DataFrame({"a": [3, 1, 2]}).sort("a")

        assert work_within_query(work)["a"].to_list() == [1, 2, 3]
        assert done == [threading.get_ident()]

    @pytest.mark.parametrize("error", [ValueError("no weights"), KeyboardInterrupt(), SystemExit(3)])
    def test_what_it_raises_is_raised_as_it_is(self, error: BaseException) -> None:
        def work() -> None:
            raise error

        with pytest.raises(type(error)) as raised:
            work_within_query(work)
        assert raised.value is error

    def test_an_error_of_a_query_stays_one(self) -> None:
        with pytest.raises(pl.exceptions.ColumnNotFoundError):
            work_within_query(lambda: pl.DataFrame({"a": [1]}).select("b"))

    def test_it_may_lie_within_other_such_work(self) -> None:
        assert work_within_query(lambda: work_within_query(lambda: pl.Series([1, 2]).sum())) == 3

    def test_it_sees_the_context_of_its_caller(self) -> None:
        told: ContextVar[str] = ContextVar("told", default="nothing")
        told.set("something")
        assert work_within_query(told.get) == "something"

    def test_a_signal_is_heard_while_it_is_done(self) -> None:
        heard: list[int] = []

        def hear(number: int, _frame: FrameType | None) -> None:
            heard.append(number)

        def work() -> list[int]:
            os.kill(os.getpid(), signal.SIGTERM)
            return list(heard)

        before = signal.signal(signal.SIGTERM, hear)
        try:
            assert work_within_query(work) == [signal.SIGTERM]
        finally:
            signal.signal(signal.SIGTERM, before)
