"""What a worker does for a task: run the cycle, train, run stages, or keep the lake in shape."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta

from lake.errors import BusyError, LakeError
from lake.runs import is_published, last_session
from lake.store import Lake
from lake.upkeep.checkpoints import write_checkpoints
from lake.upkeep.compaction import compact_tables
from lake.upkeep.vacuum import vacuum
from pipeline.config.layers import Given
from pipeline.config.loading import choice, load
from pipeline.control.operator.decisions import read_market_time
from pipeline.control.schedule.expectations import find_missing_outputs
from pipeline.control.schedule.task import OPERATOR_ACTIONS
from pipeline.control.workers.job import Job, JobReport
from pipeline.control.workers.job_progress import report_progress
from pipeline.engine.runner import Progress, Runner
from pipeline.engine.stages import stage
from pipeline.engine.work import cycle, training

LEASE_POLL = 0.5
"""Seconds between two looks at whether the lake is free."""
MAX_CATCH_UP = timedelta(days=400)
"""How far one cycle makes up by itself; more takes hours, and such a lake may be meant to stay in its own time."""


class OutputMissingError(LakeError):
    """A task ran to its end and did not leave what its manifest entry promises."""


def perform(lake: Lake, order: Job, environ: Mapping[str, str]) -> JobReport:
    """Do what the order says, and check that it left what it should.

    Returns:
        What was published, or what came of it in words.

    Raises:
        OutputMissingError: if a promised output is not there afterwards.
        Exception: whatever the work raises.
    """
    return carry_out_job(make_runner(lake, order, environ), order)


def make_runner(lake: Lake, order: Job, environ: Mapping[str, str]) -> Runner:
    """A runner under the lake's configuration and what the order chooses.

    The environment stands over what the schedule says, as everywhere; only a fallback stands over both.
    """
    environ = {k: v for k, v in environ.items() if not (order.fallback and k == "NEXTGEN_SOURCE__NAME")}
    return Runner(lake, load(lake.path, environ, _job_settings(order)).settings)


def carry_out_job(runner: Runner, order: Job) -> JobReport:
    """Do what the order says with a runner that is there; see `perform`."""
    if order.run[0] in OPERATOR_ACTIONS:
        from pipeline.control.operator.operator_actions import carry_out

        return JobReport(ok=True, reason=carry_out(runner, order.slot))
    lake = runner.lake
    with wait_for_lease(lake, f"{order.task} for {order.slot}"), report_progress(lake.path, order) as progress:
        published = _find_action(order)(runner, order, progress)
    if lacking := find_missing_outputs(lake, order.outputs, order.session, order.due_at):
        raise OutputMissingError(f"{order.task} ended without its outputs: {'; '.join(lacking)}")
    return JobReport(ok=True, cycle_id=published)


@contextmanager
def wait_for_lease(lake: Lake, purpose: str) -> Iterator[None]:
    """Be the lake's writer, waiting for another to finish; the worker's deadline bounds the wait."""
    while True:
        try:
            held = lake.lock(purpose)
            held.__enter__()
            break
        except BusyError:
            time.sleep(LEASE_POLL)
    try:
        yield
    finally:
        held.__exit__(None, None, None)


def _job_settings(order: Job) -> dict[str, Given]:
    chosen = {
        key: choice(key, value if isinstance(value, str) else str(value).lower())
        for key, value in order.settings.items()
    }
    return chosen | ({"source.name": choice("source.name", order.fallback)} if order.fallback else {})


def _find_action(order: Job) -> Callable[[Runner, Job, Progress], str]:
    actions = {"cycle": _run_cycle, "train": _train, "maintain": _maintain, "recover": _recover}
    return actions.get(order.run[0], _run_stages)


def _run_cycle(runner: Runner, order: Job, progress: Progress) -> str:
    """Bring the lake up to the session, one session after the other; nothing to do if it is there already."""
    last = last_session(runner.lake)
    if last is None:
        raise LakeError("the lake holds no history yet; load it with `nextgen init`")
    session = _find_cycle_session(runner, order, last)
    if session <= last:
        runner.recover(progress)
        return cycle(session).cycle_id
    if (first := runner.calendar.next(last)) == session:
        runner.cycle(session, progress)
    else:
        for _ in runner.replay(first, session, progress):
            pass
    return cycle(session).cycle_id


def _train(runner: Runner, order: Job, progress: Progress) -> str:
    """Train at the session, or at the last one the lake has run if that is earlier; once, unless a person asked."""
    runner.recover(progress)
    last = last_session(runner.lake)
    if last is None:
        raise LakeError("the lake holds no history yet; load it with `nextgen init`")
    session = min(_find_session(runner, order), last)
    cycle_id = training(session).cycle_id
    if order.asked_for or not is_published(runner.lake, cycle_id):
        runner.train(session, progress)
    return cycle_id


def _run_stages(runner: Runner, order: Job, progress: Progress) -> str:
    session, published = _find_session(runner, order), ""
    for number, name in enumerate(order.run):
        progress(name.replace("_", " "), number, len(order.run))
        published = runner.stage(stage(name), session).run_id
    return published


def _maintain(runner: Runner, _order: Job, progress: Progress) -> str:
    """Finish what a crash left, write small files as large ones, give back what no run names, fold the logs.

    Readers are never hurt: they read what runs name, and of that nothing goes.
    """
    runner.recover(progress)
    progress("compacting", 0, 3)
    compact_tables(runner.lake)
    progress("collecting garbage", 1, 3)
    vacuum(runner.lake)
    progress("folding logs", 2, 3)
    write_checkpoints(runner.lake, {})
    return ""


def _recover(runner: Runner, _order: Job, progress: Progress) -> str:
    """Bring an interrupted cycle to its end; the lease has repaired what a crash left of files."""
    return ", ".join(dict.fromkeys(run.recipe.cycle_id for run in runner.recover(progress)))[:80]


def _find_session(runner: Runner, order: Job) -> date:
    return order.session or runner.calendar.last_closed(read_market_time(runner, order.due_at))


def _find_cycle_session(runner: Runner, order: Job, last: date) -> date:
    """How far a cycle goes: to its slot's session, or to the last that closed.

    A simulated market stands still between cycles, wherever the computer's clock is: it moves on by one session.

    Raises:
        LakeError: if that is further than anybody asked for in so many words.
    """
    session = order.session or runner.calendar.last_closed(order.due_at)
    if order.session is None and runner.settings.source.name == "simulated":
        return min(runner.calendar.next(last), session)
    if session - last > MAX_CATCH_UP and not (order.asked_for and order.session):
        raise LakeError(
            f"the lake stands at {last}, {(session - last).days:,} days before {session}, and a cycle makes up"
            f" {MAX_CATCH_UP.days} by itself; `nextgen replay --to {session}` goes further,"
            f" `nextgen request cycle --session {runner.calendar.next(last)}` one session"
        )
    return session
