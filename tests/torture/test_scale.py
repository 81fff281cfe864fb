"""Workers are killed at random moments: what they were to compute comes out the same, and nothing of theirs is left."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lake.runs import Run
from lake.store import Lake
from lake.tables.features import FEATURE_ROWS
from pipeline.engine.runner import Runner
from pipeline.engine.session_order import find_stage
from pipeline.execution.current import working_on
from pipeline.execution.dask_cluster import DaskCluster
from pipeline.execution.params import ExecutionParams
from pipeline.execution.processes import Processes
from tests.copies import copy_lake
from tests.new_lake import new_lake
from tests.pipeline.engine.test_in_parts import SETTINGS
from tests.pipeline.execution.killing import killing
from tests.pipeline.execution.test_shared_training import build_examples, train_and_search

KILLS = 50
PARTS = ExecutionParams(piece_rows=1_500)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scale") / "lake"
    runner = Runner(new_lake(path), SETTINGS)
    last = runner.source.coverage()[1]
    first = runner.calendar.offset(last, -600)
    runner.backfill(first, last)
    for name in ("constituents", "universe"):
        runner.run_stage(find_stage(name), last, first)
    return path


@contextmanager
def workers(kind: str, count: int) -> Iterator[Processes | DaskCluster]:
    made = (
        Processes(count, retries=KILLS)
        if kind == "processes"
        else DaskCluster(ExecutionParams(executor="dask", workers=count, retries=100))
    )
    with closing(made):
        yield made


def compute(history: Path, path: Path) -> Run:
    copy_lake(history, path)
    runner = Runner(Lake.open(path), replace(SETTINGS, execution=PARTS))
    run = runner.run_stage(find_stage("features"), runner.source.coverage()[1])
    named = {file.path for file in runner.lake.files(FEATURE_ROWS, run.output_version or 0)}
    assert {one.name for one in Path(runner.lake.uri(FEATURE_ROWS)).glob("*.parquet")} == named
    return run


@pytest.mark.torture
@pytest.mark.parametrize("kind", ["processes", "dask"])
def test_workers_killed_at_fifty_random_moments_change_no_row_of_a_backfill(
    history: Path, tmp_path: Path, kind: str
) -> None:
    """The small version is in tests/pipeline/execution/test_shared_training.py."""
    expected, rounds = compute(history, tmp_path / "alone").fingerprint, 0
    pause = random.Random(23)
    with workers(kind, 2) as executor, killing(executor, KILLS, lambda: pause.uniform(0.2, 3.0)) as killed:
        while len(killed) < KILLS:
            with working_on(lambda: executor):
                assert compute(history, tmp_path / str(rounds)).fingerprint == expected
            rounds += 1


@pytest.mark.torture
@pytest.mark.parametrize("kind", ["processes", "dask"])
def test_workers_killed_at_fifty_random_moments_change_no_bit_of_trainings(kind: str) -> None:
    built, pause = build_examples(), random.Random(24)
    with workers(kind, 3) as executor, killing(executor, KILLS, lambda: pause.uniform(0.2, 3.0)) as killed:
        expected = train_and_search(built, lambda: None)
        while len(killed) < KILLS:
            assert train_and_search(built, lambda: executor) == expected


@pytest.mark.torture
@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("kind", ["processes", "dask"])
def test_any_number_of_workers_gives_the_same_rows(history: Path, tmp_path: Path, kind: str, count: int) -> None:
    expected = compute(history, tmp_path / "alone").fingerprint
    with workers(kind, count) as executor, working_on(lambda: executor):
        assert compute(history, tmp_path / "shared").fingerprint == expected
