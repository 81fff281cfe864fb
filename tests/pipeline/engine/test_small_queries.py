"""Which runs are done within a query: those of one session that compute, and neither wait nor train."""

from datetime import date

import pytest

from pipeline.engine.executor import asks_small_queries
from pipeline.engine.session_order import find_stage

DAY, NEXT = date(2021, 3, 1), date(2021, 3, 2)


@pytest.mark.parametrize(
    ("stage", "since", "small"),
    [
        ("plan", NEXT, True),
        ("features", NEXT, True),
        ("features", DAY, False),
        ("land_prices", NEXT, False),
        ("train", NEXT, False),
    ],
)
def test_runs_of_a_session_ask_small_queries(stage: str, since: date, small: bool) -> None:
    assert asks_small_queries(find_stage(stage), (since, NEXT)) is small
