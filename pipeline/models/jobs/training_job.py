"""A training that is attended: it tells each pass, and keeps where it stands. One that nobody attends does neither.

Neither changes a weight. So the stage that trains stays a function of what it reads: whoever runs it opens an
attendance around it (`attend`), and a run that is repeated to be compared has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from pipeline.execution.piece import Told, tell
from pipeline.models.jobs.checkpoints import Checkpoints, State, remove_checkpoints, remove_old

TRAINING = "training"
"""The folder, in a job's, of what its training keeps."""


@dataclass(frozen=True, kw_only=True)
class Pass:
    """A step of a training that is done."""

    job: str
    """Fingerprint of all that decides its weights."""
    fit: str
    """Which fit of the training: `fold 1` of several, or `final`."""
    part: str
    """What is fitted: a member, or a network of one."""
    number: int
    """Passes done, from 1; of what takes no passes it is the only one."""
    of: int
    """Passes at most."""
    loss: float | None = None
    """Mean loss on the rows it was trained on, in the unit of what it minimises; None where it is not measured."""
    held_loss: float | None = None
    """The same on held-back rows."""
    best: bool = False
    """Whether no earlier pass did better on them."""


def tell_nobody(_told: Pass) -> None:
    """Nobody watches."""


@dataclass(frozen=True)
class TrainingJob:
    """Where a fit keeps its standing and tells its passes; by default nowhere, and nobody."""

    fingerprint: str = ""
    checkpoints: Checkpoints | None = None
    tell: Callable[[Pass], None] = tell_nobody
    place: tuple[str, ...] = ()
    """The fit, then the parts within it."""

    def within(self, name: str) -> TrainingJob:
        """The same for a part of what is fitted."""
        return replace(self, place=(*self.place, name))

    def restore(self) -> State | None:
        """Where this part stood when the training was interrupted; None where it has to begin."""
        return None if self.checkpoints is None else self.checkpoints.restore("/".join(self.place))

    def keep(self, arrays: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """Keep where this part stands."""
        if self.checkpoints is not None:
            self.checkpoints.keep("/".join(self.place), State(arrays, facts))

    def report(self, number: int, of: int, **losses: Any) -> None:
        """Tell that a pass is done; see `Pass`."""
        fit, *parts = self.place or ("",)
        self.tell(Pass(job=self.fingerprint, fit=fit, part=" ".join(parts), number=number, of=of, **losses))

    def share(self) -> tuple[TrainingJob, Told]:
        """The job as a piece has it that may be done elsewhere, and who takes what it tells there.

        Where it keeps its standing is a folder of the lake, which workers see as well.
        """
        if self.tell is tell_nobody:
            return self, lambda _piece, _words: None
        return replace(self, tell=tell_as_piece), lambda _piece, words: self.tell(Pass(**words))


def tell_as_piece(told: Pass) -> None:
    """Tell whoever had the piece done, wherever he is."""
    tell(**asdict(told))


NO_JOB = TrainingJob()
"""A training that nobody attends."""


class Watch(Protocol):
    """Whoever is told of a training's passes, from any thread."""

    def __call__(self, told: Pass) -> None:
        """Be told; never raises."""


@dataclass
class Attendance:
    """A training that is attended, before what it is about is known."""

    folder: Path
    """Where it keeps where it stands."""
    salt: str
    """What decides its weights beside its examples and settings: code, libraries, plugins."""
    tell: Watch
    jobs: list[str] = field(default_factory=list)
    """Fingerprints of what was begun."""

    def begin(self, fingerprint: str, part: str) -> TrainingJob:
        """The job of this fingerprint, with what it left if it was interrupted."""
        self.jobs.append(fingerprint)
        return TrainingJob(fingerprint, Checkpoints(self.folder / part, fingerprint), self.tell)


_ATTENDED: ContextVar[Attendance | None] = ContextVar("attended", default=None)


@contextmanager
def attend(attendance: Attendance) -> Iterator[None]:
    """Attend the training within the block; what it kept is removed when it is done, and stays where it is cut off.

    What other trainings left long ago is stale, and removed.
    """
    remove_old(attendance.folder.parent)
    token = _ATTENDED.set(attendance)
    try:
        yield
    finally:
        _ATTENDED.reset(token)
    remove_checkpoints(attendance.folder)


def begin_job(fingerprint: Callable[[str], str], part: str = TRAINING) -> TrainingJob:
    """The job of the training that begins here; one that nobody attends has no fingerprint, which takes time.

    Args:
        fingerprint: gives it for the attendance's salt.
        part: what is begun of the whole; each keeps its standing by itself.
    """
    attendance = _ATTENDED.get()
    return NO_JOB if attendance is None else attendance.begin(fingerprint(attendance.salt), part)
