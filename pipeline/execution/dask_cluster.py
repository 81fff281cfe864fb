"""Pieces done by the workers of a Dask cluster: one at an address, or one that is started here for the work."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from itertools import count, islice
from os import cpu_count
from queue import Empty, SimpleQueue
from threading import Lock
from time import monotonic
from typing import Any
from uuid import uuid4
from warnings import catch_warnings

from pipeline.execution.carry_out import receive
from pipeline.execution.dask_worker import Prepared, describe_worker, do_piece, keep, leave_quickly
from pipeline.execution.params import ExecutionParams
from pipeline.execution.piece import ExecutionError, Failure, Piece, PieceFunction, Told, Words
from pipeline.execution.plugin_files import list_plugin_files
from pipeline.execution.processes import ONE_THREAD
from pipeline.execution.program import describe_program, refuse_other

HINT = "pip install 'nextgen-trading[dask]'"
PATIENCE = 30.0
"""Seconds in which a scheduler has to answer, and a first worker to be there."""
LONG = 180.0
"""Seconds without any worker after which pieces are given up."""
LOOK = 5.0
"""Seconds in which no piece was done after which workers are looked after."""
AHEAD = 2
"""Pieces that are under way for each worker: the next one is there when one is done."""

QUIET = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "10s",
}
"""Less often, or never: what Dask looks at for a page that nobody opens here, and each look interrupts a piece."""


class DaskCluster:
    """A cluster as one who has pieces done sees it."""

    def __init__(self, params: ExecutionParams) -> None:
        """Connect to the cluster, or start one, and see to it that its workers are this program.

        Raises:
            ExecutionError: if Dask is not installed, nobody answers, or a worker could compute other bits.
        """
        distributed = import_distributed()
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters of it is told in our words
        self._retries = params.retries
        self._lock = Lock()
        self._count = params.workers or cpu_count() or 1
        self._alone_since: float | None = None
        self._cluster = None if params.address else start_cluster(distributed, params)
        try:
            self._client = connect(distributed, params.address or self._cluster)
            self._program = dict(describe_program())
            self._refuse_others()
            if self._cluster is not None:
                self._client.run(leave_quickly)
        except BaseException:  # an interrupt too leaves no cluster behind
            self.close()
            raise

    @property
    def at_once(self) -> int:
        """How many pieces are worked on at a time."""
        return max(1, sum(int(one) for one in self._client.nthreads().values()))

    def process_ids(self) -> list[int]:
        """Of the workers that were started here."""
        started = [] if self._cluster is None else list(self._cluster.workers.values())
        return [one.pid for one in started if one.pid]

    def run(
        self, function: PieceFunction, pieces: Sequence[Piece], shared: Any, told: Told
    ) -> Generator[tuple[int, Any], None, None]:
        """Yield the number and the result of each piece as it is done; see `as_done`."""
        with self._lock:
            prepared = Prepared(self._program, list_plugin_files(), shared)
            done = _ClusterRound(self._client, self._look_after, function, pieces, prepared, told, self._retries)
            yield from done.run(self.at_once)

    def close(self) -> None:
        """Leave the cluster, and end it where it was started here."""
        for one in (getattr(self, "_client", None), self._cluster):
            if one is not None:
                with suppress(Exception):  # a scheduler that has gone need not be told
                    one.close()

    def _look_after(self) -> None:
        """Start workers anew that are gone from a cluster of our own, where nothing has come for a while.

        Raises:
            ExecutionError: if there has been no worker for long.
        """
        if self._cluster is not None:
            self._cluster.scale(self._count)
        if self._client.nthreads():
            self._alone_since = None
            return
        self._alone_since = self._alone_since or monotonic()
        if monotonic() - self._alone_since > LONG:
            self._alone_since = None
            raise ExecutionError(
                f"the Dask scheduler at {self._client.scheduler.address} has had no worker for {LONG:.0f} s; start"
                " some, and do the same again: what was published stays"
            )

    def _refuse_others(self) -> None:
        try:
            workers = self._client.run(describe_worker)
        except Exception as error:  # what a process raises that cannot load this program
            raise ExecutionError(
                f"a worker cannot load nextgen ({type(error).__name__}: {error}); install the same version there"
            ) from error
        if words := refuse_other(self._program, workers):
            raise ExecutionError(words)


def import_distributed() -> Any:
    """The library.

    Raises:
        ExecutionError: if it is not installed, with the command that installs it.
    """
    try:
        import distributed
    except ModuleNotFoundError as error:
        raise ExecutionError(
            f"execution.executor is dask, and {error.name or 'distributed'} is not installed; run {HINT}, or set"
            " execution.executor to local"
        ) from error
    return distributed


def start_cluster(distributed: Any, params: ExecutionParams) -> Any:
    """A cluster of processes on this machine, which listens to this machine alone."""
    import dask

    settings = {
        # A worker that is lost costs its piece an attempt, and by the scheduler's count those that wait there as well.
        "distributed.scheduler.allowed-failures": params.retries * AHEAD,
        # In the place of Dask's own, which tell the allocator to give back all memory at once: that doubles our work.
        "distributed.nanny.pre-spawn-environ": ONE_THREAD,
        **QUIET,
    }
    with dask.config.set(settings):
        return distributed.LocalCluster(
            n_workers=params.workers or cpu_count() or 1,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
            memory_limit=0,  # what bounds memory is the size of pieces
        )


def connect(distributed: Any, where: Any) -> Any:
    """A client of a cluster that has a worker at least.

    Raises:
        ExecutionError: if nobody answers, or no worker comes.
    """
    try:
        client = distributed.Client(where, timeout=PATIENCE, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise ExecutionError(
            f"no Dask scheduler answers at {where} within {PATIENCE:.0f} s; start one there (dask scheduler), or"
            " correct execution.address"
        ) from error
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError as error:
        client.close()
        raise ExecutionError(
            f"the Dask scheduler at {client.scheduler.address} has no worker; start some: dask worker {where}"
        ) from error
    return client


class _ClusterRound:
    """Some pieces that are being done."""

    def __init__(
        self,
        client: Any,
        look_after: Callable[[], None],
        function: PieceFunction,
        pieces: Sequence[Piece],
        prepared: Prepared,
        told: Told,
        retries: int,
    ) -> None:
        self._client, self._look_after = client, look_after
        self._function, self._pieces, self._prepared = function, pieces, prepared
        self._told, self._retries = told, retries
        self._topic = f"nextgen-{uuid4().hex}"
        self._lost: Counter[int] = Counter()
        self._heard: set[tuple[str, int]] = set()
        self._hearing = Lock()
        self._numbers: dict[Any, int] = {}
        self._attempts = count()
        self._shared: Any = None
        self._ended: SimpleQueue[Any] = SimpleQueue()

    def run(self, workers: int) -> Generator[tuple[int, Any], None, None]:
        self._client.subscribe_topic(self._topic, self._hear)
        try:
            self._send_shared()
            yield from self._collect(workers)
        finally:
            with suppress(Exception):  # where the scheduler has gone there is nothing to cancel
                self._client.cancel(list(self._numbers), force=True)
                self._client.unsubscribe_topic(self._topic)

    def _collect(self, workers: int) -> Generator[tuple[int, Any], None, None]:
        waiting = iter(range(len(self._pieces)))
        for number in islice(waiting, AHEAD * workers):
            self._submit(number)
        while self._numbers:
            future = self._wait()
            number = self._numbers.pop(future)
            if (result := self._take(future, number)) is None:
                self._submit(number)
                continue
            if (following := next(waiting, None)) is not None:
                self._submit(following)
            yield number, result[0]

    def _wait(self) -> Any:
        """The next piece that has ended, in one way or another."""
        while True:
            try:
                return self._ended.get(timeout=LOOK)
            except Empty:
                self._require_scheduler()
                self._look_after()

    def _submit(self, number: int) -> None:
        self._require_scheduler()
        attempt = f"{self._topic}-{number}-{next(self._attempts)}"
        future = self._client.submit(
            do_piece, self._function, self._pieces[number], self._shared, self._topic, attempt, key=attempt, pure=False
        )
        self._numbers[future] = number
        future.add_done_callback(self._ended.put)

    def _send_shared(self) -> None:
        """Give what the pieces share to the workers, as the result of a task: where it is lost, it is made again."""
        if self._prepared.plugins:
            from pipeline.execution.dask_plugins import LoadPlugins  # which imports the library

            self._client.register_plugin(LoadPlugins(self._prepared.plugins))
        with catch_warnings(action="ignore", category=UserWarning):  # of its size
            self._shared = self._client.submit(keep, self._prepared, key=f"{self._topic}-shared", pure=False)
        self._spread_shared()

    def _spread_shared(self) -> None:
        """See to it that every worker has it: where one alone does, the scheduler gives it the pieces of all.

        Where this does not come about, as when a worker is lost meanwhile, it comes with a worker's first piece.
        """
        # The library asserts that some worker has it.
        with suppress(TimeoutError, CancelledError, AssertionError, OSError):
            if self._shared.exception(timeout=PATIENCE) is None:
                self._client.replicate(self._shared)

    def _take(self, future: Any, number: int) -> tuple[Any] | None:
        """The result of a piece; None where it was lost and is to be begun again."""
        piece = self._pieces[number].name
        try:
            result, said = future.result()
        except CancelledError:  # the scheduler knows nothing of it
            self._require_scheduler()
            self._lost[number] += 1
            return None if self._lost[number] <= self._retries else (self._give_up(piece, "it was cancelled"),)
        except Exception as error:  # none of the piece's own, which is a result
            self._require_scheduler()
            if type(error).__name__ == "KilledWorker":  # begun again as often as the scheduler is willing to
                return (self._give_up(piece, str(error)),)
            raise ExecutionError(
                f"a worker could not begin the piece {piece!r}: {type(error).__name__}: {error}"
            ) from error
        for attempt, place, words in said:
            self._tell(piece, attempt, place, words)
        return (result,)

    def _give_up(self, piece: str, words: str) -> Failure:
        error = ExecutionError(
            f"the piece {piece!r} was lost again and again with the worker that was at it, and is not begun again"
            f" (execution.retries is {self._retries}): {words}"
        )
        return Failure(error, piece)

    def _require_scheduler(self) -> None:
        if self._client.status != "running":
            raise ExecutionError(
                f"the Dask scheduler at {self._client.scheduler.address} has gone; see to it that it runs, and do the"
                " same again: what was published stays, and the work is done anew"
            )

    def _hear(self, event: tuple[Any, Mapping[str, Any]]) -> None:
        """In the client's own thread: words that a worker sent while at work."""
        said = event[1]
        self._tell(said["piece"], said["attempt"], said["place"], said["words"])

    def _tell(self, piece: str, attempt: str, place: int, words: Words) -> None:
        """Pass words on that were not heard yet: they come while a piece is at work, and once more with its result."""
        with self._hearing:
            if (attempt, place) in self._heard:
                return
            self._heard.add((attempt, place))
            receive(piece, words, self._told)
