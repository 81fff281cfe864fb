"""Requests that only a person makes: reproduce past runs, promote a model, roll back the champion."""

from __future__ import annotations

from lake.errors import LakeError
from lake.runs import Run, find_done_runs, find_run
from lake.store import Lake
from pipeline.control.operator.requests import Request, find_request
from pipeline.engine.runner import Runner

MAX_NAMED = 6
"""How many changed stages and libraries are named."""


class NotIdenticalError(LakeError):
    """A run that was computed again gave other rows."""


def carry_out(runner: Runner, request_id: str) -> str:
    """Carry out the request; it needs no writer lock, because it writes no table of a cycle.

    Returns:
        The result, in words.

    Raises:
        NotIdenticalError: naming the first run, row and column that differ.
        DecisionError: if a model cannot be promoted or rolled back, with the reason.
    """
    request = find_request(runner.lake, request_id)
    if request.action == "reproduce":
        return _reproduce(runner, request)
    from pipeline.control.operator import decisions

    change = decisions.promote if request.action == "promote" else decisions.rollback
    origin: decisions.Origin = "console" if request.origin == "console" else "cli"
    choice = change(runner, request.target, request.reason, origin, request.request_id)
    return (
        f"{choice.champion} is champion from {choice.session}"
        if choice.champion
        else f"no champion from {choice.session} (naive forecast until one is promoted)"
    )


def _reproduce(runner: Runner, request: Request) -> str:
    from pipeline.engine.reproduction import reproduce

    runs = _find_runs(runner.lake, request.target)
    verdicts = [reproduce(runner, run) for run in runs]
    different = [verdict for verdict in verdicts if not verdict.identical]
    if different:
        first = different[0]
        raise NotIdenticalError(f"{len(different)} of {len(runs)} runs DIFFER: {first.run_id}: {first.difference}")
    changed = sorted({what.removeprefix("code of stage ") for verdict in verdicts for what in verdict.changed_since})
    more = f" and {len(changed) - MAX_NAMED} more" if len(changed) > MAX_NAMED else ""
    since = f"; changed since: {', '.join(changed[:MAX_NAMED])}{more}" if changed else ""
    return f"IDENTICAL: {len(runs)} run{'s' if len(runs) > 1 else ''} computed again{since}"[:900]


def _find_runs(lake: Lake, target: str) -> list[Run]:
    """The runs of a cycle, or the one run whose id is or begins with the target."""
    return find_done_runs(lake, target) or [find_run(lake, target)]
