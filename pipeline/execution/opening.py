"""Opens who does pieces as the configuration says: once for the program, when there are pieces for the first time."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Lock

from pipeline.execution.params import ExecutionParams
from pipeline.execution.piece import PieceExecutor

_OPEN: dict[ExecutionParams, PieceExecutor] = {}
_OPENING = Lock()


def open_executor(params: ExecutionParams) -> PieceExecutor | None:
    """Who does pieces; None where this process is to.

    What was opened stays open, because to start processes takes seconds, and is closed when the program ends.

    Raises:
        ExecutionError: if a cluster is asked for that cannot be reached, or cannot be trusted with bits.
    """
    if params.executor == "local" and not params.workers:
        return None
    with _OPENING:
        if params not in _OPEN:
            if not _OPEN:
                atexit.register(close_executors)
            _OPEN[params] = _open(params)
        return _OPEN[params]


@contextmanager
def executor_apart(params: ExecutionParams, pieces: int, workers: int | None, usual: int) -> Iterator[PieceExecutor]:
    """Who does pieces in other processes than this one: the cluster that is configured, or fresh processes of ours.

    Args:
        params: the settings.
        pieces: how many there are: no more processes than that are started.
        workers: how many processes do them; None for as many as the settings say.
        usual: how many do where nobody says.

    Raises:
        ExecutionError: as `open_executor` does.
    """
    if params.executor == "dask" and workers is None:
        executor = open_executor(params)
        assert executor is not None
        yield executor
        return
    from pipeline.execution.processes import Processes

    count = min(workers or params.workers or usual, max(pieces, 1))
    with closing(Processes(count, params.retries)) as made:
        yield made


def close_executors() -> None:
    """End what was opened."""
    while _OPEN:
        _, executor = _OPEN.popitem()
        executor.close()


def _open(params: ExecutionParams) -> PieceExecutor:
    if params.executor == "local":
        from pipeline.execution.processes import Processes

        return Processes(params.workers, params.retries)
    from pipeline.execution.dask_cluster import DaskCluster

    return DaskCluster(params)
