"""What a detector of leaks says: first of a leak that was planted for it, then of what it was asked about.

A detector that stays silent about a planted leak says nothing by its silence, and is told as broken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

State = Literal["clean", "leak", "broken", "not checked"]
PLANTED = "planted_"
"""Begins the names of what is planted."""


@dataclass(frozen=True)
class Leak:
    """Something that knows what it must not."""

    subject: str
    """The feature, member or fold."""
    count: int
    """Values, forecasts or labels that show it."""
    first: str
    """The first of them, in words."""


@dataclass(frozen=True)
class Detection:
    """A detector's verdict."""

    detector: str
    question: str
    """What it looks for, in words."""
    checked: int
    """Subjects asked about, without the planted."""
    leaks: tuple[Leak, ...]
    fired: bool
    """Whether it found what was planted."""
    remark: str = ""
    """Why it could not be asked, or is broken."""

    @property
    def state(self) -> State:
        """In a word."""
        if not self.checked and not self.fired:
            return "not checked"
        return "broken" if not self.fired else "leak" if self.leaks else "clean"


def judge(detector: str, question: str, subjects: Iterable[str], found: Mapping[str, Leak]) -> Detection:
    """A detector's verdict from what it found of all subjects, the planted among them.

    Args:
        detector, question: see `Detection`.
        subjects: all that it was asked about.
        found: subject -> its leak.
    """
    subjects = list(subjects)
    planted = [name for name in subjects if name.startswith(PLANTED)]
    silent = [name for name in planted if name not in found]
    leaks = tuple(one for name, one in found.items() if name not in planted)
    remark = f"it does not find what was planted: {', '.join(silent)}" if silent else ""
    return Detection(detector, question, len(subjects) - len(planted), leaks, bool(planted) and not silent, remark)
