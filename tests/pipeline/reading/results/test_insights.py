"""An insight is told with all that it was measured to do, whatever its last step says."""

from __future__ import annotations

from datetime import date, timedelta

from lake.tables.feedback import LEARNING_INSIGHTS
from pipeline.reading.results.insights import insight_rows
from tests.nextgen_tui.lakes import rows

FIRST = date(2022, 3, 1)


def life(name: str, *steps: tuple[str, str]) -> list[dict[str, object]]:
    return [
        {"insight_id": name, "session": FIRST + timedelta(days=number), "status": status, "effect": effect}
        for number, (status, effect) in enumerate(steps)
    ]


def test_what_helped_and_was_retired_since_did_help_and_what_was_never_measured_says_nothing() -> None:
    begun = (("open", "pending"), ("acted", "on trial"))
    told = insight_rows(
        rows(
            LEARNING_INSIGHTS,
            *life("helped", *begun, ("measured", "helped"), ("retired", "no effect")),
            *life("still", *begun, ("measured", "helped"), ("measured", "helped")),
            *life("never", ("open", "pending"), ("retired", "pending")),
        )
    )
    measured = dict(told.select("insight_id", "measured").iter_rows())
    assert measured == {"helped": ["helped", "no effect"], "still": ["helped"], "never": []}
    assert dict(told.select("insight_id", "status").iter_rows()) == {
        "helped": "retired",
        "still": "measured",
        "never": "retired",
    }
