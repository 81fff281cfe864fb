"""What a worker does for a task: run a cycle, take a snapshot, fetch news, train, run stages, maintain the lake."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from datetime import date, timedelta
from functools import partial

from lake.errors import BusyError, LakeError
from lake.runs import is_published, last_session, last_snapshot
from lake.store import Lake
from lake.upkeep.checkpoints import write_checkpoints
from lake.upkeep.compaction import compact_tables
from lake.upkeep.vacuum import vacuum
from pipeline.config.check_values import Given
from pipeline.config.loading import choice, load
from pipeline.control.operator.decisions import read_market_time
from pipeline.control.schedule.expectations import find_missing_outputs
from pipeline.control.schedule.task import OPERATOR_ACTIONS, SEARCH
from pipeline.control.workers.job import Job, JobReport
from pipeline.control.workers.job_progress import report_progress
from pipeline.control.workers.market_moment import find_market_moment
from pipeline.engine.failures import record_failures
from pipeline.engine.runner import Runner
from pipeline.engine.session_order import find_stage
from pipeline.engine.work import Progress, Work, cycle, news, single_stage, snapshot, training
from pipeline.models.targets.target import parse_target

LOCK_POLL = 0.5
"""Seconds between two attempts to take the lake's writer lock."""
MAX_CATCH_UP = timedelta(days=400)
"""How far one cycle catches up by itself; more takes hours, and such a lake may be meant to stay in the past."""


class OutputMissingError(LakeError):
    """A task ran to its end without the outputs its schedule entry expects."""


def perform(lake: Lake, job: Job, environ: Mapping[str, str]) -> JobReport:
    """Do a job, and check that its expected outputs are there.

    Returns:
        What was published, or the result in words.

    Raises:
        OutputMissingError: if an expected output is missing afterwards.
        Exception: whatever the work raises.
    """
    return carry_out_job(make_runner(lake, job, environ), job)


def make_runner(lake: Lake, job: Job, environ: Mapping[str, str]) -> Runner:
    """Make a runner with the lake's configuration and the job's settings.

    The environment overrides the schedule's settings, as everywhere; only a fallback source overrides both.
    """
    environ = {k: v for k, v in environ.items() if not (job.fallback and k == "NEXTGEN_SOURCE__NAME")}
    return Runner(lake, load(lake.path, environ, _job_settings(job)).settings)


def carry_out_job(runner: Runner, job: Job) -> JobReport:
    """Do a job with a runner; see `perform`."""
    if job.run[0] in OPERATOR_ACTIONS:
        from pipeline.control.operator.operator_actions import carry_out

        return JobReport(ok=True, reason=carry_out(runner, job.slot))
    lake = runner.lake
    with ExitStack() as stack:
        with _record_failures(runner, job):
            stack.enter_context(wait_for_writer_lock(lake, f"{job.task} for {job.slot}"))
        progress = stack.enter_context(report_progress(lake.path, job))
        published = _find_action(job)(runner, job, progress)
    if lacking := find_missing_outputs(lake, job.outputs, job.session, job.due_at):
        raise OutputMissingError(f"{job.task} ended without its expected outputs: {'; '.join(lacking)}")
    return JobReport(ok=True, cycle_id=published)


@contextmanager
def wait_for_writer_lock(lake: Lake, purpose: str) -> Iterator[None]:
    """Hold the lake's writer lock for the block, waiting for another writer; the worker's timeout bounds the wait."""
    while True:
        try:
            lock = lake.lock(purpose)
            lock.__enter__()
            break
        except BusyError:
            time.sleep(LOCK_POLL)
    try:
        yield
    finally:
        lock.__exit__(None, None, None)


def _record_failures(runner: Runner, job: Job) -> AbstractContextManager[None]:
    """Record that the work asked for failed where it cannot even begin; upkeep has its attempt alone."""
    last = last_session(runner.lake)
    if job.run[0] in ("maintain", "recover") or last is None:
        return nullcontext()
    session = job.session or (runner.calendar.next(last) if job.run[0] == "cycle" else last)
    if job.run[0] in ("snapshot", "news"):
        moment, calendar = find_market_moment(runner, job.due_at), runner.calendar
        ahead = news(calendar.next(calendar.last_closed(moment)), moment)
        wanted = ahead if job.run[0] == "news" else snapshot(calendar.last_opened(moment), moment)
        return record_failures(runner.lake, wanted)
    works: dict[str, Callable[[date], Work]] = {"cycle": cycle, "train": partial(train_work, job)}
    make = works.get(job.run[0]) or partial(single_stage, find_stage(job.run[0]))
    return record_failures(runner.lake, make(session))


def _job_settings(job: Job) -> dict[str, Given]:
    chosen = {
        key: choice(key, value if isinstance(value, str) else str(value).lower()) for key, value in job.settings.items()
    }
    return chosen | ({"source.name": choice("source.name", job.fallback)} if job.fallback else {})


def _find_action(job: Job) -> Callable[[Runner, Job, Progress], str]:
    actions = {
        "cycle": _run_cycle,
        "snapshot": _snapshot,
        "news": _land_news,
        "train": _train,
        "maintain": _maintain,
        "recover": _recover,
    }
    return actions.get(job.run[0], _run_stages)


def _run_cycle(runner: Runner, job: Job, progress: Progress) -> str:
    """Run cycles up to the session, one after the other; nothing to do if it is covered already."""
    last = last_session(runner.lake)
    if last is None:
        raise LakeError("the lake has no history yet; load it with `nextgen init`")
    session = _find_cycle_session(runner, job, last)
    if session <= last:
        runner.recover(progress)
        return cycle(session).cycle_id
    if (first := runner.calendar.next(last)) == session:
        runner.cycle(session, progress)
    else:
        for _ in runner.replay(first, session, progress):
            pass
    return cycle(session).cycle_id


def _snapshot(runner: Runner, job: Job, progress: Progress) -> str:
    """Take the bars that had ended when the slot was due; nothing to do where a later snapshot has brought them."""
    moment = find_market_moment(runner, job.due_at)
    last = last_snapshot(runner.lake)
    if last is None or last < moment:
        runner.snapshot(moment, progress)
        last = moment
    return snapshot(runner.calendar.last_opened(last), last).cycle_id


def _land_news(runner: Runner, job: Job, progress: Progress) -> str:
    """Fetch the news up to the moment the slot was due, for the cycle of the session to come to find."""
    moment = find_market_moment(runner, job.due_at)
    runner.news(moment, progress)
    return news(runner.calendar.next(runner.calendar.last_closed(moment)), moment).cycle_id


def _train(runner: Runner, job: Job, progress: Progress) -> str:
    """Train at the session, or at the last one covered if that is earlier; once, unless a person requested it."""
    runner.recover(progress)
    last = last_session(runner.lake)
    if last is None:
        raise LakeError("the lake has no history yet; load it with `nextgen init`")
    session, search = min(_find_session(runner, job), last), job.target == SEARCH
    wanted = train_work(job, session)
    if job.requested or not is_published(runner.lake, wanted.cycle_id):
        runner.train(session, progress, wanted.target, search=search)
    return wanted.cycle_id


def train_work(job: Job, session: date) -> Work:
    """The training that a job asks for: of all names, of a target's, or after a search."""
    if job.target == SEARCH:
        return training(session, search=True)
    return training(session, str(parse_target(job.target)) if job.target else "")


def _run_stages(runner: Runner, job: Job, progress: Progress) -> str:
    session, published = _find_session(runner, job), ""
    for number, name in enumerate(job.run):
        progress(name.replace("_", " "), number, len(job.run))
        published = runner.run_stage(find_stage(name), session).run_id
    return published


def _maintain(runner: Runner, _job: Job, progress: Progress) -> str:
    """Finish what a crash interrupted, compact small files, delete unreferenced ones, checkpoint the logs.

    Readers are never affected: they read what runs refer to, and none of that is deleted.
    """
    runner.recover(progress)
    progress("compacting", 0, 3)
    compact_tables(runner.lake)
    progress("deleting unreferenced files", 1, 3)
    vacuum(runner.lake)
    progress("checkpointing logs", 2, 3)
    write_checkpoints(runner.lake, {})
    return ""


def _recover(runner: Runner, _job: Job, progress: Progress) -> str:
    """Finish an interrupted cycle; taking the lock has already repaired the files."""
    return ", ".join(dict.fromkeys(run.recipe.cycle_id for run in runner.recover(progress)))[:80]


def _find_session(runner: Runner, job: Job) -> date:
    return job.session or runner.calendar.last_closed(read_market_time(runner, job.due_at))


def _find_cycle_session(runner: Runner, job: Job, last: date) -> date:
    """The last session a cycle runs: that of its slot, or the last that closed.

    A simulated market stands still between cycles, whatever the computer's clock says: it moves on by one session.

    Raises:
        LakeError: if that is further than a cycle goes without an explicit session.
    """
    session = job.session or runner.calendar.last_closed(job.due_at)
    if job.session is None and runner.settings.source.name == "simulated":
        return min(runner.calendar.next(last), session)
    if session - last > MAX_CATCH_UP and not (job.requested and job.session):
        raise LakeError(
            f"the lake covers sessions up to {last}, {(session - last).days:,} days before {session}, and a cycle"
            f" catches up {MAX_CATCH_UP.days} days at most; `nextgen replay --to {session}` goes further,"
            f" `nextgen request cycle --session {runner.calendar.next(last)}` runs one session"
        )
    return session
