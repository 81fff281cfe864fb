"""How each task was scheduled over time, kept in the lake so that an edit counts from when it was first seen."""

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
        """What two definitions are compared by."""
        return self.trigger, self.exchange, self.zone


Save = Callable[[Sequence[Definition]], None]
"""Writes definitions to disk; they count only once it has returned."""


class Definitions:
    """The schedule periods of every task."""

    def __init__(self, save: Save, known: Iterable[Definition] = (), calendars: Calendars = exchange_sessions) -> None:
        self._save = save
        self._calendars = calendars
        self._known: dict[str, list[Definition]] = defaultdict(list)
        self._periods: dict[str, list[SchedulePeriod]] = defaultdict(list)
        for definition in sorted(known, key=lambda one: (one.task, one.since)):
            self._add(definition)

    def periods(self, task: str) -> Sequence[SchedulePeriod]:
        """The task's schedule periods, oldest first; none if it was never seen."""
        return self._periods.get(task, ())

    def record_schedule(self, schedule: Schedule, now: datetime) -> list[str]:
        """Record what changed since the schedule was last seen; return the names of the tasks that changed."""
        current = {task.name: _define(task, now) for task in schedule.tasks}
        removed = [name for name, known in self._known.items() if name not in current and known[-1].trigger]
        current |= {name: _define_removed(self._known[name][-1], now) for name in removed}
        changed = [
            self._order_after_known(definition)
            for definition in current.values()
            if not (known := self._known.get(definition.task)) or known[-1].schedule != definition.schedule
        ]
        if changed:
            self._save(changed)
            for definition in changed:
                self._add(definition)
        return [definition.task for definition in changed]

    def _add(self, definition: Definition) -> None:
        self._known[definition.task].append(definition)
        self._periods[definition.task].append(SchedulePeriod(definition.since, self._parse_trigger(definition)))

    def _order_after_known(self, definition: Definition) -> Definition:
        """Give periods the order they were seen in, even if the clock went back between them."""
        known = self._known.get(definition.task)
        if not known or definition.since > known[-1].since:
            return definition
        return Definition(**(asdict(definition) | {"since": known[-1].since + timedelta(microseconds=1)}))

    def _parse_trigger(self, definition: Definition) -> Trigger | None:
        if not definition.trigger:
            return None
        try:
            return parse_trigger(definition.trigger, self._calendars(definition.exchange), definition.zone)
        except TriggerError:  # written by a version that knew other triggers: nothing falls due under it
            return None


def load_definitions(lake: Lake, calendars: Calendars = exchange_sessions) -> Definitions:
    """Read the definitions from `task_definitions`; what is recorded is committed there."""

    def save(definitions: Sequence[Definition]) -> None:
        frame = pl.DataFrame([asdict(one) for one in definitions], schema=TASK_DEFINITIONS.schema)
        lake.commit(TASK_DEFINITIONS, TASK_DEFINITIONS.check(frame), f"definitions-{uuid4().hex}", {})

    rows = lake.read(TASK_DEFINITIONS).drop(RUN_ID)
    known = [Definition(**(row | {"since": row["since"].astimezone(UTC)})) for row in rows.iter_rows(named=True)]
    return Definitions(save, known, calendars)


def _define(task: Task, now: datetime) -> Definition:
    text = task.trigger_text if task.enabled else ""
    return Definition(task=task.name, since=now, trigger=text, exchange=task.exchange, zone=task.zone)


def _define_removed(last: Definition, now: datetime) -> Definition:
    return Definition(task=last.task, since=now, trigger="", exchange=last.exchange, zone=last.zone)
