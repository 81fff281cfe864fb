"""A setting alone turns on the tasks that bring what it asks for, and the schedule says which setting did."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.config.loading import load
from pipeline.config.settings import Settings
from pipeline.control.schedule.schedule_file import load_schedule, parse_schedule

NOW = datetime(2025, 11, 24, tzinfo=UTC)
SHIPPED = Path(__file__).parents[4] / "schedules.toml"


def settings(**given: str) -> Settings:
    return load(None, {f"NEXTGEN_SOURCE__{name}": value for name, value in given.items()}).settings


@pytest.mark.parametrize(
    ("given", "on", "reason"),
    [
        ({}, set(), "source.simulated.intervals names no bars shorter than a day"),
        (
            {"NAME": "yahoo", "YAHOO__INTERVALS": "1d,5m,1m"},
            {"snapshot", "closing-snapshot"},
            "source.yahoo.intervals names 5m, 1m",
        ),
        ({"YAHOO__INTERVALS": "1d,5m"}, set(), "source.simulated.intervals names no bars shorter than a day"),
        ({"NEWS_BETWEEN_CYCLES": "true"}, {"news"}, "source.simulated.intervals names no bars shorter than a day"),
    ],
)
def test_the_shipped_schedule_needs_no_edit(given: dict[str, str], on: set[str], reason: str) -> None:
    schedule = load_schedule(SHIPPED, NOW, settings=settings(**given))
    assert {task.name for task in schedule.tasks if task.enabled} == {"cycle", "retrain", "upkeep"} | on
    assert schedule.task("snapshot").need == reason  # type: ignore[union-attr]


def test_who_turned_a_task_off_by_hand_keeps_it_off() -> None:
    text = '[tasks.mine]\nrun = "snapshot"\ntrigger = "every 30m while open"\nenabled = false\n'
    (task,) = parse_schedule(text, "x", NOW, settings=settings(SIMULATED__INTERVALS="1d,1h")).tasks
    assert not task.enabled
