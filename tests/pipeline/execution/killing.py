"""Kills workers while they work, as machines go that were only lent."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from pipeline.execution.dask_cluster import DaskCluster
from pipeline.execution.processes import Processes


@contextmanager
def killing(
    executor: Processes | DaskCluster, count: int, pause: Callable[[], float] = lambda: 1.0
) -> Iterator[list[int]]:
    """Within the block, kill a worker after each pause, so many in all; the list tells which have been."""
    killed: list[int] = []
    ended = threading.Event()

    def kill() -> None:
        while len(killed) < count and not ended.wait(pause()):
            if ids := executor.process_ids():
                victim = ids[len(killed) % len(ids)]
                with suppress(ProcessLookupError):  # it ended by itself meanwhile
                    os.kill(victim, signal.SIGKILL)
                    killed.append(victim)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        ended.set()
        thread.join()
