"""The operator is told once of what went wrong, of drift, of what is late, and of what became of his requests."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lake.store import Lake
from lake.tables.control import RUNS, SYSTEM_HEALTH, TASK_ATTEMPTS
from lake.tables.feedback import RETRAIN_CANDIDATES
from nextgen_tui.text.safe_text import safe_text
from pipeline.control.daemon.daemon_lock import hold_daemon_lock
from pipeline.control.workers.job import Job
from pipeline.control.workers.job_progress import report_progress
from pipeline.health.checks import Status
from pipeline.reading.alerts import Alert, AlertFacts, find_alerts, read_alert_facts, verdict_alert
from pipeline.reading.daemon import read_activity
from pipeline.reading.health_verdict import Health, Problem
from tests.nextgen_tui.console.desk import LAST
from tests.nextgen_tui.hostile import HOSTILE
from tests.nextgen_tui.lakes import land, publish, rows, run_row

NOW = datetime(2022, 3, 2, 12, tzinfo=UTC)


def look(lake: Lake) -> AlertFacts:
    return read_alert_facts(lake, lake.read(RUNS))


def attempt(task: str, slot: str, state: str, follows: str = "nothing", reason: str = "") -> dict[str, Any]:
    return {"task": task, "slot": slot, "state": state, "follows": follows, "reason": reason, "at": NOW}


def test_each_thing_that_went_wrong_is_told_once(own_desk: Lake) -> None:
    before = look(own_desk)
    assert find_alerts(before, before, {}) == ()
    with own_desk.lock("a test"):
        failed = run_row("predict", run_id="predict-x", session=LAST, status="failed", error="out of memory")
        own_desk.commit(RUNS, RUNS.check(rows(RUNS, failed)), "publish", {})
    worse = {"session": LAST + timedelta(days=1), "status": "fail"}
    land(
        own_desk,
        SYSTEM_HEALTH,
        rows(
            SYSTEM_HEALTH,
            {**worse, "service": "plan", "check": "last run", "message": "failing as before"},
            {**worse, "service": "book", "check": "reconciled", "message": "3.20 unexplained"},
        ),
        "worse",
    )
    drift = {"session": LAST, "model_id": "m-1", "due": True, "reason": "drift", "evidence": "volatility has doubled"}
    publish(own_desk, RETRAIN_CANDIDATES, rows(RETRAIN_CANDIDATES, drift), name="retrain_candidates", session=LAST)
    tries = [
        attempt("cycle", "2022-03-02", "failed", "stop", "three times"),
        attempt("request:reproduce", "console-1", "done", reason="IDENTICAL: 31 runs"),
        attempt("request:promote", "console-2", "failed", "give-up", "not registered"),
        attempt("request:train", "cli-9", "done"),
    ]
    land(own_desk, TASK_ATTEMPTS, rows(TASK_ATTEMPTS, *tries), "tries")
    after = look(own_desk)
    asked = {"console-1": "reproduce cycle-20220301", "console-2": "promote m-7"}
    assert find_alerts(before, after, asked) == (
        Alert("predict of 2022-03-01 failed: out of memory", "error"),
        Alert("promote m-7: failed: not registered", "error"),
        Alert("reproduce cycle-20220301: done: IDENTICAL: 31 runs", "information"),
        Alert("cycle 2022-03-02 stopped: three times", "error"),
        Alert("book, reconciled: 3.20 unexplained", "error"),
        Alert("Training is due (drift): volatility has doubled", "warning"),
    )
    assert find_alerts(after, after, asked) == ()


def beating(lake: Path, **detail: Any) -> None:
    """Leave the sign of life of a daemon."""
    who = {"pid": 1, "process_started": "x", "boot_id": "x", "at": NOW.isoformat()}
    verdict = {"state": "running", "status": "ok", "reason": ""}
    (lake / "control").mkdir(exist_ok=True)
    (lake / "control" / "heartbeat.json").write_text(json.dumps({**who, **verdict, **detail}))


def test_a_running_task_tells_its_step_and_an_owed_one_how_late_it_is(tmp_path: Path) -> None:
    due = (NOW - timedelta(hours=3)).isoformat()
    waiting = [{"task": "train", "slot": "2022-W09", "due_at": due, "reason": "it waits for cycle"}]
    waiting.append({"task": "maintain", "slot": "2022-03-02", "due_at": NOW.isoformat(), "reason": ""})
    beating(tmp_path, running=[{"task": "cycle", "slot": "2022-03-01"}], waiting=waiting)
    assert not read_activity(tmp_path, NOW).doing, "what a dead daemon said last is no news"
    limits = {"due_at": NOW, "timeout": timedelta(hours=1), "grace": timedelta(0)}
    order = Job(task="cycle", slot="2022-03-01", attempt=0, run=("cycle",), session=LAST, **limits)
    with hold_daemon_lock(tmp_path / "control"):
        assert read_activity(tmp_path, NOW).doing == ("cycle 2022-03-01",)
        with report_progress(tmp_path, order) as progress:
            progress("feature rows", 8, 31)
            found = read_activity(tmp_path, NOW)
            assert found.doing == ("cycle 2022-03-01: feature rows, 9 of 31",)
            assert found.late == (("train 2022-W09", "train 2022-W09 is 3 h late: it waits for cycle"),)
            progress(HOSTILE[1], 1, 0)
            assert [safe_text(words) for words in read_activity(tmp_path, NOW).doing] == ["cycle 2022-03-01: red"]
        assert read_activity(tmp_path, NOW).doing == ("cycle 2022-03-01",), "a step ends with its work"
        beating(tmp_path, running=[{"task": "request:maintain", "slot": "console-2c9bb574a6934982"}])
        assert read_activity(tmp_path, NOW).doing == ("maintain",)


def judged(status: Status, part: str) -> Health:
    problem = Problem(status, part, f"{part} is broken", "", None, "mend it")
    problems = () if status == "ok" else (problem,)
    return Health(NOW, status, f"{part} is {status}", LAST, problems, (), (), ())


def test_the_verdicts_sentence_is_an_alert_when_it_turns_to_failure_or_fails_by_another_part() -> None:
    well, daemon, disk = judged("ok", "all"), judged("fail", "daemon"), judged("fail", "disk")
    assert verdict_alert(None, daemon) is None, "what was so at the start is on the screen"
    assert verdict_alert(well, daemon) == Alert("daemon is fail", "error")
    assert verdict_alert(daemon, daemon) is None
    assert verdict_alert(daemon, disk) == Alert("disk is fail", "error")
    assert verdict_alert(disk, well) is None
