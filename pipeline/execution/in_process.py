"""Pieces done in this process: one after the other, or side by side in threads where they compute outside Python."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import partial
from os import cpu_count
from typing import Any

from pipeline.execution.piece import Failure, Piece, PieceFunction, Told, listening


class InProcess:
    """Does pieces here; what they raise is raised as it is."""

    def __init__(self, threads: int | None = 1) -> None:
        """Take as many threads as are asked for; None for as many as there are processors."""
        self._threads = threads or cpu_count() or 1

    @property
    def at_once(self) -> int:
        """How many pieces are worked on at a time."""
        return self._threads

    def run(
        self, function: PieceFunction, pieces: Sequence[Piece], shared: Any, told: Told
    ) -> Generator[tuple[int, Any], None, None]:
        """Yield the number and the result of each piece as it is done."""
        calls = [partial(_do, function, piece, shared, told) for piece in pieces]
        if min(self._threads, len(calls)) <= 1:
            for number, call in enumerate(calls):
                yield number, call()
        else:
            yield from self._side_by_side(calls)

    def close(self) -> None:
        """Nothing was started."""

    def _side_by_side(self, calls: Sequence[Callable[[], Any]]) -> Generator[tuple[int, Any], None, None]:
        with ThreadPoolExecutor(min(self._threads, len(calls))) as pool:
            numbers: dict[Future[Any], int] = {}
            try:
                for number, call in enumerate(calls):
                    numbers[pool.submit(copy_context().run, call)] = number
                while numbers:
                    # In the order of the pieces among those that are done: of two that failed, the first is raised.
                    for one in sorted(wait(numbers, return_when=FIRST_COMPLETED).done, key=numbers.__getitem__):
                        yield numbers.pop(one), one.result()
            finally:  # nobody asks any more, or the operator has had enough: begin nothing more
                pool.shutdown(wait=False, cancel_futures=True)


def _do(function: PieceFunction, piece: Piece, shared: Any, told: Told) -> Any:
    with listening(partial(told, piece.name)):
        try:
            return function(piece.given, shared)
        except Exception as error:  # whoever asked decides whether it ends the others
            return Failure(error, piece.name)
