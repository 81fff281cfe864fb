"""What a lake's folder exchanges with the store that the lake is in; nothing where the folder is the lake."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from lake.remote.address import Address


@dataclass
class Turn:
    """A commit that waits for its turn in the store."""

    overtaken: bool = False
    """Whether another working copy was first; nothing is left here of the commit, and it has to be made again."""


@dataclass(frozen=True)
class Pruned:
    """What was removed from a store."""

    objects: int
    bytes: int


class Exchange(Protocol):
    """What a lake's folder exchanges with the store that the lake is in."""

    address: Address | None
    """Where the lake is; None where the folder is the lake."""
    problem: str
    """Why the store could not be looked at last time; what is read is then of before. Empty where it could."""

    def open(self) -> None:
        """Bring the folder to what the store has."""

    def refresh(self) -> None:
        """Follow what others have published, if nobody has looked just now."""

    def fetch(self, paths: Iterable[str]) -> None:
        """Have the contents of data files in the folder."""

    def fetch_all(self) -> None:
        """Have the contents of all data files in the folder."""

    def lease(self, purpose: str) -> AbstractContextManager[None]:
        """Be the one who publishes, for the block."""

    def share(self, purpose: str, *, ends: bool = False) -> None:
        """Bring everything that was written in the folder to the store, in one step."""

    def prepare_new(self) -> None:
        """Note that a lake is about to be made in the folder."""

    def share_new(self) -> None:
        """Bring a lake just made to the store, where there must be none yet."""

    def committing(self, table: str) -> AbstractContextManager[Turn]:
        """One commit to a table that several append to: made in the folder within the block, in the store after it."""

    def prune(self, min_age_seconds: float) -> Pruned:
        """Remove from the store what no state of the lake needs any more."""


class NoStore:
    """The exchange of a folder that is the lake itself: there is nobody to exchange anything with."""

    def __init__(self) -> None:
        self.address: Address | None = None
        self.problem = ""

    def open(self) -> None:
        """The folder is what it is."""

    def refresh(self) -> None:
        """Whoever reads the folder sees what is in it."""

    def fetch(self, paths: Iterable[str]) -> None:
        """Everything is there."""

    def fetch_all(self) -> None:
        """Everything is there."""

    def lease(self, purpose: str) -> AbstractContextManager[None]:  # noqa: ARG002
        """The folder's own lock is enough."""
        return nullcontext()

    def share(self, purpose: str, *, ends: bool = False) -> None:
        """What was written is where it belongs."""

    def prepare_new(self) -> None:
        """A lake may be made here."""

    def share_new(self) -> None:
        """It is where it belongs."""

    def committing(self, table: str) -> AbstractContextManager[Turn]:  # noqa: ARG002
        """The folder tells who was first."""
        return nullcontext(Turn())

    def prune(self, min_age_seconds: float) -> Pruned:  # noqa: ARG002
        """There is nothing else."""
        return Pruned(0, 0)
