"""What was tried on branches is entered once, as the merge that came first brought it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from lake.tables.models import TRIALS
from lake.tables.research import MERGED_TRIALS
from pipeline.models.merged.merge_trials import merge_trials
from pipeline.models.params import ModelParams
from tests.frames.models import market, moment

DAY = date(2021, 3, 5)


def brought(merge_id: str, hour: int, candidate: str = "ensemble", **said: Any) -> dict[str, Any]:
    figures = dict.fromkeys(("gain", "sharpe", "skewness", "kurtosis"), 0.5)
    return {
        "merge_id": merge_id,
        "merged_at_session": DAY,
        "decided_at": datetime(2021, 3, 5, hour, tzinfo=UTC),
        "branch": merge_id,
        "session": date(2021, 3, 4),
        "model_id": "m-20210304-00000001",
        "candidate": candidate,
        "points": 3,
        "first": date(2021, 1, 4),
        "last": date(2021, 1, 4),
        "sessions": 1,
        "days": [date(2021, 1, 4)],
        "advantages": [0.5],
        **figures,
        **said,
    }


def test_of_what_two_branches_tried_both_the_first_counts_and_in_whatever_order_they_stand() -> None:
    rows = [brought("second", 18, gain=0.1), brought("first", 17, gain=0.2), brought("second", 18, "ridge")]
    found = [
        merge_trials(
            MERGED_TRIALS.check(pl.DataFrame(given, schema=MERGED_TRIALS.schema)),
            moment(market(tickers=1, sessions=9)),
            ModelParams(),
        )
        for given in (rows, rows[::-1])
    ]
    assert found[0].equals(found[1])
    assert TRIALS.check(found[0]).select("candidate", "gain").rows() == [("ensemble", 0.2), ("ridge", 0.5)]
