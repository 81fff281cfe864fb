"""What is shared out: pieces, each a pure function of what it is given, and the one way to have many of them done."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from traceback import format_exception
from typing import Any, Protocol

from lake.errors import LakeError

Words = dict[str, Any]
"""What a piece tells while it is at work: names and plain values, as JSON has them."""
Told = Callable[[str, Words], None]
"""Told what a piece tells, by the piece's name; from any thread."""
PieceFunction = Callable[[Any, Any], Any]
"""Of what one piece is given, and of what all of them share; at the top level of a module, where a worker finds it."""


class ExecutionError(LakeError):
    """Work cannot be shared out as it was asked for, or a piece of it was lost."""


@dataclass(frozen=True)
class Piece:
    """One of the pieces that work is split into."""

    name: str
    """In words, for whoever is told of it or reads of its failure."""
    given: Any
    """What the function is given."""


class PieceExecutor(Protocol):
    """Whoever has pieces done."""

    @property
    def at_once(self) -> int:
        """How many pieces are worked on at a time."""

    def run(
        self, function: PieceFunction, pieces: Sequence[Piece], shared: Any, told: Told
    ) -> Generator[tuple[int, Any], None, None]:
        """Yield the number and the result of each piece as it is done, or its `Failure`.

        No more are begun than are worked on at a time. A caller that stops asking, or is interrupted, ends what is at
        work.
        """

    def close(self) -> None:
        """End the processes that were started, or leave the cluster."""


def tell_nobody(_piece: str, _words: Words) -> None:
    """Nobody listens."""


def as_done(
    executor: PieceExecutor,
    function: PieceFunction,
    pieces: Sequence[Piece],
    shared: Any = None,
    told: Told = tell_nobody,
    *,
    keeps_going: bool = False,
) -> Iterator[tuple[int, Any]]:
    """Have pieces done and yield the number and the result of each as it is done, in whatever order.

    Args:
        executor: who does them.
        function: pure, and of the top level of a module.
        pieces: what is to be done.
        shared: what every piece needs beside what it is given; it travels to each worker once.
        told: told what pieces tell while they are at work.
        keeps_going: whether a piece that fails ends none of the others; it then has a `Failure` in place of a result.

    Raises:
        ExecutionError: if a piece was lost with its worker too often, or a worker is not fit for the work.
        Exception: what the first piece to fail raised, with the name of the piece and the trace of where it ran.
    """
    refuse_local(function)
    with closing(executor.run(function, pieces, shared, told)) as done:  # a failure ends what is at work
        for number, result in done:
            if isinstance(result, Failure) and not keeps_going:
                raise result.unpack()
            yield number, result


def in_order(
    executor: PieceExecutor,
    function: PieceFunction,
    pieces: Sequence[Piece],
    shared: Any = None,
    told: Told = tell_nobody,
) -> list[Any]:
    """The results of all pieces in the order of the pieces, whoever did which, and when; see `as_done`."""
    results = dict(as_done(executor, function, pieces, shared, told))
    return [results[number] for number in range(len(pieces))]


def refuse_local(function: PieceFunction) -> None:
    """A function that a worker could not find by its name is refused before anything is begun."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if module in (None, "__main__") or not name or "<" in name:
        raise TypeError(f"{function!r} has no name that a worker could find it by; define it at the top of a module")


# ---- what a piece tells

_TOLD: ContextVar[Callable[[Words], None] | None] = ContextVar("told", default=None)


def tell(**words: Any) -> None:
    """Tell whoever had the piece at hand done how it goes; nobody where there is none."""
    if (told := _TOLD.get()) is not None:
        told(words)


@contextmanager
def listening(told: Callable[[Words], None]) -> Iterator[None]:
    """What is told within the block goes there."""
    token = _TOLD.set(told)
    try:
        yield
    finally:
        _TOLD.reset(token)


# ---- how a piece ends


class RemoteTraceError(Exception):
    """The trace of an error where it happened, in another process."""

    def __init__(self, trace: str) -> None:
        super().__init__(trace)
        self.trace = trace

    def __str__(self) -> str:
        return f'\n"""\n{self.trace}"""'


class PieceFailedError(Exception):
    """A piece raised what cannot be sent from process to process; the text is its own."""


@dataclass(frozen=True)
class Failure:
    """An error as it travels from where a piece failed."""

    error: Exception
    piece: str
    trace: str = ""
    """Of where it happened, if that was in another process."""

    @classmethod
    def of(cls, error: Exception, piece: str) -> Failure:
        """Pack an error for a journey; one that could not be made again elsewhere is told in its words."""
        trace = "".join(format_exception(error))
        try:
            again = type(error)(*error.args)
            same = str(again) == str(error)
        except Exception:  # its class may ask for anything
            same = False
        kept = error.with_traceback(None) if same else PieceFailedError(f"{type(error).__name__}: {error}")
        kept.__cause__ = kept.__context__ = None
        return cls(kept, piece, trace)

    def unpack(self) -> Exception:
        """The error, with where it happened."""
        if self.trace:
            self.error.__cause__ = RemoteTraceError(self.trace)
        self.error.add_note(f"in the piece {self.piece!r}")
        return self.error
