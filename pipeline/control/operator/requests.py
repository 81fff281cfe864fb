"""What a person asks of the daemon: appended once under an id made by the asking side, then understood or refused."""

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
from pipeline.control.schedule.task import ACTIONS, OPERATOR_ACTIONS, Group, Schedule, Task
from pipeline.engine.stages import find_stage

WORK = ("run", "task", *ACTIONS, *OPERATOR_ACTIONS)
"""Actions that start a worker."""
STEERING = ("cancel", "retry", "skip")
"""Actions on another slot: they are done as soon as they are read."""
EXPIRES_AFTER = timedelta(hours=24)
"""A request that found no daemon for so long is not carried out any more: who asked has gone on."""
TIMEOUT = timedelta(hours=6)
LAKE_GROUP = "lake"
"""The manifest's group of what writes the lake."""
SIDE_GROUP = Group(name="aside", at_once=2)
"""What is asked for and does not hold up what writes the lake."""


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
        """What the journal calls it."""
        return f"request:{self.action}"


def submit(lake: Lake, request: Request) -> bool:
    """Append a request; False if one of that id is there already, which then stands.

    Raises:
        ContractError: if a value is not what the table takes.
    """
    row = asdict(request) | {"arguments": json.dumps(dict(request.arguments), sort_keys=True)}
    frame = TASK_REQUESTS.check(pl.DataFrame([row], schema=TASK_REQUESTS.schema))
    try:
        return lake.commit(TASK_REQUESTS, frame, request.request_id, {}).rows > 0
    except ConflictError:
        return False


def read_requests(lake: Lake, since: datetime) -> list[Request]:
    """The requests made since a moment, oldest first."""
    rows = lake.read(TASK_REQUESTS, since=since).drop(RUN_ID).sort("requested_at", "request_id")
    return [_parse_request(row) for row in rows.iter_rows(named=True)]


def find_request(lake: Lake, request_id: str) -> Request:
    """The request of that id.

    Raises:
        RequestError: if there is none.
    """
    rows = lake.read(TASK_REQUESTS, where=pl.col("request_id") == request_id).drop(RUN_ID)
    if rows.is_empty():
        raise RequestError(f"there is no request {request_id!r}")
    return _parse_request(rows.row(0, named=True))


def read_request_state(lake: Lake, request: Request) -> SlotState:
    """Where a request stands, from what the daemon recorded."""
    mine = (pl.col("task") == request.task_name) & (pl.col("slot") == request.request_id)
    return SlotState(tuple(parse_events(lake.read(TASK_ATTEMPTS, where=mine).drop(RUN_ID))))


def validate_request(request: Request) -> None:
    """Refuse what no daemon could carry out, whatever its schedule says.

    Raises:
        RequestError: saying what is missing or unknown.
    """
    if request.action == "task" and not request.target:
        raise RequestError("a request for a task names one of the schedule; `nextgen schedule preview` lists them")
    if request.action in STEERING and not request.target:
        raise RequestError(f"a request to {request.action} names TASK/SLOT, or a request; `nextgen status` lists them")
    if request.action in ACTIONS and request.target:
        raise RequestError(f"{request.action} takes no target, got {request.target!r}; a session comes after --session")
    if request.action not in ("task", *STEERING):
        _parse_work(request)


def make_request_task(request: Request, manifest: Schedule) -> Task:
    """The task that a request for work amounts to.

    Raises:
        RequestError: if what it names is not there.
    """
    if request.action == "task":
        return _make_scheduled_task(request, manifest)
    group = next((task.group for task in manifest.tasks if task.group.name == LAKE_GROUP), Group(name=LAKE_GROUP))
    return Task(
        name=request.task_name,
        run=_parse_work(request),
        trigger_text="",
        trigger=None,
        exchange="",
        zone="",
        timeout=TIMEOUT,
        on_failure="skip",
        group=SIDE_GROUP if request.action in OPERATOR_ACTIONS else group,
    )


def _make_scheduled_task(request: Request, manifest: Schedule) -> Task:
    found = manifest.task(request.target)
    if found is None:
        raise RequestError(
            f"the schedule has no task {request.target!r}; it has {', '.join(t.name for t in manifest.tasks)}"
        )
    return replace(found, name=request.task_name, trigger=None, after=(), retries=0, on_failure="skip")


def _parse_work(request: Request) -> tuple[str, ...]:
    if request.action in ("reproduce", "promote") and not request.target:
        raise RequestError(f"a request to {request.action} names {OPERATOR_ACTIONS[request.action].split(',')[0]}")
    if request.action in (*ACTIONS, *OPERATOR_ACTIONS):
        return (request.action,)
    if request.action != "run":
        raise RequestError(f"there is no action {request.action!r}; there are {', '.join((*WORK, *STEERING))}")
    named = tuple(name.strip() for name in request.target.split(",") if name.strip())
    if not named:
        raise RequestError("a request to run names the stages to run")
    for name in named:
        try:
            find_stage(name)
        except KeyError as error:
            raise RequestError(str(error.args[0])) from None
    return named


def _parse_request(row: Mapping[str, Any]) -> Request:
    try:
        arguments = json.loads(row["arguments"])
    except ValueError:
        arguments = {}
    values = {**row, "arguments": arguments if isinstance(arguments, dict) else {}}
    return Request(**(values | {"requested_at": row["requested_at"].astimezone(UTC)}))
