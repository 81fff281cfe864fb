"""Runs many variants at once, each in a process of its own or on a cluster; one that fails ends none of the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from time import perf_counter

from pipeline.config.loading import load
from pipeline.execution.opening import executor_apart
from pipeline.execution.piece import Failure, Piece, Words, as_done, tell
from pipeline.research.variants.variant_branch import run_variant

Told = Callable[[str, int, int], None]
"""Told which variant is at which session, of how many."""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How a variant ended."""

    branch: str
    computed: int
    taken: int
    seconds: float
    error: str
    """Its last words where it failed; empty where it did not."""


def run_variants(
    parent: Path,
    branches: Mapping[Path, bool],
    last: date,
    workers: int | None = None,
    told: Told = lambda *_: None,
) -> Iterator[Finished]:
    """Run variants side by side, and yield each as it ends.

    Args:
        parent: the lake that they fork from, whose configuration says who runs them.
        branches: their folders -> whether today's code is tried as well.
        last: the session that they are run to.
        workers: processes at a time; None for as many as the configuration says, or as there are processors.
        told: of progress.
    """
    execution = load(parent, os.environ).settings.execution
    pieces = [Piece(path.name, one) for path, one in zip(branches, branches.items(), strict=True)]
    with executor_apart(execution, len(pieces), workers, os.cpu_count() or 1) as executor:
        hear = partial(_hear, told)
        for _, result in as_done(executor, run_piece, pieces, (parent, last), hear, keeps_going=True):
            yield _describe_failure(result) if isinstance(result, Failure) else result


def run_piece(given: tuple[Path, bool], shared: tuple[Path, date]) -> Finished:
    """Run a variant to the session asked for; where its process is lost, the next goes on from its last session."""
    (branch, tries_code), (parent, last), begun = given, shared, perf_counter()

    def say(_: str, done: int, total: int) -> None:
        tell(done=done, total=total)

    ran = run_variant(parent, branch, last, say, tries_code=tries_code)
    computed, taken = (sum(getattr(one, name) for one in ran) for name in ("computed", "taken"))
    return Finished(branch=branch.name, computed=computed, taken=taken, seconds=perf_counter() - begun, error="")


def _hear(told: Told, branch: str, words: Words) -> None:
    told(branch, words["done"], words["total"])


def _describe_failure(failure: Failure) -> Finished:
    words = f"{type(failure.error).__name__}: {failure.error}"
    return Finished(branch=failure.piece, computed=0, taken=0, seconds=0.0, error=words)
