"""Why the daemon would refuse what is asked for, told before it is: by the calendar, the schedule and the journal."""

from __future__ import annotations

from datetime import UTC, date, datetime

from lake.errors import NoSuchError
from lake.runs import find_done_runs, find_run, is_published, was_trained
from lake.store import Lake
from pipeline.control.operator.requests import (
    STEERING,
    Request,
    RequestError,
    find_request,
    make_request_task,
    read_request_state,
    read_slot_state,
)
from pipeline.control.schedule.active_schedule import read_active_schedule
from pipeline.engine.failures import CycleOrderError, require_next_cycle
from pipeline.engine.work import cycle
from pipeline.reading.market_time import lake_calendars, market_exchange


def foresee_refusal(lake: Lake, request: Request, now: datetime | None = None) -> str:
    """Return why a request could not be carried out as the lake stands; empty where nothing speaks against it.

    Args:
        lake: only read.
        request: not sent yet.
        now: the system's time, the present moment by default.

    Raises:
        LakeError: if the lake cannot be read.
    """
    moment = now or datetime.now(UTC)
    try:
        if request.action in STEERING:
            return _steering(lake, request)
        if request.action == "task":
            calendars = lake_calendars(lake.path, lambda: moment)
            make_request_task(request, read_active_schedule(lake.path, moment, calendars).schedule)
        elif request.action == "reproduce":
            _ = find_done_runs(lake, request.target) or find_run(lake, request.target)
        elif request.session is not None:
            return _work(lake, request, request.session, moment)
    except (RequestError, NoSuchError, CycleOrderError, ValueError) as error:
        return str(error)
    return ""


def _work(lake: Lake, request: Request, session: date, now: datetime) -> str:
    calendar = lake_calendars(lake.path, lambda: now)(market_exchange(lake.path))
    if (close := calendar.close_at(session)) > now:
        return f"session {session} closes at {close:%Y-%m-%d %H:%M} UTC"
    if request.action == "train" and not request.target and was_trained(lake, session):
        return f"{session} was trained already, and is left alone"
    if request.action == "cycle":
        if is_published(lake, cycle(session).cycle_id):
            return f"the cycle of {session} is done, and is left alone"
        require_next_cycle(lake, calendar, session)
    return ""


def _steering(lake: Lake, request: Request) -> str:
    task, slash, slot = request.target.partition("/")
    asked = None if slash else find_request(lake, request.target)
    state = read_request_state(lake, asked) if asked else read_slot_state(lake, task, slot)
    if request.action == "cancel":  # what is due and has no event yet can be cancelled as well
        return f"{request.target} has ended: it was {state.last.state}" if state.last and state.finished else ""
    return "" if state.stopped else f"{request.target} is not stopped; screen 8 lists what is"
