"""Requests to the daemon: appended once under an id made by the caller, then turned into a task or refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

import polars as pl

from lake.contract import RUN_ID
from lake.errors import ConflictError
from lake.store import Lake
from lake.tables.control import TASK_ATTEMPTS, TASK_REQUESTS
from pipeline.control.schedule.journal import SlotState, parse_events
from pipeline.control.schedule.task import ACTIONS, OPERATOR_ACTIONS, SEARCH, Group, Schedule, Task
from pipeline.engine.session_order import require_stage
from pipeline.models.targets.target import parse_target

WORK = ("run", "task", *ACTIONS, *OPERATOR_ACTIONS)
"""Actions that start a worker."""
STEERING = ("cancel", "retry", "skip")
"""Actions on another slot: they are carried out as soon as they are read."""
EXPIRES_AFTER = timedelta(hours=24)
"""A request that no daemon has read for this long is skipped: whoever made it no longer expects it to run."""
TIMEOUT = timedelta(hours=6)
LAKE_GROUP = "lake"
"""The schedule's group of the tasks that write the lake."""
SIDE_GROUP = Group(name="aside", at_once=2)
"""The group of requests that need not wait for the tasks that write the lake."""


class RequestError(ValueError):
    """A request cannot be carried out; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One row of `task_requests`."""

    request_id: str
    requested_at: datetime
    origin: Literal["console", "cli", "daemon"]
    action: str
    target: str = ""
    session: date | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

    @property
    def task_name(self) -> str:
        """Its name in the journal."""
        return f"request:{self.action}"


def submit(lake: Lake, request: Request) -> bool:
    """Append a request; False if there already is one with that id, which stays as it is.

    Raises:
        ContractError: if a value breaks the table's contract.
    """
    row = asdict(request) | {"arguments": json.dumps(dict(request.arguments), sort_keys=True)}
    frame = TASK_REQUESTS.check(pl.DataFrame([row], schema=TASK_REQUESTS.schema))
    try:
        return lake.commit(TASK_REQUESTS, frame, request.request_id, {}).rows > 0
    except ConflictError:
        return False


def read_requests(lake: Lake, since: datetime) -> list[Request]:
    """Read the requests made since a moment, oldest first."""
    rows = lake.read(TASK_REQUESTS, since=since).drop(RUN_ID).sort("requested_at", "request_id")
    return [_parse_request(row) for row in rows.iter_rows(named=True)]


def find_request(lake: Lake, request_id: str) -> Request:
    """Find the request with that id.

    Raises:
        RequestError: if there is none.
    """
    rows = lake.read(TASK_REQUESTS, where=pl.col("request_id") == request_id).drop(RUN_ID)
    if rows.is_empty():
        raise RequestError(f"there is no request {request_id!r}")
    return _parse_request(rows.row(0, named=True))


def read_request_state(lake: Lake, request: Request) -> SlotState:
    """Read the state of a request from what the daemon recorded."""
    return read_slot_state(lake, request.task_name, request.request_id)


def read_slot_state(lake: Lake, task: str, slot: str) -> SlotState:
    """Read the state of a task's slot from what the daemon recorded; without events where it recorded none."""
    mine = (pl.col("task") == task) & (pl.col("slot") == slot)
    return SlotState(tuple(parse_events(lake.read(TASK_ATTEMPTS, where=mine).drop(RUN_ID))))


def validate_request(request: Request) -> None:
    """Refuse a request that no daemon could carry out, whatever its schedule says.

    Raises:
        RequestError: saying what is missing or unknown.
    """
    if request.action == "task" and not request.target:
        raise RequestError("name a task of the schedule; `nextgen schedule preview` lists them")
    if request.action in STEERING and not request.target:
        raise RequestError(f"name what to {request.action}: TASK/SLOT, or a request; `nextgen status` lists them")
    if request.action == "train" and request.target:
        _check_training(request.target)
    elif request.action in ACTIONS and request.target:
        raise RequestError(f"{request.action} takes no target, got {request.target!r}; give a session with --session")
    if request.action not in ("task", *STEERING):
        _parse_work(request)


def make_request_task(request: Request, schedule: Schedule) -> Task:
    """Make the task that carries out a request.

    Raises:
        RequestError: if its target does not exist.
    """
    if request.action == "task":
        return _make_scheduled_task(request, schedule)
    group = next((task.group for task in schedule.tasks if task.group.name == LAKE_GROUP), Group(name=LAKE_GROUP))
    return Task(
        name=request.task_name,
        run=_parse_work(request),
        trigger_text="",
        trigger=None,
        exchange="",
        zone="",
        timeout=TIMEOUT,
        on_failure="skip",
        target=request.target if request.action == "train" else "",
        group=SIDE_GROUP if request.action in OPERATOR_ACTIONS else group,
    )


def _make_scheduled_task(request: Request, schedule: Schedule) -> Task:
    found = schedule.task(request.target)
    if found is None:
        raise RequestError(
            f"the schedule has no task {request.target!r}; it has {', '.join(t.name for t in schedule.tasks)}"
        )
    return replace(found, name=request.task_name, trigger=None, after=(), retries=0, on_failure="skip")


def _parse_work(request: Request) -> tuple[str, ...]:
    if request.action in ("reproduce", "promote") and not request.target:
        raise RequestError(f"name what to {request.action}: {OPERATOR_ACTIONS[request.action].split(',')[0]}")
    if request.action in (*ACTIONS, *OPERATOR_ACTIONS):
        return (request.action,)
    if request.action != "run":
        raise RequestError(f"there is no action {request.action!r}; choose from {', '.join((*WORK, *STEERING))}")
    named = tuple(name.strip() for name in request.target.split(",") if name.strip())
    if not named:
        raise RequestError("name the stages to run; `nextgen stages` lists them")
    for name in named:
        try:
            require_stage(name)
        except KeyError as error:
            raise RequestError(str(error.args[0])) from None
    return named


def _check_training(target: str) -> None:
    try:
        if target != SEARCH:
            parse_target(target)
    except ValueError as error:
        raise RequestError(f"{error}; or {SEARCH}, for settings of the members") from None


def _parse_request(row: Mapping[str, Any]) -> Request:
    try:
        arguments = json.loads(row["arguments"])
    except ValueError:
        arguments = {}
    values = {**row, "arguments": arguments if isinstance(arguments, dict) else {}}
    return Request(**(values | {"requested_at": row["requested_at"].astimezone(UTC)}))
