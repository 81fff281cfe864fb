"""A look at a real lake notices what changed and tells it by the channels that are configured then."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lake.store import Lake
from lake.tables.alerts import ALERTS
from lake.tables.control import TASK_ATTEMPTS
from pipeline.reading.alerting.watch import AlertWatch
from tests.loopback.hooks import Hook, posted_to
from tests.new_lake import new_lake
from tests.nextgen_tui.lakes import rows

# pandas' own change of mind, inside the calendar library.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")

NOW = datetime(2026, 1, 5, 22, tzinfo=UTC)


def give_up(lake: Lake, at: datetime) -> None:
    """A task fails for good."""
    attempt = {"task": "cycle", "slot": f"{at:%H%M}", "attempt": 3, "state": "failed", "follows": "stop", "at": at}
    attempt |= {"due_at": at, "reason": "no data", "session": None, "retry_at": None, "pid": None, "seconds": None}
    lake.commit(TASK_ATTEMPTS, TASK_ATTEMPTS.check(rows(TASK_ATTEMPTS, attempt)), f"attempt-{at}", {})


def test_a_look_tells_a_failure_once_and_nothing_from_before_the_first_look(tmp_path: Path) -> None:
    lake = new_lake(tmp_path / "lake")
    give_up(lake, NOW - timedelta(hours=1))
    with posted_to(Hook()) as hook:
        (lake.path / "nextgen.toml").write_text(f'[alerts.webhook]\nurl = "{hook.url}"\n')
        watch = AlertWatch(lake.path, {})
        watch.look(NOW, verdict=False)
        assert not hook.taken
        give_up(lake, NOW + timedelta(minutes=1))
        for minute in (2, 3):
            watch.look(NOW + timedelta(minutes=minute), verdict=False)
    (alert,) = json.loads(hook.taken[0])["alerts"]
    assert (len(hook.taken), alert["words"]) == (1, "cycle 2201 stopped: no data")


def test_the_verdict_is_told_where_it_is_not_ok(tmp_path: Path) -> None:
    lake = new_lake(tmp_path / "lake")
    with posted_to(Hook()) as hook:
        (lake.path / "nextgen.toml").write_text(f'[alerts.webhook]\nurl = "{hook.url}"\n')
        assert AlertWatch(lake.path, {}).look() == 60.0
    kinds = {one["kind"] for one in json.loads(hook.taken[0])["alerts"]}
    assert "verdict" in kinds


def test_without_a_channel_nothing_is_recorded(tmp_path: Path) -> None:
    lake = new_lake(tmp_path / "lake")
    AlertWatch(lake.path, {}).look(NOW)
    assert lake.read(ALERTS).is_empty()
