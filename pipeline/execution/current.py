"""Who does the pieces of the work at hand: this process, unless whoever runs the work has named another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from pipeline.execution.in_process import InProcess
from pipeline.execution.piece import Piece, PieceExecutor, PieceFunction, Told, in_order, tell_nobody

_CURRENT: ContextVar[Callable[[], PieceExecutor | None] | None] = ContextVar("executor", default=None)


@contextmanager
def working_on(choose: Callable[[], PieceExecutor | None]) -> Iterator[None]:
    """Within the block, pieces are done by whom this gives when there are some; None for this process.

    Whoever was named further out stays: a worker does itself what its piece would share out.
    """
    if _CURRENT.get() is not None:
        yield
        return
    token = _CURRENT.set(choose)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def current_executor() -> PieceExecutor | None:
    """Who was named; None where nobody was, or this process is to do it."""
    choose = _CURRENT.get()
    return None if choose is None else choose()


def share_out(
    function: PieceFunction,
    pieces: Sequence[Piece],
    shared: Any = None,
    told: Told = tell_nobody,
    threads: int | None = None,
) -> list[Any]:
    """The results of pieces in their order, done by whoever was named, or in threads of this process.

    Args:
        function, pieces, shared, told: as `as_done` takes them.
        threads: of this process, where it does them; None for as many as there are processors.

    Raises:
        Exception: what the first piece to fail raised.
    """
    executor = current_executor() if len(pieces) > 1 else None
    return in_order(executor or InProcess(threads), function, pieces, shared, told)
