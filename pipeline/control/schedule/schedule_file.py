"""Reads schedules.toml: typed, checked as a whole, and refused with the line and the fix."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from lake.tables import TABLES
from pipeline.config import ConfigError
from pipeline.config.fields import settings_of
from pipeline.config.loading import choice, current_key, load
from pipeline.config.settings import Settings
from pipeline.control.schedule.needed_tasks import find_need
from pipeline.control.schedule.task import ACTIONS, ExpectedOutput, Group, Schedule, Task
from pipeline.control.schedule.toml_lines import TomlTable, parse_document, read_text, suggest
from pipeline.control.schedule.trigger import Trigger, TriggerError, parse_duration, parse_trigger
from pipeline.engine.session_order import LANDINGS, ORDER
from pipeline.ingestion.sources.registry import SOURCES
from pipeline.market.sessions import Sessions, exchange_sessions

Calendars = Callable[[str], Sessions]
DEFAULTS = Settings()
FILE_NAME = "schedules.toml"
TASK_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
AHEAD = timedelta(days=400)
"""A trigger without a slot for this long never fires."""
MIN_MEMORY = 256 << 20
SIZES = {"MB": 1 << 20, "GB": 1 << 30}
TOP_KEYS = ("exchange", "zone", "groups", "tasks")
GROUP_KEYS = ("at_once", "in_order")
OUTPUT_KEYS = ("table", "min_rows", "fresh_within")
TASK_KEYS = (
    "run",
    "trigger",
    "exchange",
    "zone",
    "after",
    "outputs",
    "timeout",
    "grace",
    "memory",
    "retries",
    "back_off",
    "on_failure",
    "catch_up",
    "window",
    "group",
    "settings",
    "enabled",
)
OLD_TASK_KEYS = {"failover": "on_failure"}
OLD_OUTPUT_KEYS = {"minimum_rows": "min_rows"}
ON_FAILURE = ("retry", "skip", "last-good", "stop", "source:NAME")
WINDOWS = {"none": timedelta(minutes=5), "last": timedelta(days=1)}
"""How late a slot may start where the task does not say."""


def find_schedule_file(lake: Path) -> Path:
    """The lake's own schedule if it has one, else the one that comes with the program."""
    own = lake / FILE_NAME
    if own.is_file():
        return own
    shipped = Path(__file__).with_name(FILE_NAME)
    return shipped if shipped.is_file() else Path(__file__).parents[3] / FILE_NAME


def load_lake_schedule(lake: Path, now: datetime, calendars: Calendars, file: Path | None = None) -> Schedule:
    """Read the schedule that a daemon would run a lake by, or another file in its place.

    Raises:
        ScheduleError: naming every line that is wrong, each with the fix.
    """
    return load_schedule(file or find_schedule_file(lake), now, calendars, read_settings(lake))


def read_settings(lake: Path) -> Settings:
    """Read what a lake's schedule goes by; the defaults where its configuration cannot be used."""
    try:
        return load(lake, os.environ).settings
    except ConfigError:
        return DEFAULTS


def load_schedule(
    path: Path,
    at: datetime | None = None,
    calendars: Calendars = exchange_sessions,
    settings: Settings = DEFAULTS,
) -> Schedule:
    """Read a schedule from a file; see `parse_schedule`."""
    return parse_schedule(read_text(path), str(path), at, calendars, settings)


def parse_schedule(
    text: str,
    origin: str,
    at: datetime | None = None,
    calendars: Calendars = exchange_sessions,
    settings: Settings = DEFAULTS,
) -> Schedule:
    """Read a schedule.

    A task that takes snapshots or fetches news is on where the configuration asks for them, and off elsewhere;
    `enabled = false` turns it off whatever it says.

    Args:
        text: TOML.
        origin: what errors call the text, normally its path.
        at: the moment from which every trigger has to fire at some time; now where None.
        calendars: exchange code -> its sessions.
        settings: of the lake: they say whose sessions tasks follow that name no exchange of their own, and which
            tasks are needed.

    Raises:
        ScheduleError: naming every line that is wrong, each with the fix.
    """
    top = parse_document(text, origin)
    top.refuse_unknown(TOP_KEYS)
    groups = {name: group for table in top.tables("groups") for name, group in [_parse_group(table)]}
    reader = _TaskReader(top, groups, calendars, at or datetime.now(UTC), settings)
    tasks = {table.path.partition(".")[2]: reader.read(table) for table in top.tables("tasks")}
    if not tasks:
        top.errors.add("", "there is no task; add a table such as [tasks.cycle]")
    _refuse_unknown_dependencies(top, tasks)
    top.errors.check()
    ordered = _sort_by_dependency(top, tasks)
    top.errors.check()
    return Schedule(tasks=tuple(tasks[name] for name in ordered), origin=origin, text=text)


class _TaskReader:
    """Reads one task after the other; what is wrong goes to the document's error list."""

    def __init__(
        self, top: TomlTable, groups: Mapping[str, Group], calendars: Calendars, at: datetime, settings: Settings
    ) -> None:
        self._groups = groups
        self._calendars = calendars
        self._at = at
        self._settings = settings
        self._exchange = top.read("exchange", str, settings.market.exchange)
        self._zone = top.read("zone", str, "")

    def read(self, table: TomlTable) -> Task:
        table = table.accept_old_names(OLD_TASK_KEYS)
        table.refuse_unknown(TASK_KEYS)
        name = table.path.partition(".")[2]
        if not TASK_NAME.fullmatch(name):
            table.errors.add(table.path, "a task's name is lower-case letters, digits and hyphens, at most 40 of them")
        exchange, zone, made = self._read_trigger(table)
        run = _parse_run(table)
        need = find_need(run, self._settings)
        on_failure, _, fallback = table.read("on_failure", str, "skip").partition(":")
        task = Task(
            name=name,
            run=run,
            trigger_text=table.read("trigger", str, ""),
            trigger=made,
            exchange=exchange,
            zone=zone,
            after=table.strings("after"),
            outputs=_parse_outputs(table),
            timeout=_parse_duration(table, "timeout", timedelta(hours=1)),
            grace=_parse_duration(table, "grace", timedelta(seconds=10)),
            memory=_parse_size(table, "memory"),
            retries=table.read("retries", int, 0),
            back_off=_parse_duration(table, "back_off", timedelta(minutes=1)),
            on_failure=on_failure,
            fallback=fallback,
            catch_up=table.read("catch_up", str, "last"),
            window=_parse_duration(
                table, "window", WINDOWS.get(table.read("catch_up", str, "last"), timedelta(days=1))
            ),
            group=self._find_group(table, name),
            settings=_parse_settings(table),
            enabled=table.read("enabled", bool, True) and (need is None or need.is_there),
            need=need.reason if need else "",
        )
        _refuse_contradictions(table, task)
        return task

    def _read_trigger(self, table: TomlTable) -> tuple[str, str, Trigger | None]:
        exchange = table.read("exchange", str, self._exchange)
        try:
            calendar = self._calendars(exchange)
        except ValueError as error:
            table.add_error("exchange", str(error))
            return exchange, "UTC", None
        zone = table.read("zone", str, self._zone or calendar.zone)
        text = table.read("trigger", str, "")
        if not text:
            table.add_error(
                "trigger", 'is missing: it says when the task is due; write for example trigger = "close+20m"'
            )
            return exchange, zone, None
        try:
            ZoneInfo(zone)
            made = parse_trigger(text, calendar, zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            name = "trigger" if isinstance(error, TriggerError) else "zone"
            hint = suggest(zone, available_timezones()) or "; write it as America/New_York"
            table.add_error(name, str(error) if name == "trigger" else f"there is no time zone {zone!r}{hint}")
            return exchange, zone, None
        if next(iter(made.slots(self._at, self._at + AHEAD)), None) is None:
            table.add_error(
                "trigger",
                f"{text!r} never fires on {exchange}: its calendar has no such moment; choose trading days, "
                "or a time of day such as daily 07:00",
            )
        return exchange, zone, made

    def _find_group(self, table: TomlTable, task: str) -> Group:
        named = table.read("group", str, "")
        if named and named not in self._groups:
            hint = suggest(named, self._groups) or f"; write [groups.{named}]"
            table.add_error("group", f"there is no group {named!r}{hint}")
        return self._groups.get(named, Group(name=named or task))


def _parse_group(table: TomlTable) -> tuple[str, Group]:
    table.refuse_unknown(GROUP_KEYS)
    name = table.path.partition(".")[2]
    at_once, in_order = table.read("at_once", int, 1), table.read("in_order", bool, False)
    if not 1 <= at_once <= 64:
        table.add_error("at_once", f"must be between 1 and 64, got {at_once}")
    if in_order and at_once > 1:
        table.add_error("in_order", f"contradicts at_once = {at_once}: tasks that run at the same time have no order")
    return name, Group(name=name, at_once=at_once, in_order=in_order)


def _parse_run(table: TomlTable) -> tuple[str, ...]:
    named = table.strings("run")
    if not named:
        table.add_error("run", f"is missing: it names an action ({', '.join(ACTIONS)}) or stages")
    if len(named) > 1 and any(name in ACTIONS for name in named):
        table.add_error(
            "run", "an action cannot be combined with others; give it its own task and order them with `after`"
        )
    for name in named:
        if name not in ACTIONS and name not in ORDER:
            hint = suggest(name, [*ACTIONS, *ORDER]) or f"; write {', '.join(ACTIONS)}, or one of `nextgen stages`"
            table.add_error("run", f"there is no stage {name!r}{hint}")
    return named


def _parse_outputs(table: TomlTable) -> tuple[ExpectedOutput, ...]:
    outputs = []
    for number, values in enumerate(table.read("outputs", list, []), 1):
        if isinstance(values, dict):
            entry = TomlTable(values, f"{table.path}.outputs", table.errors).accept_old_names(OLD_OUTPUT_KEYS)
            outputs.append(_parse_output(table, entry, number))
        else:
            table.add_error("outputs", f"entry {number} must be a table such as {{ table = 'predictions' }}")
    return tuple(outputs)


def _parse_output(task: TomlTable, entry: TomlTable, number: int) -> ExpectedOutput:
    for name in sorted(set(entry.values) - set(OUTPUT_KEYS)):
        task.add_error("outputs", f"entry {number} has an unknown key {name!r}{suggest(name, OUTPUT_KEYS)}")
    table, min_rows = str(entry.values.get("table", "")), entry.values.get("min_rows", 0)
    if table not in TABLES:
        task.add_error("outputs", f"there is no table {table!r}{suggest(table, TABLES)}")
    if not isinstance(min_rows, int) or isinstance(min_rows, bool) or min_rows < 0:
        task.add_error("outputs", f"{entry.written.get('min_rows', 'min_rows')} must be 0 or more, got {min_rows!r}")
        min_rows = 0
    fresh = _parse_duration(entry, "fresh_within", timedelta()) if "fresh_within" in entry.values else None
    return ExpectedOutput(table=table, min_rows=min_rows, fresh_within=fresh)


def _parse_duration(table: TomlTable, name: str, default: timedelta) -> timedelta:
    text = table.read(name, str, "")
    if not text:
        return default
    try:
        length = parse_duration(text)
    except TriggerError as error:
        table.add_error(name, str(error))
        return default
    if not length:
        table.add_error(name, "must be longer than zero")
        return default
    return length


def _parse_size(table: TomlTable, name: str) -> int | None:
    text = table.read(name, str, "")
    if not text:
        return None
    match = re.fullmatch(r"(\d+) ?(MB|GB)", text)
    if match is None or (size := int(match[1]) * SIZES[match[2]]) < MIN_MEMORY:
        table.add_error(name, f"{text!r} is not an amount of memory; write 4GB or 512MB, at least 256MB")
        return None
    return size


def _parse_settings(table: TomlTable) -> dict[str, Any]:
    chosen = table.read("settings", dict, {})
    known = settings_of(Settings)
    for key, value in chosen.items():
        if current_key(key) not in known:
            table.add_error("settings", f"there is no setting {key!r}{suggest(key, known)}; quote dotted keys")
            continue
        try:
            choice(key, value if isinstance(value, str) else str(value).lower())
        except ConfigError as error:
            table.add_error("settings", str(error))
    return dict(chosen)


def _refuse_contradictions(table: TomlTable, task: Task) -> None:
    """Refuse policies that contradict each other."""
    if task.on_failure not in ("retry", "skip", "last-good", "stop", "source"):
        table.add_error("on_failure", f"there is no policy {task.on_failure!r}{suggest(task.on_failure, ON_FAILURE)}")
    if task.on_failure == "source" and task.fallback not in SOURCES:
        others = f"write source:NAME with one of {', '.join(SOURCES)}"
        table.add_error("on_failure", f"there is no source {task.fallback!r}; {others}")
    if task.on_failure == "source" and not _fetches(task):
        table.add_error(
            "on_failure", "this task fetches nothing, so another source cannot help; choose retry, skip or stop"
        )
    if task.catch_up not in ("none", "last", "all"):
        table.add_error("catch_up", f"must be none, last or all, got {task.catch_up!r}")
    if task.catch_up == "all" and "window" not in table.values:
        table.add_error("catch_up", 'all needs a window to bound it; write for example window = "30d"')
    if task.on_failure == "stop" and task.catch_up != "all":
        table.add_error(
            "on_failure",
            f"stop contradicts catch_up = {task.catch_up!r}, which skips what was stopped; "
            'write catch_up = "all" and a window such as "400d"',
        )
    if not 0 <= task.retries <= 100:
        table.add_error("retries", f"must be between 0 and 100, got {task.retries}")
    if "back_off" in table.values and not task.retries and task.on_failure != "retry":
        table.add_error("back_off", "has no effect with retries = 0; set retries or drop it")
    waits = sum((task.back_off_after(n) for n in range(1, min(task.retries, 100) + 1)), timedelta())
    if waits > task.window:
        table.add_error("retries", f"the back-offs add up to {waits}, longer than the window of {task.window}")


def _fetches(task: Task) -> bool:
    return bool({"cycle", "snapshot", "news"} & set(task.run)) or any(name in LANDINGS for name in task.run)


def _refuse_unknown_dependencies(top: TomlTable, tasks: Mapping[str, Task]) -> None:
    for name, task in tasks.items():
        for other in task.after:
            at = f"tasks.{name}.after"
            if other not in tasks:
                top.errors.add(at, f"there is no task {other!r}{suggest(other, tasks)}")
            elif task.enabled and not tasks[other].enabled:
                top.errors.add(at, f"{other!r} is disabled, so this would never run; enable it or drop it")


def _sort_by_dependency(top: TomlTable, tasks: Mapping[str, Task]) -> list[str]:
    try:
        return list(TopologicalSorter({name: task.after for name, task in tasks.items()}).static_order())
    except CycleError as error:
        circle = list(error.args[1])[::-1]
        top.errors.add(
            f"tasks.{circle[0]}.after",
            f"the tasks wait for each other in a circle: {' after '.join(circle)}; drop one of them",
        )
        return []
