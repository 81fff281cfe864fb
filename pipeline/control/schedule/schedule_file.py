"""schedules.toml: read, typed, checked as a whole, and refused with the line and the fix."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from lake.tables import TABLES
from pipeline.config.errors import ConfigError
from pipeline.config.fields import settings_of
from pipeline.config.loading import choice, current_key
from pipeline.config.settings import Settings
from pipeline.control.schedule.task import ACTIONS, ExpectedOutput, Group, Schedule, Task
from pipeline.control.schedule.toml_lines import TomlTable, parse_document, read_text, suggest
from pipeline.control.schedule.trigger import Trigger, TriggerError, parse_duration, parse_trigger
from pipeline.engine.stages import STAGES
from pipeline.ingestion.sources.registry import SOURCES
from pipeline.market.sessions import Sessions, exchange_sessions

Calendars = Callable[[str], Sessions]
FILE_NAME = "schedules.toml"
TASK_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
AHEAD = timedelta(days=400)
"""A trigger that has no slot for so long never fires."""
MIN_MEMORY = 256 << 20
SIZES = {"MB": 1 << 20, "GB": 1 << 30}
TOP_KEYS = ("exchange", "zone", "groups", "tasks")
GROUP_KEYS = ("at_once", "in_order")
OUTPUT_KEYS = ("table", "minimum_rows", "fresh_within")
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
    "failover",
    "catch_up",
    "window",
    "group",
    "settings",
    "enabled",
)
FAILOVERS = ("retry", "skip", "last-good", "stop", "source:NAME")
WINDOWS = {"none": timedelta(minutes=5), "last": timedelta(days=1)}
"""How late a slot may begin where the task does not say."""


def find_schedule_file(lake: Path) -> Path:
    """The lake's own schedule if it has one, else the one that comes with the program."""
    own = lake / FILE_NAME
    if own.is_file():
        return own
    shipped = Path(__file__).with_name(FILE_NAME)
    return shipped if shipped.is_file() else Path(__file__).parents[3] / FILE_NAME


def load_schedule(path: Path, at: datetime | None = None, calendars: Calendars = exchange_sessions) -> Schedule:
    """Read a schedule from a file; see `parse_schedule`."""
    return parse_schedule(read_text(path), str(path), at, calendars)


def parse_schedule(
    text: str, origin: str, at: datetime | None = None, calendars: Calendars = exchange_sessions
) -> Schedule:
    """Read a schedule.

    Args:
        text: TOML.
        origin: what complaints call the text, normally its path.
        at: the moment from which every trigger has to fire some time; now where None.
        calendars: exchange code -> its sessions.

    Raises:
        ScheduleError: naming every line that is wrong, each with the fix.
    """
    top = parse_document(text, origin)
    top.refuse_unknown(TOP_KEYS)
    groups = {name: group for section in top.tables("groups") for name, group in [_parse_group(section)]}
    reader = _TaskReader(top, groups, calendars, at or datetime.now(UTC))
    tasks = {section.path.partition(".")[2]: reader.task(section) for section in top.tables("tasks")}
    if not tasks:
        top.errors.add("", "there is no task; write a table such as [tasks.cycle]")
    _refuse_unknown_dependencies(top, tasks)
    top.errors.check()
    ordered = _sort_by_dependency(top, tasks)
    top.errors.check()
    return Schedule(tasks=tuple(tasks[name] for name in ordered), origin=origin, text=text)


class _TaskReader:
    """Reads one task after the other; what is wrong goes to the document's complaints."""

    def __init__(self, top: TomlTable, groups: Mapping[str, Group], calendars: Calendars, at: datetime) -> None:
        self._groups = groups
        self._calendars = calendars
        self._at = at
        self._exchange = top.read("exchange", str, "XNYS")
        self._zone = top.read("zone", str, "")

    def task(self, section: TomlTable) -> Task:
        section.refuse_unknown(TASK_KEYS)
        name = section.path.partition(".")[2]
        if not TASK_NAME.fullmatch(name):
            section.errors.add(section.path, "a task's name is small letters, digits and hyphens, 40 at most")
        exchange, zone, made = self._trigger(section)
        failover, _, fallback = section.read("failover", str, "skip").partition(":")
        task = Task(
            name=name,
            run=_parse_run(section),
            trigger_text=section.read("trigger", str, ""),
            trigger=made,
            exchange=exchange,
            zone=zone,
            after=section.strings("after"),
            outputs=_parse_outputs(section),
            timeout=_parse_duration(section, "timeout", timedelta(hours=1)),
            grace=_parse_duration(section, "grace", timedelta(seconds=10)),
            memory=_parse_size(section, "memory"),
            retries=section.read("retries", int, 0),
            back_off=_parse_duration(section, "back_off", timedelta(minutes=1)),
            on_failure=failover,
            fallback=fallback,
            catch_up=section.read("catch_up", str, "last"),
            window=_parse_duration(
                section, "window", WINDOWS.get(section.read("catch_up", str, "last"), timedelta(days=1))
            ),
            group=self._find_group(section, name),
            settings=_parse_settings(section),
            enabled=section.read("enabled", bool, True),
        )
        _refuse_contradictions(section, task)
        return task

    def _trigger(self, section: TomlTable) -> tuple[str, str, Trigger | None]:
        exchange = section.read("exchange", str, self._exchange)
        try:
            calendar = self._calendars(exchange)
        except ValueError as error:
            section.add_error("exchange", str(error))
            return exchange, "UTC", None
        zone = section.read("zone", str, self._zone or calendar.zone)
        text = section.read("trigger", str, "")
        if not text:
            section.add_error("trigger", 'it says when the task is due; write for example trigger = "close+20m"')
            return exchange, zone, None
        try:
            ZoneInfo(zone)
            made = parse_trigger(text, calendar, zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            name = "trigger" if isinstance(error, TriggerError) else "zone"
            hint = suggest(zone, available_timezones()) or "; write it as America/New_York"
            section.add_error(name, str(error) if name == "trigger" else f"there is no time zone {zone!r}{hint}")
            return exchange, zone, None
        if next(iter(made.slots(self._at, self._at + AHEAD)), None) is None:
            section.add_error(
                "trigger",
                f"{text!r} never fires on {exchange}: its calendar has no such moment; choose days on which it trades, "
                "or a time of day such as daily 07:00",
            )
        return exchange, zone, made

    def _find_group(self, section: TomlTable, task: str) -> Group:
        named = section.read("group", str, "")
        if named and named not in self._groups:
            hint = suggest(named, self._groups) or f"; write [groups.{named}]"
            section.add_error("group", f"there is no group {named!r}{hint}")
        return self._groups.get(named, Group(name=named or task))


def _parse_group(section: TomlTable) -> tuple[str, Group]:
    section.refuse_unknown(GROUP_KEYS)
    name = section.path.partition(".")[2]
    at_once, in_order = section.read("at_once", int, 1), section.read("in_order", bool, False)
    if not 1 <= at_once <= 64:
        section.add_error("at_once", f"has to lie in 1..64, got {at_once}")
    if in_order and at_once > 1:
        section.add_error("in_order", f"contradicts at_once = {at_once}: what runs side by side has no order")
    return name, Group(name=name, at_once=at_once, in_order=in_order)


def _parse_run(section: TomlTable) -> tuple[str, ...]:
    named = section.strings("run")
    stages = [stage.name for stage in STAGES]
    if not named:
        section.add_error("run", f"it names an action ({', '.join(ACTIONS)}) or stages")
    if len(named) > 1 and any(name in ACTIONS for name in named):
        section.add_error("run", "an action runs by itself; give it a task of its own and order them with `after`")
    for name in named:
        if name not in ACTIONS and name not in stages:
            hint = suggest(name, [*ACTIONS, *stages]) or f"; write {', '.join(ACTIONS)}, or one of `nextgen stages`"
            section.add_error("run", f"there is no stage {name!r}{hint}")
    return named


def _parse_outputs(section: TomlTable) -> tuple[ExpectedOutput, ...]:
    outputs = []
    for number, values in enumerate(section.read("outputs", list, [])):
        if not isinstance(values, dict):
            section.add_error("outputs", f"entry {number + 1} has to be a table such as {{ table = 'predictions' }}")
            continue
        one = TomlTable(values, f"{section.path}.outputs", section.errors)
        for name in sorted(set(values) - set(OUTPUT_KEYS)):
            section.add_error("outputs", f"entry {number + 1} has no key {name!r}{suggest(name, OUTPUT_KEYS)}")
        table, least = str(values.get("table", "")), values.get("minimum_rows", 0)
        if table not in TABLES:
            section.add_error("outputs", f"there is no table {table!r}{suggest(table, TABLES)}")
        if not isinstance(least, int) or isinstance(least, bool) or least < 0:
            section.add_error("outputs", f"minimum_rows is a whole number from 0 up, got {least!r}")
            least = 0
        fresh = _parse_duration(one, "fresh_within", timedelta()) if "fresh_within" in values else None
        outputs.append(ExpectedOutput(table=table, min_rows=least, fresh_within=fresh))
    return tuple(outputs)


def _parse_duration(section: TomlTable, name: str, default: timedelta) -> timedelta:
    text = section.read(name, str, "")
    if not text:
        return default
    try:
        length = parse_duration(text)
    except TriggerError as error:
        section.add_error(name, str(error))
        return default
    if not length:
        section.add_error(name, "has to be longer than nothing")
        return default
    return length


def _parse_size(section: TomlTable, name: str) -> int | None:
    text = section.read(name, str, "")
    if not text:
        return None
    match = re.fullmatch(r"(\d+) ?(MB|GB)", text)
    if match is None or (size := int(match[1]) * SIZES[match[2]]) < MIN_MEMORY:
        section.add_error(name, f"{text!r} is no usable amount; write 4GB or 512MB, at least 256MB")
        return None
    return size


def _parse_settings(section: TomlTable) -> dict[str, Any]:
    chosen = section.read("settings", dict, {})
    known = settings_of(Settings)
    for key, value in chosen.items():
        if current_key(key) not in known:
            section.add_error("settings", f"there is no setting {key!r}{suggest(key, known)}; quote dotted keys")
            continue
        try:
            choice(key, value if isinstance(value, str) else str(value).lower())
        except ConfigError as error:
            section.add_error("settings", str(error))
    return dict(chosen)


def _refuse_contradictions(section: TomlTable, task: Task) -> None:
    """Policies that cannot both be kept."""
    if task.on_failure not in ("retry", "skip", "last-good", "stop", "source"):
        section.add_error("failover", f"there is no failover {task.on_failure!r}{suggest(task.on_failure, FAILOVERS)}")
    if task.on_failure == "source" and task.fallback not in SOURCES:
        others = f"write source:NAME with one of {', '.join(SOURCES)}"
        section.add_error("failover", f"there is no source {task.fallback!r}; {others}")
    if task.on_failure == "source" and not _fetches(task):
        section.add_error(
            "failover", "this task fetches nothing, so no other source can help; choose retry, skip or stop"
        )
    if task.catch_up not in ("none", "last", "all"):
        section.add_error("catch_up", f"is none, last or all, not {task.catch_up!r}")
    if task.catch_up == "all" and "window" not in section.values:
        section.add_error("catch_up", 'all needs a window, so that it is bounded; write for example window = "30d"')
    if task.on_failure == "stop" and task.catch_up != "all":
        section.add_error(
            "failover",
            f"stop contradicts catch_up = {task.catch_up!r}, which passes over what was stopped; "
            'write catch_up = "all" and a window such as "400d"',
        )
    if not 0 <= task.retries <= 100:
        section.add_error("retries", f"has to lie in 0..100, got {task.retries}")
    if "back_off" in section.values and not task.retries and task.on_failure != "retry":
        section.add_error("back_off", "contradicts retries = 0: there is nothing to wait for")
    waits = sum((task.back_off_after(n) for n in range(1, min(task.retries, 100) + 1)), timedelta())
    if waits > task.window:
        section.add_error("retries", f"the pauses add up to {waits}, longer than the window of {task.window}")


def _fetches(task: Task) -> bool:
    landings = {stage.name for stage in STAGES if stage.kind == "landing"}
    return "cycle" in task.run or any(name in landings for name in task.run)


def _refuse_unknown_dependencies(top: TomlTable, tasks: Mapping[str, Task]) -> None:
    for name, task in tasks.items():
        for other in task.after:
            at = f"tasks.{name}.after"
            if other not in tasks:
                top.errors.add(at, f"there is no task {other!r}{suggest(other, tasks)}")
            elif task.enabled and not tasks[other].enabled:
                top.errors.add(at, f"{other!r} is switched off, so this would wait for ever; switch it on or drop it")


def _sort_by_dependency(top: TomlTable, tasks: Mapping[str, Task]) -> list[str]:
    try:
        return list(TopologicalSorter({name: task.after for name, task in tasks.items()}).static_order())
    except CycleError as error:
        circle = list(error.args[1])[::-1]
        top.errors.add(
            f"tasks.{circle[0]}.after",
            f"the tasks wait for each other in a circle: {' after '.join(circle)}; drop one of these",
        )
        return []
