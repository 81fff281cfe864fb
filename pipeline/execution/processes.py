"""Pieces done in processes beside this one; a process that is lost costs its piece, which is begun again in another."""

from __future__ import annotations

import logging
import os
import subprocess
import tempfile
from collections import Counter, deque
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from threading import Lock
from typing import Any

from pipeline.engine.child_command import python_command
from pipeline.execution.carry_out import receive
from pipeline.execution.piece import ExecutionError, Failure, Piece, PieceFunction, Told
from pipeline.execution.plugin_files import list_plugin_files

log = logging.getLogger(__name__)
ONE_THREAD = dict.fromkeys(("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
"""The environment of processes that share the processors out already."""
GRACE = 5.0
"""Seconds that a process has to end by itself."""


class Processes:
    """Processes that are started when they are needed, and wait for more between two pieces of work."""

    def __init__(self, workers: int, retries: int) -> None:
        """Prepare some.

        Args:
            workers: how many, at most.
            retries: how often a piece is begun again whose process was lost.
        """
        self._workers, self._retries = workers, retries
        self._idle: list[_Process] = []
        self._there: set[_Process] = set()
        self._lock = Lock()

    @property
    def at_once(self) -> int:
        """How many pieces are worked on at a time."""
        return self._workers

    def run(
        self, function: PieceFunction, pieces: Sequence[Piece], shared: Any, told: Told
    ) -> Generator[tuple[int, Any], None, None]:
        """Yield the number and the result of each piece as it is done; see `as_done`."""
        with self._lock:
            idle, there = self._idle, self._there
            yield from _ProcessRound(idle, there, function, pieces, shared, told, self._retries).run(self._workers)

    def process_ids(self) -> list[int]:
        """Of those that are there."""
        return sorted(one.process.pid for one in list(self._there))

    def close(self) -> None:
        """End them all."""
        for one in self._idle:
            one.dismiss()
        while self._idle:
            self._idle.pop().end()
        self._there.clear()


class _ProcessRound:
    """Some pieces that are being done."""

    def __init__(
        self,
        idle: list[_Process],
        there: set[_Process],
        function: PieceFunction,
        pieces: Sequence[Piece],
        shared: Any,
        told: Told,
        retries: int,
    ) -> None:
        self._idle, self._function, self._pieces, self._shared, self._told = idle, function, pieces, shared, told
        self._there, self._retries = there, retries
        self._waiting = deque(range(len(pieces)))
        self._busy: dict[Connection, tuple[_Process, int]] = {}
        self._ready: list[_Process] = []
        """Processes that have what the pieces share."""
        self._lost: Counter[int] = Counter()

    def run(self, workers: int) -> Generator[tuple[int, Any], None, None]:
        plugins = list_plugin_files()
        try:
            while self._waiting or self._busy:
                while self._waiting and len(self._busy) < workers:
                    self._give(plugins)
                for answers in wait(list(self._busy)):
                    if (done := self._hear(answers)) is not None:  # type: ignore[arg-type]
                        yield done
        finally:
            for process, _ in self._busy.values():  # what is still at work is not wanted any more
                self._there.discard(process)
                process.end(at_once=True)
            self._idle += self._ready

    def _give(self, plugins: Mapping[str, str]) -> None:
        number = self._waiting.popleft()
        process = self._ready.pop() if self._ready else None
        if process is None:
            process = self._idle.pop() if self._idle else _Process()
            self._there.add(process)
            process.send("plugins", plugins)
            process.send("shared", self._shared)
        process.send("piece", self._function, self._pieces[number])
        self._busy[process.answers] = process, number

    def _hear(self, answers: Connection) -> tuple[int, Any] | None:
        """What a process says: the piece that is done with it, or None."""
        process, number = self._busy[answers]
        piece = self._pieces[number].name
        try:
            kind, content = answers.recv()
        except (EOFError, OSError):
            return self._begin_again(process, number)
        if kind == "told":
            receive(piece, content, self._told)
            return None
        del self._busy[answers]
        self._ready.append(process)
        return number, content

    def _begin_again(self, process: _Process, number: int) -> tuple[int, Failure] | None:
        """Put a piece back whose process was lost; one that was lost too often has failed."""
        del self._busy[process.answers]
        self._there.discard(process)
        words = process.end(at_once=True)
        self._lost[number] += 1
        if self._lost[number] > self._retries:
            piece = self._pieces[number].name
            error = ExecutionError(
                f"the piece {piece!r} was lost {self._lost[number]} times with the process that worked on it, and is"
                f" not begun again (execution.retries): {words}"
            )
            return number, Failure(error, piece)
        self._waiting.appendleft(number)
        return None


class _Process:
    """A process of ours, as we see it."""

    def __init__(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        self.process = subprocess.Popen(
            python_command("pipeline.execution.worker_process"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **ONE_THREAD},
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        self._asked = Connection(os.dup(self.process.stdin.fileno()), readable=False)
        self.answers = Connection(os.dup(self.process.stdout.fileno()), writable=False)
        self.process.stdin.close()
        self.process.stdout.close()

    def send(self, *message: Any) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # that it has gone is noticed where its answer is awaited
            self._asked.send(message)

    def dismiss(self) -> None:
        """Let it end."""
        self._asked.close()

    def end(self, *, at_once: bool = False) -> str:
        """End it, and return in words how it ended."""
        self.dismiss()
        if at_once:
            self.process.kill()
        try:
            self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.answers.close()
        self._errors.seek(0)
        words = self._errors.read().decode(errors="replace").strip()
        self._errors.close()
        log.debug("a worker process ended: %s", words)
        return words.splitlines()[-1] if words else f"it ended with status {self.process.returncode}"
