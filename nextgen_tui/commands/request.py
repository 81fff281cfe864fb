"""`nextgen request`: queue work for the daemon, and cancel, retry or skip it."""

from __future__ import annotations

import time
from datetime import date
from typing import TYPE_CHECKING

import click

from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.arguments import DAY, REASON
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation

if TYPE_CHECKING:
    from lake.store import Lake
    from pipeline.control.operator.requests import Request
    from pipeline.control.schedule.journal import SlotState

ACTIONS = (
    *("run", "task", "cycle", "snapshot", "news", "train", "maintain", "recover", "reproduce", "promote", "rollback"),
    *("cancel", "retry", "skip"),
)
LOOK = 0.05
"""Seconds between two looks at the answer."""


@click.command("request", cls=ReadingCommand)
@click.argument("action", metavar="ACTION", type=click.Choice(ACTIONS))
@click.argument("target", default="")
@click.option(
    "--session", type=DAY, help="The session (default: the last that closed; in a simulated market, the next)."
)
@click.option("--reason", type=REASON, default="", help="Why; it is recorded.")
@click.option("--id", "request_id", help="Id of the request; sending the same id again makes no second request.")
@click.option("--wait", is_flag=True, help="Wait for completion.")
@pass_invocation
def command(
    invocation: Invocation,
    action: str,
    target: str,
    session: date | None,
    reason: str,
    request_id: str | None,
    wait: bool,
) -> int:
    """Queue work for the daemon, or cancel, retry or skip it.

    ACTION is run, task, cycle, snapshot, news, train, maintain, recover, reproduce, promote or rollback; or cancel,
    retry or skip. TARGET is a stage (run), a task of the schedule (task), a run or a cycle (reproduce), a model
    (promote, rollback), names to train for (train: sector=NAME, ticker=ABC, group=ABC,DEF), `search` (train), or
    TASK/SLOT or a request's name (cancel, retry, skip).
    """
    from datetime import UTC, datetime
    from uuid import uuid4

    from nextgen_tui.cli.session_choice import refuse_open
    from pipeline.control.operator.requests import Request, submit
    from pipeline.reading.daemon import read_daemon

    if session is not None:
        refuse_open(session, invocation.runner.calendar)
    request = Request(
        request_id=request_id or f"cli-{uuid4().hex[:12]}",
        requested_at=datetime.now(UTC),
        origin="cli",
        action=action,
        target=target,
        session=session,
        reason=reason,
    )
    lake = invocation.lake
    _refuse_senseless(request)
    new = submit(lake, request)
    if not new:
        _refuse_another(lake, request)
    if not wait and not read_daemon(lake.path).present:
        invocation.output.say("no daemon serves this lake; start `nextgen-daemon` to run it")
    standing = _answer(lake, request, wait)
    last = standing.last
    state = last.state if last else "queued"
    reason = (last.reason or last.cycle_id) if last else _why_it_waits(lake, request)
    again = " (already requested)" if not new else ""
    invocation.output.show(f"{request.request_id}: {state}{again}{': ' if reason else ''}{reason}")
    invocation.output.record({"request_id": request.request_id, "new": new, "state": state, "reason": reason})
    if wait and not standing.finished:
        invocation.output.show_error(f"no daemon runs: {request.request_id} stays queued until `nextgen-daemon` starts")
        return exit_codes.RETRY
    bad = last is not None and last.state in ("failed", "dead", "cancelled", "skipped")
    return exit_codes.DEGRADED if bad else exit_codes.DONE


def _refuse_senseless(request: Request) -> None:
    from pipeline.control.operator.requests import RequestError, validate_request

    try:
        validate_request(request)
    except RequestError as error:
        raise click.UsageError(str(error)) from None


def _refuse_another(lake: Lake, request: Request) -> None:
    """One name stands for one request: who asks for something else under it is not told that it was asked before."""
    from pipeline.control.operator.requests import find_request

    there = find_request(lake, request.request_id)
    for name in ("action", "target", "session"):
        if (stands := getattr(there, name)) != (asked := getattr(request, name)):
            raise click.UsageError(
                f"{request.request_id!r} is already the id of another request, with {name} "
                f"{stands or 'none'} instead of {asked or 'none'}; choose another --id"
            )


def _why_it_waits(lake: Lake, request: Request) -> str:
    """What the daemon says of a request that it has not begun; empty where it says nothing."""
    from pipeline.reading.daemon import read_daemon

    daemon = read_daemon(lake.path)
    if daemon.phase == "silent":
        return f"{daemon.sentence}; {daemon.fix}"
    if daemon.phase == "draining":
        return "the daemon is shutting down; the next one runs it"
    waiting = {one["slot"]: one["reason"] for one in daemon.waiting}
    return str(waiting.get(request.request_id, ""))


def _answer(lake: Lake, request: Request, wait: bool) -> SlotState:
    """The request's state within a second, or, with `wait`, at its end or once no daemon is there to run it."""
    from pipeline.control.operator.requests import read_request_state
    from pipeline.reading.daemon import read_daemon

    patience = time.monotonic() + (float("inf") if wait else 1.0)
    while True:
        served = read_daemon(lake.path).present  # before the look: it may have answered and ended in between
        standing = read_request_state(lake, request)
        if standing.finished or (standing.events and not wait) or time.monotonic() > patience or not served:
            return standing
        time.sleep(LOOK)
