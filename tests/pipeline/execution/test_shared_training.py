"""Trainings and searches come to the same bits whoever fits their folds and points, and tell the same passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from lake.tables.predictions import QUANTILES
from pipeline.execution.current import working_on
from pipeline.execution.dask_cluster import DaskCluster
from pipeline.execution.in_process import InProcess
from pipeline.execution.params import ExecutionParams
from pipeline.execution.piece import PieceExecutor
from pipeline.execution.processes import Processes
from pipeline.market.sessions import exchange_sessions
from pipeline.models.dataset import Examples, label_examples
from pipeline.models.jobs.training_job import Attendance, Pass, attend
from pipeline.models.members import MEMBERS
from pipeline.models.search.halving import search
from pipeline.models.training import run_training
from pipeline.plugins.load_plugin_file import load_plugin
from tests.frames.models import SMALL, market
from tests.pipeline.execution.killing import killing
from tests.pipeline.models.jobs.killed_training import digest

SEARCHED = replace(
    SMALL, search_space=("lstm.learning_rate=0.001,0.01", "lstm.dropout=0,0.2"), search_points=4, search_halving=2
)
EXAMPLE = Path("docs/examples/alpha_plugin.py").absolute()


def build_examples() -> Examples:
    at = market(tickers=8, sessions=150, signal=0.3, stirring=0.5)
    frames = (at.feature_rows, at.market_prices, at.corporate_actions, at.ticker_universe)
    return label_examples(*frames, at.calendar, SMALL)


@pytest.fixture(scope="module")
def built() -> Examples:
    return build_examples()


@pytest.fixture(scope="module")
def here(built: Examples) -> str:
    return train_and_search(built, InProcess)


@pytest.fixture(scope="module")
def cluster() -> Iterator[DaskCluster]:
    with closing(DaskCluster(ExecutionParams(executor="dask", workers=2))) as made:
        yield made


def train(built: Examples, choose: Callable[[], PieceExecutor | None]) -> str:
    """The digest of a training, which that of a training and a search begins with."""
    with working_on(choose):
        trained = run_training(built, QUANTILES, SMALL, 7)
    assert trained is not None
    return digest(trained)


def train_and_search(built: Examples, choose: Callable[[], PieceExecutor | None]) -> str:
    """The digest of a training, and what each point of a search came to, to the bit."""
    trained = train(built, choose)
    with working_on(choose):
        found = search(built, QUANTILES, SEARCHED, 7, MEMBERS)
    assert found is not None
    trials = [(one.point, one.share, one.score.hex(), one.losses.tobytes()) for one in found.trials]
    return trained + repr((found.best, trials))


@pytest.mark.parametrize("workers", [2, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 3))])
def test_processes_come_to_the_bits_of_this_one(built: Examples, here: str, workers: int) -> None:
    with closing(Processes(workers, retries=0)) as executor:
        assert train_and_search(built, lambda: executor) == here


@pytest.mark.slow
def test_a_cluster_comes_to_the_same_bits(built: Examples, here: str, cluster: DaskCluster) -> None:
    assert train_and_search(built, lambda: cluster) == here


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "count", "work"),
    [("processes", 1, train), *((kind, 3, train_and_search) for kind in ("processes", "dask"))],
)
def test_workers_that_are_killed_change_no_bit(
    built: Examples, here: str, kind: str, count: int, work: Callable[..., str]
) -> None:
    """The small version of tests/torture/test_scale.py."""
    made: Processes | DaskCluster = (
        Processes(2, retries=20) if kind == "processes" else DaskCluster(ExecutionParams(executor="dask", workers=2))
    )
    with closing(made) as executor, killing(executor, count) as killed:
        assert here.startswith(work(built, lambda: executor))
        while len(killed) < count:
            assert here.startswith(work(built, lambda: executor))


@pytest.mark.slow
def test_an_attended_training_tells_every_pass_wherever_it_is_made(
    built: Examples, tmp_path: Path, cluster: DaskCluster
) -> None:
    with closing(Processes(2, retries=0)) as processes:
        told = {
            name: attended(built, tmp_path / name, executor)
            for name, executor in (("here", InProcess()), ("processes", processes), ("dask", cluster))
        }
    assert len(told["here"]) > 10
    assert told["processes"] == told["here"] and told["dask"] == told["here"]
    assert not list(tmp_path.iterdir())  # what each kept of where it stood is gone with its end


def attended(built: Examples, folder: Path, executor: PieceExecutor) -> set[Pass]:
    told: list[Pass] = []
    with attend(Attendance(folder, "same", told.append)), working_on(lambda: executor):
        run_training(built, QUANTILES, SMALL, 7)
    assert len(told) == len(set(told))
    return set(told)


@pytest.mark.slow
def test_a_plugins_member_is_fitted_on_workers(built: Examples, cluster: DaskCluster) -> None:
    members = (*MEMBERS, *load_plugin(EXAMPLE, exchange_sessions()).members)
    assert len(members) > len(MEMBERS)
    digests = set()
    with closing(Processes(2, retries=0)) as processes:
        for executor in (InProcess(), processes, cluster):
            with working_on(lambda executor=executor: executor):
                trained = run_training(built, QUANTILES, SMALL, 7, members=members)
            assert trained is not None
            digests.add(digest(trained))
    assert len(digests) == 1
