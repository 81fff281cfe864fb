"""What one line of the health report is made of, and how its verdicts rank."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

Status = Literal["ok", "warn", "fail"]
SEVERITY: dict[Status, int] = {"ok": 0, "warn": 1, "fail": 2}
"""Verdict -> how bad it is; the worst of several stands for all."""


class Check(NamedTuple):
    """One thing that was looked at."""

    service: str
    """A stage, a table, or `sources`, `news`, `predictions`, `book`."""
    check: str
    status: Status
    value: float | None
    limit: float | None
    """The level that the value is compared with; None where there is none."""
    message: str


def worst(statuses: Iterable[Status]) -> Status:
    """The worst of the verdicts; `ok` where there are none."""
    return max(statuses, key=SEVERITY.__getitem__, default="ok")
