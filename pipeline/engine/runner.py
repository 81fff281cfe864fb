"""Runs pieces of work: a session's cycle, a replay, a backfill, an import, a training, or one stage by itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial

import polars as pl

from lake.access import set_access
from lake.publication import find_unpublished, publish
from lake.runs import (
    Recipe,
    Run,
    backfill_span,
    cycle_sessions,
    failed_attempts,
    has_imported,
    is_published,
    last_cycle,
    last_snapshot,
    was_trained,
)
from lake.store import Lake
from lake.tables.control import RUNS, WorkKind
from lake.tables.features import FEATURE_ROWS
from lake.tables.market import MARKET_PRICES, RAW_PRICES
from lake.tables.news import RAW_NEWS
from lake.upkeep.checkpoints import write_checkpoints
from pipeline.config.settings import Settings
from pipeline.engine import work
from pipeline.engine.failures import CycleOrderError, record_failures, require_next_cycle
from pipeline.engine.in_parts import SplittingExecutor
from pipeline.engine.resume import resume
from pipeline.engine.stage import Stage
from pipeline.engine.stages import BACKFILL, CHAMPION_CHOSEN, REPORT, TRAINING, TRAINING_DUE
from pipeline.engine.work import Progress, Span, Work, silent
from pipeline.features.feature_set import feature_set
from pipeline.ingestion.sources.source import Source
from pipeline.market.sessions import Sessions
from pipeline.models.search.space import read_space
from pipeline.models.targets.target import parse_target
from pipeline.plugins.plugins import Plugins


def _tell_step(progress: Progress, stage: Stage, number: int, total: int, words: str) -> None:
    progress(f"{stage.name.replace('_', ' ')}: {words}", number, total)


@dataclass(frozen=True)
class Cycle:
    """What a piece of work did for its last session."""

    session: date
    runs: tuple[Run, ...]
    already_done: bool = False


class Runner:
    """Runs work on one lake under one configuration, and publishes it.

    Every method that writes raises BusyError if another process is writing, StageFailedError if a stage raises, and
    what the lake raises where a file is damaged or the disk refuses. Either way nothing is published but the record
    of the failure.
    """

    def __init__(self, lake: Lake, settings: Settings, source: Source | None = None) -> None:
        self.lake = lake
        lake.durable = settings.runtime.durable
        if settings.runtime.access != "unchanged":
            set_access(lake.path, settings.runtime.access)
        self.settings = settings
        self.executor = SplittingExecutor(lake, settings, source)
        self._checkpoints: dict[str, int] = {}
        self._recovered: dict[str, Cycle] = {}
        """Interrupted work that was brought to its end, until somebody asks for it."""

    @property
    def calendar(self) -> Sessions:
        """The sessions of the configured exchange."""
        return self.executor.calendar

    @property
    def source(self) -> Source:
        """The configured source of prices and news."""
        return self.executor.source

    @property
    def plugins(self) -> Plugins:
        """The operator's plugins."""
        return self.executor.plugins

    def decision_time(self, session: date) -> datetime:
        """The moment a session's decisions are made: what is public later does not exist for them."""
        return self.executor.decision_time(session)

    def compute(self, stage: Stage, recipe: Recipe) -> pl.DataFrame:
        """The rows a stage gives for a recipe; see `Executor.compute`."""
        return self.executor.compute(stage, recipe)

    # ---- work

    def cycle(self, session: date, progress: Progress = silent) -> Cycle:
        """Run the whole loop for a session and publish it; a session that is done is left alone."""
        self.calendar.position(session)
        with self._lock(work.cycle(session), f"cycle of {session}", progress):
            return self._run_cycle(session, progress)

    def replay(
        self, first: date, last: date, progress: Progress = silent, snapshots: Iterable[datetime] = ()
    ) -> Iterable[Cycle]:
        """Run the cycles of a range of sessions, one after the other, as they would have run live.

        Args:
            first: the first session.
            last: the last one.
            progress: told of each session.
            snapshots: moments of snapshots, in order; those up to a session's close are taken before its cycle, except
                what lies before snapshots that are there.
        """
        sessions, left = self.calendar.between(first, last), deque(snapshots)
        with self._lock(work.cycle(first), f"replay {first} to {last}"):
            for number, session in enumerate(sessions):
                progress(f"session {session}", number, len(sessions))
                while left and left[0] <= self.calendar.close_at(session):
                    self._replay_snapshot(left.popleft())
                yield self._run_cycle(session, silent)
            progress("done", len(sessions), len(sessions))

    def list_due(self, first: date, last: date) -> list[date]:
        """The sessions that a replay would run; those that are done are left alone.

        Raises:
            CycleOrderError: if the first of them is not the one after the last cycle, as the replay would say.
        """
        done = set(cycle_sessions(self.lake.read(RUNS, columns=("run_id", "session", "work", "status"))))
        due = [session for session in self.calendar.between(first, last) if session not in done]
        for session in due[:1]:
            require_next_cycle(self.lake, self.calendar, session)
        return due

    def backfill(self, since: date, session: date, progress: Progress = silent) -> Cycle:
        """Land all history from the source and derive what does not depend on the book: the start of a lake.

        Further periods may follow in any order: each load derives anew from the landings of all.

        Raises:
            CycleOrderError: if cycles have run: what they decided on cannot change under them; or if an older system
                was imported, which fills what the lake's own history lacks and so has to come after it.
        """
        wanted = work.backfill(since, session)
        with self._lock(wanted, f"history {since} to {session}", progress):
            self._refuse_late_backfill()
            return self._run_work(wanted, progress)

    def run_import(self, imported: Work, progress: Progress = silent) -> Cycle:
        """Land and derive what an import brings for a range of sessions, and publish it at once.

        Unlike a backfill it says nothing about which sessions the lake's own source has been asked for.
        """
        with self.lake.lock(f"import {imported.since} to {imported.session}"):
            return self._run_work(imported, progress)

    def bring_over(self, merge: Work) -> Cycle:
        """Make rows of a branch that are recorded as merged the lake's own, all of them in one publication."""
        with self._lock(merge, f"merge {merge.cycle_id}"):
            return self._run_work(merge, silent)

    def snapshot(self, as_of: datetime, progress: Progress = silent) -> Cycle:
        """Land and derive the bars within sessions that had ended by a moment; one that is done is left alone.

        Cycles do not wait for it.

        Raises:
            CycleOrderError: if a later snapshot is there: what it learned cannot change under it.
        """
        wanted = work.snapshot(self.calendar.last_opened(as_of), as_of)
        with self._lock(wanted, f"snapshot at {as_of:%Y-%m-%d %H:%M:%S}", progress):
            if is_published(self.lake, wanted.cycle_id):
                return self._tell_done(wanted)
            if (last := last_snapshot(self.lake)) is not None and as_of < last:
                raise CycleOrderError(
                    f"the last snapshot was at {last.isoformat()}, and snapshots only go forward: {as_of.isoformat()} "
                    "is before it"
                )
            return self._run_work(wanted, progress)

    def news(self, as_of: datetime, progress: Progress = silent) -> Cycle:
        """Land the news up to a moment between cycles; the cycle of the session to come finds it there."""
        wanted = work.news(self.calendar.next(self.calendar.last_closed(as_of)), as_of)
        with self._lock(wanted, f"news at {as_of:%Y-%m-%d %H:%M:%S}", progress):
            if is_published(self.lake, wanted.cycle_id):
                return self._tell_done(wanted)
            return self._run_work(wanted, progress)

    def _replay_snapshot(self, as_of: datetime) -> None:
        if (last := last_snapshot(self.lake)) is None or last < as_of:
            self._run_work(work.snapshot(self.calendar.last_opened(as_of), as_of), silent)

    def run_stage(self, stage: Stage, session: date, since: date | None = None) -> Run:
        """Run one stage for a session, or those from `since` on, and publish it by itself.

        A set of features is computed from where its rows end, so that none of its history is left out.
        """
        self.calendar.position(session)
        with record_failures(self.lake, work.single_stage(stage, session, since)):
            missing = self._first_missing(stage, session) if stage.writes is FEATURE_ROWS else None
        alone = work.single_stage(stage, session, min(since or session, missing or session))
        with self._lock(alone, f"{stage.name} of {session}"):
            return self._run_alone(alone)

    def train(self, session: date, progress: Progress = silent, target: str = "", *, search: bool = False) -> list[Run]:
        """Train a challenger at a session's close and evaluate it, whether or not training is due.

        With a target, tune the champion for its names alone. With `search`, search for settings of the members first.
        A session is trained for all names once: who could train it again would keep the luckier of two. Where that
        was done, nothing is, and no run is returned.

        Raises:
            ValueError: if the target is none, or there is nothing to search.
        """
        if search:
            read_space(self.settings.models.search_space)
        wanted = work.training(session, str(parse_target(target)) if target else "", search=search)
        with self._lock(wanted, f"training at {session}", progress):
            if not target and was_trained(self.lake, session):
                return list(self._tell_done(wanted).runs)
            return list(self._run_work(wanted, progress).runs)

    def recover(self, progress: Progress = silent) -> list[Run]:
        """Bring interrupted work to its end before anything else is written; nothing to do on a tidy lake."""
        with self.lake.lock("recovery"):
            left = find_unpublished(self.lake)
            for cycle_id in dict.fromkeys(run.recipe.cycle_id for run in left):
                done = [run for run in left if run.recipe.cycle_id == cycle_id]
                interrupted = resume(done)
                self._recovered[cycle_id] = self._resume(interrupted, progress, done)
        return left

    # ---- inner workings

    def _resume(self, interrupted: Work, progress: Progress, done: Sequence[Run]) -> Cycle:
        if not interrupted.stages:
            return Cycle(interrupted.session, tuple(self._publish(done, done[-1].run_id)))
        if interrupted.kind is WorkKind.CYCLE:
            return self._run_cycle(interrupted.session, progress, done)
        return self._run_work(interrupted, progress, done)

    def _tell_done(self, wanted: Work) -> Cycle:
        """Of published work: what has just been done of it where it had been interrupted, or that it was there."""
        return self._recovered.pop(wanted.cycle_id, Cycle(wanted.session, (), already_done=True))

    @contextmanager
    def _lock(self, wanted: Work, purpose: str, progress: Progress = silent) -> Iterator[None]:
        """Be the lake's writer for the block, on a tidy lake; where that fails, the work wanted has failed."""
        with ExitStack() as stack:
            with record_failures(self.lake, wanted):
                stack.enter_context(self.lake.lock(purpose))
                self.recover(progress)
            yield

    def _run_cycle(self, session: date, progress: Progress, done: Sequence[Run] = ()) -> Cycle:
        wanted = work.cycle(session)
        if is_published(self.lake, wanted.cycle_id):
            return self._tell_done(wanted)
        require_next_cycle(self.lake, self.calendar, session)
        cycle = self._run_work(wanted, progress, done)
        report = self._run_alone(work.single_stage(REPORT, session))
        self._checkpoints = write_checkpoints(self.lake, self._checkpoints)
        return replace(cycle, runs=(*cycle.runs, report))

    def _run_alone(self, alone: Work) -> Run:
        with record_failures(self.lake, alone):
            run = self.executor.execute(alone, alone.stages[0], (alone.since, alone.session), 0)
            return self._publish([run], run.run_id)[0]

    def _run_work(self, wanted: Work, progress: Progress, done: Sequence[Run] = ()) -> Cycle:
        """Run the stages of a piece of work that are not done yet, and publish it."""
        with record_failures(self.lake, wanted):
            finished = {run.recipe.stage: run for run in done}
            to_run = [stage for stage in wanted.stages if stage.name not in finished]
            self.plugins.require_working([kind for stage in to_run for kind in stage.uses])
            attempt = failed_attempts(self.lake, wanted.cycle_id)
            loaded = backfill_span(self.lake)
            runs: list[Run] = []
            for number, stage in enumerate(wanted.stages):
                progress(stage.name.replace("_", " "), number, len(wanted.stages))
                if wanted.skips_idle and self._is_idle(stage, wanted.session, loaded, runs):
                    continue
                if stage.name in finished:
                    runs.append(finished[stage.name])
                elif (span := self._span(wanted, stage, loaded)) is not None:
                    say = partial(_tell_step, progress, stage, number, len(wanted.stages))
                    runs.append(self.executor.execute(wanted, stage, span, attempt, say))
            progress("publishing", len(wanted.stages), len(wanted.stages))
            return Cycle(wanted.session, tuple(self._publish(runs, f"{wanted.cycle_id}/{attempt}")))

    def _is_idle(self, stage: Stage, session: date, loaded: Span | None, runs: Sequence[Run]) -> bool:
        """Whether a cycle has nothing to do for a stage."""
        if stage in BACKFILL:  # what a load landed and derived has its own time and is not asked for again
            return loaded is not None and session <= loaded[1]
        return stage in TRAINING and not self._train_now(stage, session, runs)

    def _span(self, wanted: Work, stage: Stage, loaded: Span | None) -> Span | None:
        """The first and last session that a stage computes; None where all is there."""
        if stage.catches_up:
            first = self._first_missing(stage, wanted.session)
            return None if first is None else (first, wanted.session)
        if wanted.folds(stage) and loaded is not None:
            return min(wanted.since, loaded[0]), max(wanted.session, loaded[1])
        return wanted.since, wanted.session

    def _first_missing(self, stage: Stage, session: date) -> date | None:
        """Where a stage that catches up has to begin; None if the session is already there."""
        there = self.lake.last_clock(stage.writes, until=session, where=self._own_rows(stage))
        if there is not None:
            return self.calendar.next(there) if there < session else None
        bars = self.lake.clock_span(MARKET_PRICES, until=session)
        return self.calendar.at_or_after(bars[0]) if bars else session

    def _own_rows(self, stage: Stage) -> pl.Expr | None:
        """Which of a table's rows are of the kind that a run writes now: those of another set of features are not."""
        if stage.writes is not FEATURE_ROWS:
            return None
        return pl.col("feature_set") == feature_set(self.plugins.extend(stage.uses)).name

    def _refuse_late_backfill(self) -> None:
        if (done := last_cycle(self.lake)) is not None:
            raise CycleOrderError(
                f"cycles have run to {done}, and history loaded now would change what they decided on; "
                "load it into a new lake (`nextgen init --lake FOLDER`) and replay"
            )
        if has_imported(self.lake, (RAW_PRICES, RAW_NEWS)):
            raise CycleOrderError(
                "an older system was imported, which fills what the lake's own history lacks; load the history into a "
                "new lake (`nextgen init --lake FOLDER`), then import there again"
            )

    def _train_now(self, stage: Stage, session: date, runs: Sequence[Run]) -> bool:
        """Training is due if the feedback says so, its record with it; judging then too, or if the operator chose."""
        if stage is TRAINING[0]:
            return self.executor.holds(TRAINING_DUE, stage, session)
        trained = any(run.recipe.stage == TRAINING[0].name for run in runs)
        return trained or (stage is TRAINING[-1] and self.executor.holds(CHAMPION_CHOSEN, stage, session))

    def _publish(self, runs: Sequence[Run], publication: str) -> list[Run]:
        return publish(self.lake, runs, publication, durable=self.settings.runtime.durable)
