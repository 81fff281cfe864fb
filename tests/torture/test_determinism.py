"""Every stage gives the same rows in any process, with any number of threads and whatever Python hashes names to."""

from __future__ import annotations

import json
import os
import random
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.engine.child_command import python_command
from pipeline.engine.stages import TRAINING
from tests.torture.conftest import Benches
from tests.torture.faults import ROOT

PROCESSES = int(os.environ.get("TORTURE_FRESH", "20"))
"""Fresh processes for each number of threads."""


def marks(lake: Path, threads: int, hash_seed: int) -> dict[str, str]:
    """What a fresh process makes of every stage."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": str(hash_seed),
        **dict.fromkeys(("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads)),
    }
    command = python_command("tests.torture.marks", lake)
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    found: dict[str, str] = json.loads(ended.stdout)
    return found


def select_changed(found: Sequence[dict[str, str]]) -> list[str]:
    """The stages that did not come out the same everywhere."""
    return [stage for stage in found[0] if len({one.get(stage) for one in found}) > 1]


@pytest.mark.torture
def test_every_stage_training_included_gives_the_same_rows_in_sixty_fresh_processes(benches: Benches) -> None:
    chance = random.Random(3)
    ways = [(threads, chance.randrange(2**32)) for threads in (1, 2, 4) for _ in range(PROCESSES)]
    found = benches.each("fresh processes", ways, lambda bench, way: marks(bench.prepared.lake, *way))
    assert {stage.name for stage in TRAINING} <= set(found[0]), "no model was trained: nothing was shown of it"
    assert select_changed(found) == []
