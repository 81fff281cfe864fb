"""A training that was killed is taken up where it stood, and its weights are those of one that never was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.models.jobs.checkpoints import Checkpoints, State, remove_checkpoints
from pipeline.models.jobs.training_job import TRAINING, Attendance, Pass, TrainingJob, attend, begin_job


def killed(folder: Path, rounds: Sequence[str]) -> dict[str, Any]:
    command = [sys.executable, "-P", "-m", "tests.pipeline.models.jobs.killed_training", str(folder), *rounds]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_training_killed_at_any_moment_ends_with_the_same_weights(tmp_path: Path) -> None:
    found = killed(tmp_path, ["0,11,2,5"])
    assert len(found["whole"]) == len("digest ") + 64
    (one,) = found["rounds"]
    assert one["digest"] == found["whole"]
    assert not one["left"], "what a training kept is removed when it is done"
    passes = set(one["ended"]).union(*one["killed"])
    assert len(one["ended"]) < len(passes) - 10, "what was done before is not done again"
    assert not set(one["ended"]) & set(one["killed"][1][:-4]), "but for passes that were not kept yet"


@pytest.mark.slow
def test_a_training_killed_at_fifty_moments_ends_with_the_same_weights(tmp_path: Path) -> None:
    drawn = np.random.default_rng(5)
    once = [str(moment) for moment in range(26)]
    chains = [",".join(map(str, drawn.integers(0, 7, size=6))) for _ in range(4)]
    found = killed(tmp_path, [*once, *chains])
    assert sum(len(one["killed"]) for one in found["rounds"]) == 50
    assert {one["digest"] for one in found["rounds"]} == {found["whole"]}


def test_what_was_torn_or_altered_counts_as_not_there(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path / "job", "a" * 16)
    state = State({"w": np.arange(6, dtype=np.float32).reshape(2, 3)}, {"epoch": 2, "trust": (0.1, 1 / 3)})
    kept.keep("fold 1/lstm", state)
    found = kept.restore("fold 1/lstm")
    assert found is not None
    assert found.facts == state.facts
    assert np.array_equal(found.arrays["w"], state.arrays["w"])
    assert kept.restore("fold 2/lstm") is None
    file = next((tmp_path / "job").glob("*.state"))
    whole = file.read_bytes()
    for damaged in (b"", whole[:70], whole[:-1], whole[:90] + bytes([whole[90] ^ 1]) + whole[91:]):
        file.write_bytes(damaged)
        assert kept.restore("fold 1/lstm") is None


def test_what_would_come_back_as_something_else_is_not_kept(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path / "job", "a" * 16)
    for facts in ({"by_number": {1: 2.0}}, {"array": np.float32(1)}, {"list": [1]}):
        kept.keep("plugin", State({}, facts))
        assert kept.restore("plugin") is None


def test_checkpoints_of_another_training_are_stale_and_removed(tmp_path: Path) -> None:
    Checkpoints(tmp_path / "job", "a" * 16).keep("part", State({"w": np.ones(1)}))
    assert Checkpoints(tmp_path / "job", "a" * 16).restore("part") is not None
    assert Checkpoints(tmp_path / "job", "b" * 16).restore("part") is None
    assert Checkpoints(tmp_path / "job", "a" * 16).restore("part") is None


def test_what_was_left_long_ago_is_removed_with_the_next_training(tmp_path: Path) -> None:
    for name, days in (("old", 8), ("new", 1)):
        Checkpoints(tmp_path / name / TRAINING, "a" * 16).keep("part", State({"w": np.ones(1)}))
        then = time.time() - days * 24 * 3600
        for one in (tmp_path / name, *(tmp_path / name).rglob("*")):
            os.utime(one, (then, then))
    with attend(Attendance(tmp_path / "job", "salt", lambda _: None)):
        assert sorted(one.name for one in tmp_path.iterdir()) == ["new"]


def test_a_training_is_attended_only_within_its_attendance(tmp_path: Path) -> None:
    told: list[Pass] = []
    with attend(Attendance(tmp_path / "job", "salt", told.append)):
        job = begin_job(lambda salt: salt.ljust(16, "0"))
        job.within("final").within("ridge").report(1, 2, loss=0.5)
        assert (tmp_path / "job").is_dir()
    assert not (tmp_path / "job").exists()
    assert told == [Pass(job="salt000000000000", fit="final", part="ridge", number=1, of=2, loss=0.5)]
    assert begin_job(lambda _: pytest.fail("nobody asks for it")) == TrainingJob()


def test_what_a_training_kept_stays_where_it_is_cut_off(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), attend(Attendance(tmp_path / "job", "salt", lambda _: None)):
        begin_job(lambda _: "a" * 16).within("final").keep({"w": np.ones(1)}, {})
        raise KeyboardInterrupt
    assert Checkpoints(tmp_path / "job" / TRAINING, "a" * 16).restore("final") is not None
    remove_checkpoints(tmp_path / "job")
    assert not (tmp_path / "job").exists()
