"""The parts of a task's definition: what it runs, what it has to leave behind, and what happens when it fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from pipeline.control.schedule.trigger import Trigger

CatchUp = Literal["none", "last", "all"]
OnFailure = Literal["retry", "skip", "last-good", "source", "stop"]
ACTIONS = {
    "cycle": "the whole loop of a session",
    "snapshot": "the bars within sessions that have ended by now",
    "news": "the news since the last close, for the cycle to come",
    "train": "train a challenger and evaluate it",
    "maintain": "maintain the lake",
    "recover": "finish what a crash interrupted",
}
"""What a task can run besides stages."""
OPERATOR_ACTIONS = {
    "reproduce": "a run or a cycle, computed again and compared bit by bit",
    "promote": "a model to make champion",
    "rollback": "the champion to replace by the previous one",
}
"""What only a person requests, and no schedule."""
MAX_BACK_OFF = timedelta(minutes=30)


@dataclass(frozen=True, kw_only=True)
class ExpectedOutput:
    """What a table must contain once the task is done."""

    table: str
    min_rows: int = 0
    """Rows for the slot's session, or in all where the table has no session."""
    fresh_within: timedelta | None = None
    """How far the newest value of the table's clock may lie behind the slot's session or due moment."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Tasks that share a limit: at most `at_once` of them run at the same time."""

    name: str
    at_once: int = 1
    in_order: bool = False
    """True where a slot waits for all that were due before it, so that none overtakes a retry."""


SEARCH = "search"
"""The target of a training that searches for settings of the members first."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One task of the schedule."""

    name: str
    run: tuple[str, ...]
    """An action, or stages in their order."""
    trigger_text: str
    trigger: Trigger | None
    """None for what a person requests: it is due at once."""
    exchange: str
    zone: str
    after: tuple[str, ...] = ()
    outputs: tuple[ExpectedOutput, ...] = ()
    timeout: timedelta = timedelta(hours=1)
    grace: timedelta = timedelta(seconds=10)
    """The time between SIGTERM and SIGKILL."""
    memory: int | None = None
    """Bytes of address space."""
    retries: int = 0
    back_off: timedelta = timedelta(minutes=1)
    """The wait before the first retry; it doubles with each, up to half an hour."""
    on_failure: OnFailure = "skip"
    fallback: str = ""
    """The source to use instead, where `on_failure` is `source`."""
    catch_up: CatchUp = "last"
    window: timedelta = timedelta(days=1)
    """How late a slot may still start."""
    group: Group = field(default_factory=lambda: Group(name=""))
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Dotted key -> value; overrides the lake's configuration."""
    target: str = ""
    """What a training that a person requested is for; empty for all names."""
    enabled: bool = True
    need: str = ""
    """The setting that turned it on or off, in words; empty where none does."""

    def back_off_after(self, failures: int) -> timedelta:
        """How long to wait after this many failures in a row (1 or more)."""
        doubled: timedelta = self.back_off * (1 << min(failures - 1, 20))
        return min(doubled, max(MAX_BACK_OFF, self.back_off))


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Every task, each after those it depends on."""

    tasks: tuple[Task, ...]
    origin: str
    text: str = field(default="", repr=False)
    """What it was read from."""

    def task(self, name: str) -> Task | None:
        """The task of that name, if there is one."""
        return next((task for task in self.tasks if task.name == name), None)
