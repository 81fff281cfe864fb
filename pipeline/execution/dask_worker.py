"""What a worker of a Dask cluster does with a piece; nothing here imports Dask where it is not installed."""

from __future__ import annotations

import atexit
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.execution.carry_out import carry_out
from pipeline.execution.piece import ExecutionError, Failure, Piece, PieceFunction, Words
from pipeline.execution.program import describe_program, refuse_other
from pipeline.execution.worker_process import leave

Said = tuple[str, int, Words]
"""The attempt, the place in what it said, and the words."""


@dataclass(frozen=True)
class Prepared:
    """What the pieces of one round share, and what a worker has to be for them."""

    program: Mapping[str, str]
    plugins: Mapping[str, str]
    """Path -> hash of the operator's files."""
    shared: Any


def describe_worker() -> dict[str, str]:
    """What the last bits of this process depend on."""
    return describe_program()


def leave_quickly() -> None:
    """Have this process end, when it ends, as ours do."""
    atexit.register(leave)


def keep(prepared: Prepared) -> Prepared:
    """What pieces share, where they are done."""
    return prepared


def do_piece(
    function: PieceFunction, piece: Piece, prepared: Prepared, topic: str, attempt: str
) -> tuple[Any, list[Said]]:
    """Do a piece: its result or its `Failure`, and what it said.

    Words are sent at once, and once more with the result: what travels beside it may come late, or not at all.
    """
    if words := refuse_other(prepared.program, {"one that joined": describe_program()}):
        return Failure(ExecutionError(words), piece.name), []
    from distributed import get_worker

    worker, said = get_worker(), list[Said]()

    def send(words: Words) -> None:
        place = len(said)
        said.append((attempt, place, words))
        worker.log_event(topic, {"piece": piece.name, "attempt": attempt, "place": place, "words": words})

    return carry_out(function, piece, prepared.shared, send), said
