"""Since when each task is scheduled as it is: kept in the lake, so that an edit counts from when it was first seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import polars as pl

from lake.contract import RUN_ID
from lake.store import Lake
from lake.tables.control import TASK_DEFINITIONS
from pipeline.control.schedule.backlog import SchedulePeriod
from pipeline.control.schedule.schedule_file import Calendars
from pipeline.control.schedule.task import Schedule, Task
from pipeline.control.schedule.trigger import Trigger, TriggerError, parse_trigger
from pipeline.market.sessions import exchange_sessions


@dataclass(frozen=True, kw_only=True)
class Definition:
    """One row of `task_definitions`."""

    task: str
    since: datetime
    trigger: str
    exchange: str
    zone: str

    @property
    def schedule(self) -> tuple[str, str, str]:
        """What makes two definitions the same."""
        return self.trigger, self.exchange, self.zone


Save = Callable[[Sequence[Definition]], None]
"""Makes definitions durable before they count."""


class Definitions:
    """The schedules of every task as they followed each other."""

    def __init__(self, keep: Save, known: Iterable[Definition] = (), calendars: Calendars = exchange_sessions) -> None:
        self._keep = keep
        self._calendars = calendars
        self._known: dict[str, list[Definition]] = defaultdict(list)
        self._epochs: dict[str, list[SchedulePeriod]] = defaultdict(list)
        for definition in sorted(known, key=lambda one: (one.task, one.since)):
            self._take(definition)

    def epochs(self, task: str) -> Sequence[SchedulePeriod]:
        """The task's schedules, oldest first; none if it was never seen."""
        return self._epochs.get(task, ())

    def see(self, manifest: Schedule, now: datetime) -> list[str]:
        """Take note of what changed since the manifest was last seen; return the tasks concerned."""
        current = {task.name: _define(task, now) for task in manifest.tasks}
        gone = [name for name, known in self._known.items() if name not in current and known[-1].trigger]
        current |= {name: _define_removed(self._known[name][-1], now) for name in gone}
        changed = [
            self._later(definition)
            for definition in current.values()
            if not (known := self._known.get(definition.task)) or known[-1].schedule != definition.schedule
        ]
        if changed:
            self._keep(changed)
            for definition in changed:
                self._take(definition)
        return [definition.task for definition in changed]

    def _take(self, definition: Definition) -> None:
        self._known[definition.task].append(definition)
        self._epochs[definition.task].append(SchedulePeriod(definition.since, self._trigger(definition)))

    def _later(self, definition: Definition) -> Definition:
        """Schedules follow each other in the order they were seen, also if the clock went back between."""
        known = self._known.get(definition.task)
        if not known or definition.since > known[-1].since:
            return definition
        return Definition(**(asdict(definition) | {"since": known[-1].since + timedelta(microseconds=1)}))

    def _trigger(self, definition: Definition) -> Trigger | None:
        if not definition.trigger:
            return None
        try:
            return parse_trigger(definition.trigger, self._calendars(definition.exchange), definition.zone)
        except TriggerError:  # written by a program that knew other triggers: nothing can be owed under it
            return None


def load_definitions(lake: Lake, calendars: Calendars = exchange_sessions) -> Definitions:
    """The definitions as the lake's `task_definitions` tells them; what is seen is committed there."""

    def keep(definitions: Sequence[Definition]) -> None:
        frame = pl.DataFrame([asdict(one) for one in definitions], schema=TASK_DEFINITIONS.schema)
        lake.commit(TASK_DEFINITIONS, TASK_DEFINITIONS.check(frame), f"definitions-{uuid4().hex}", {})

    rows = lake.read(TASK_DEFINITIONS).drop(RUN_ID)
    known = [Definition(**(row | {"since": row["since"].astimezone(UTC)})) for row in rows.iter_rows(named=True)]
    return Definitions(keep, known, calendars)


def _define(task: Task, now: datetime) -> Definition:
    text = task.trigger_text if task.enabled else ""
    return Definition(task=task.name, since=now, trigger=text, exchange=task.exchange, zone=task.zone)


def _define_removed(last: Definition, now: datetime) -> Definition:
    return Definition(task=last.task, since=now, trigger="", exchange=last.exchange, zone=last.zone)
