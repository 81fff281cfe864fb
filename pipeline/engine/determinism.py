"""A certificate of determinism: the same training done twice in fresh processes, and whether their weights are equal.

Nothing is attended and nothing is registered: each process computes the training stage at the versions that are newest,
from nothing, and tells the hash of every member's weights.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from lake.errors import LakeError
from lake.store import Lake
from lake.tables.models import CERTIFICATES, MODEL_REGISTRY
from pipeline.config.loading import load
from pipeline.engine.child_command import python_command
from pipeline.engine.code_fingerprint import libraries
from pipeline.engine.executor import Executor
from pipeline.models.jobs.processor import describe_processor
from pipeline.models.train import STAGE
from pipeline.text_format import counted


class NothingTrainedError(LakeError):
    """There is not enough history to train on, so that there are no weights to compare."""


@dataclass(frozen=True)
class Certificate:
    """What two trainings came to."""

    session: date
    rows: pl.DataFrame
    """As they were recorded, one for each member."""

    @property
    def equal(self) -> bool:
        """Whether every member's weights are the same to the bit."""
        return bool(self.rows["equal"].all())

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        members, seconds = counted(len(self.rows), "member"), self.rows["seconds"][0]
        if self.equal:
            known = self.rows["registered_sha256"].drop_nulls()
            same = known.len() == len(self.rows) and bool(
                (self.rows["registered_sha256"] == self.rows["first_sha256"]).all()
            )
            also = ", and so are those that are registered" if same else ""
            return f"trained twice at {self.session} in {seconds:.0f} s: the weights of {members} are equal{also}"
        other = self.rows.filter(~pl.col("equal"))
        return (
            f"trained twice at {self.session}: the weights of {len(other)} of {members} differ, the first is"
            f" {other['member'][0]}: {other['first_sha256'][0][:12]} and {other['second_sha256'][0][:12]}"
        )


def certify(lake: Lake, session: date) -> Certificate:
    """Train twice, each time in a process of its own, and record what came of it.

    Raises:
        NothingTrainedError: if there is not enough to train on.
        LakeError: if a process fails, with what it said last.
    """
    clock = time.monotonic()
    first = _train_in_process(lake.path, session)
    if not first["weights"]:
        raise NothingTrainedError(
            f"nothing can be trained at {session}: there is not enough labelled history; "
            "`nextgen show training_attempts` says how much is lacking"
        )
    second = _train_in_process(lake.path, session)
    rows = _rows(lake, session, first, second, time.monotonic() - clock)
    lake.commit(CERTIFICATES, rows, f"certificate-{rows['at'][0].isoformat()}", {})
    return Certificate(session, rows)


def _rows(lake: Lake, session: date, first: dict[str, Any], second: dict[str, Any], seconds: float) -> pl.DataFrame:
    now, known = datetime.now(UTC), _read_registered(lake, session, first["seed"])
    rows = [
        {
            "at": now,
            "session": session,
            "member": member,
            "first_sha256": sha256,
            "second_sha256": second["weights"][member],
            "equal": sha256 == second["weights"][member],
            "registered_sha256": known.get(member),
            "libraries": json.dumps(first["libraries"], sort_keys=True),
            "cpu": first["cpu"],
            "seconds": seconds,
        }
        for member, sha256 in sorted(first["weights"].items())
    ]
    return CERTIFICATES.check(pl.DataFrame(rows, schema=CERTIFICATES.schema))


def _read_registered(lake: Lake, session: date, seed: int) -> dict[str, str]:
    """Member -> hash of the weights that are registered for a session and a seed."""
    columns = ("model_id", "member", "session", "seed", "weights_sha256")
    mine = (pl.col("session") == session) & (pl.col("seed") == seed)
    return dict(lake.read(MODEL_REGISTRY, where=mine, columns=columns).select("member", "weights_sha256").iter_rows())


def _train_in_process(lake: Path, session: date) -> dict[str, Any]:
    command = python_command("pipeline.engine.determinism", lake, session)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        words = done.stderr.strip().splitlines()
        raise LakeError(f"a process could not train at {session}: {words[-1] if words else 'no word'}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def main() -> None:
    """What each process does: train at the session named on its command line, and tell the hashes."""
    path, session = Path(sys.argv[1]), date.fromisoformat(sys.argv[2])
    executor = Executor(Lake.open(path), load(path, os.environ).settings)
    frames, moment = executor.read_now(STAGE, session, session)
    rows = STAGE.function(*frames.values(), moment, executor.settings.section(STAGE.section))
    told = {
        "weights": dict(rows.select("member", "weights_sha256").iter_rows()),
        "seed": moment.seed,
        "libraries": libraries(),
        "cpu": describe_processor(),
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
