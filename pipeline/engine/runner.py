"""Run a stage, a session's cycle, or a whole range of sessions, and publish what came of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from hashlib import sha256
from time import perf_counter
from typing import Any

import polars as pl

from lake.errors import LakeError, StorageError
from lake.fingerprint import fingerprint
from lake.runs import (
    Recipe,
    Run,
    backfill_span,
    failed_attempts,
    has_imported,
    is_published,
    last_cycle,
    publish,
    unpublished,
)
from lake.store import Lake
from lake.tables.control import RUNS, WorkKind
from lake.tables.features import FEATURE_ROWS
from lake.tables.market import MARKET_PRICES, RAW_PRICES
from lake.tables.news import RAW_NEWS
from lake.upkeep.checkpoints import write_checkpoints
from pipeline.config.recorded import from_record
from pipeline.config.settings import Settings
from pipeline.engine import work
from pipeline.engine.backfill import commit_fold
from pipeline.engine.code_fingerprint import code_fingerprint, libraries
from pipeline.engine.plugins import Plugins
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.engine.stages import BACKFILL, REPORT, TRAINING, Wanted, choice_made, training_wanted
from pipeline.engine.work import Work
from pipeline.features.feature_set import feature_set
from pipeline.ingestion.sources import Source, open_source
from pipeline.market.sessions import Sessions, exchange_sessions

log = logging.getLogger(__name__)
Progress = Callable[[str, int, int], None]
"""Told what is being done, how many steps are done, and of how many."""
EXTENSIONS = "extensions"
"""Where a recipe's parameters say what the run used beyond what the program began with."""
Span = tuple[date, date]
"""The first and last session of a range."""


def silent(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Cycle:
    """What a cycle did for its session."""

    session: date
    runs: tuple[Run, ...]
    already_done: bool = False


class StageFailedError(Exception):
    """A stage raised; the lake is as it was published before. The cause is the exception it raised."""

    def __init__(self, run: Run) -> None:
        super().__init__(f"stage {run.recipe.stage} failed for session {run.recipe.session}: {run.error}")
        self.run = run


class CycleOrderError(LakeError):
    """A cycle was asked for out of order."""


class Runner:
    """Runs stages of one lake under one configuration; holds the calendar and the source between sessions."""

    def __init__(self, lake: Lake, settings: Settings, source: Source | None = None) -> None:
        self.lake = lake
        lake.durable = settings.runtime.durable
        self.settings = settings
        self._source = source
        self._checkpoints: dict[str, int] = {}
        self._sections: dict[str, dict[str, Any]] = {}

    @property
    def calendar(self) -> Sessions:
        """The sessions of the configured exchange."""
        return exchange_sessions(self.settings.market.exchange)

    @property
    def source(self) -> Source:
        """The configured source of prices and news."""
        if self._source is None:
            self._source = open_source(self.settings.source, self.calendar)
        return self._source

    @cached_property
    def plugins(self) -> Plugins:
        """The operator's plugins, loaded once."""
        return Plugins.load(self.settings.plugins.paths(self.lake.path), self.calendar)

    def decision_time(self, session: date) -> datetime:
        """The moment a session's decisions are made: what is public later does not exist for them."""
        return self.calendar.close_at(session) + timedelta(minutes=self.settings.market.decision_lag_minutes)

    # ---- one session

    def cycle(self, session: date, progress: Progress = silent) -> Cycle:
        """Run the whole loop for a session and publish it; a session that is done is left alone.

        Raises:
            StageFailedError: if a stage raises; what it was and why is recorded, nothing else is published.
            BusyError: if another process is writing.
        """
        self.calendar.position(session)
        with self.lake.lock(f"cycle of {session}"):
            self.recover(progress)
            return self._cycle(session, progress)

    def replay(self, first: date, last: date, progress: Progress = silent) -> Iterable[Cycle]:
        """Run the cycles of a range of sessions, one after the other, as they would have run live."""
        sessions = self.calendar.between(first, last)
        with self.lake.lock(f"replay {first} to {last}"):
            self.recover(silent)
            for number, session in enumerate(sessions):
                progress(f"session {session}", number, len(sessions))
                yield self._cycle(session, silent)
            progress("replay", len(sessions), len(sessions))

    def load_history(self, since: date, session: date, progress: Progress = silent) -> Cycle:
        """Land all history from the source and derive what does not depend on the book: the start of a lake.

        Further periods may follow in any order: each load derives anew from the landings of all.

        Raises:
            CycleOrderError: if cycles have run: what they decided on cannot change under them; or if an older system
                was imported, which fills what the lake's own history lacks and so has to come after it.
        """
        with self.lake.lock(f"history {since} to {session}"):
            self.recover(progress)
            if (done := last_cycle(self.lake)) is not None:
                raise CycleOrderError(
                    f"cycles have run to {done}, and history loaded now would change what they decided on; "
                    "load it into a new lake (`nextgen init --lake FOLDER`) and replay"
                )
            self._refuse_after_import()
            return self._published(work.backfill(since, session), progress)

    def run_import(self, imported: Work, progress: Progress = silent) -> Cycle:
        """Land and derive what an import brings for a range of sessions, and publish it at once.

        Unlike a load of history it says nothing about which sessions the lake's own source has been asked for.
        """
        with self.lake.lock(f"import {imported.since} to {imported.session}"):
            return self._published(imported, progress)

    def stage(self, stage: Stage, session: date, since: date | None = None) -> Run:
        """Run one stage for a session and publish it by itself.

        Raises:
            StageFailedError: if it raises.
        """
        self.calendar.position(session)
        with self.lake.lock(f"{stage.name} of {session}"):
            self.recover(silent)
            return self._single(stage, session, since)

    def train(self, session: date, progress: Progress = silent) -> list[Run]:
        """Train a challenger at a session's close and let it be judged, whether or not training is due."""
        with self.lake.lock(f"training at {session}"):
            self.recover(progress)
            return list(self._published(work.training(session), progress).runs)

    def recover(self, progress: Progress = silent) -> list[Run]:
        """Bring an interrupted cycle to its end before anything else is written; a no-op on a tidy lake."""
        with self.lake.lock("recovery"):
            left = unpublished(self.lake)
            for cycle_id in dict.fromkeys(run.recipe.cycle_id for run in left):
                done = [run for run in left if run.recipe.cycle_id == cycle_id]
                interrupted = work.resume(done)
                if not interrupted.stages:
                    self._publish(done, done[-1].run_id)
                elif interrupted.kind is WorkKind.CYCLE:
                    self._cycle(interrupted.session, progress, done)
                else:
                    self._published(interrupted, progress, done)
        return left

    # ---- inner workings

    def _cycle(self, session: date, progress: Progress, done: Sequence[Run] = ()) -> Cycle:
        wanted = work.cycle(session)
        if is_published(self.lake, wanted.cycle_id):
            return Cycle(session, (), already_done=True)
        self._refuse_gap(session)
        cycle = self._published(wanted, progress, done)
        report = self._single(REPORT, session)
        self._checkpoints = write_checkpoints(self.lake, self._checkpoints)
        return replace(cycle, runs=(*cycle.runs, report))

    def _single(self, stage: Stage, session: date, since: date | None = None) -> Run:
        alone = work.single_stage(stage, session, since)
        run = self._execute(alone, stage, (alone.since, session), 0)
        return self._publish([run], run.run_id)[0]

    def _published(self, wanted: Work, progress: Progress, done: Sequence[Run] = ()) -> Cycle:
        """Run the stages of a piece of work that are not done yet, and publish it."""
        self.plugins.require_working([kind for stage in wanted.stages for kind in stage.uses])
        finished = {run.recipe.stage: run for run in done}
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
                runs.append(self._execute(wanted, stage, span, attempt))
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
        if wanted.folds and stage.reads and loaded is not None:
            return min(wanted.since, loaded[0]), max(wanted.session, loaded[1])
        return wanted.since, wanted.session

    def _first_missing(self, stage: Stage, session: date) -> date | None:
        """Where a stage that catches up has to begin; None if the session is already there."""
        there = self.lake.clock_span(stage.writes, until=session, where=self._own_rows(stage))
        if there is not None:
            return self.calendar.next(there[1]) if there[1] < session else None
        bars = self.lake.clock_span(MARKET_PRICES, until=session)
        return self.calendar.at_or_after(bars[0]) if bars else session

    def _own_rows(self, stage: Stage) -> pl.Expr | None:
        """Which of a table's rows are of the kind that a run writes now: those of another set of features are not."""
        if stage.writes is not FEATURE_ROWS:
            return None
        return pl.col("feature_set") == feature_set(self.plugins.extend(stage.uses)).name

    def _refuse_gap(self, session: date) -> None:
        """The book moves session by session: its cycles can neither go back nor leave one out."""
        last = last_cycle(self.lake)
        if last is None or session == (wanted := self.calendar.next(last)):
            return
        if session < wanted:
            raise CycleOrderError(
                f"{session} lies before the first cycle of this lake, and cycles only go forward: the last was {last}, "
                f"the next is {wanted}"
            )
        raise CycleOrderError(
            f"the last cycle was {last}, so the next is {wanted}, not {session}; "
            f"run `nextgen replay --from {wanted} --to {session}`"
        )

    def _refuse_after_import(self) -> None:
        if has_imported(self.lake, (RAW_PRICES, RAW_NEWS)):
            raise CycleOrderError(
                "an older system was imported, which fills what the lake's own history lacks; load the history into a "
                "new lake (`nextgen init --lake FOLDER`), then import there again"
            )

    def _train_now(self, stage: Stage, session: date, runs: Sequence[Run]) -> bool:
        """Training is due if the feedback says so; judging is due if something was trained, or the operator chose."""
        if stage is TRAINING[0]:
            return self._holds(training_wanted, stage, session)
        trained = bool(runs) and runs[-1].recipe.stage == TRAINING[0].name
        return trained or self._holds(choice_made, stage, session)

    def _holds(self, wanted: Wanted, stage: Stage, session: date) -> bool:
        moment = self._moment(stage, session, session)
        return wanted.holds(self._frame(Read(wanted.table), self.lake.newest(wanted.table), moment))

    def _execute(self, wanted: Work, stage: Stage, span: Span, attempt: int) -> Run:
        """Pin the newest inputs, compute, and write one new version; a fold is all there is from `since` on."""
        since, session = span
        recipe = self._recipe(wanted, stage, self._moment(stage, session, since), attempt)
        started, clock = datetime.now(UTC), perf_counter()
        run = Run(recipe=recipe, files={}, started_at=started)
        try:
            rows = self.compute(stage, recipe)
            run = replace(run, rows=rows.height, fingerprint=fingerprint(rows, stage.writes.key, _content(stage, rows)))
            if wanted.folds and stage.reads and stage.kind == "pure":
                written = commit_fold(self.lake, stage.writes, rows, since, recipe.run_id, {"run": run.row()})
            else:
                written = self.lake.commit(stage.writes, rows, recipe.run_id, {"run": run.row()})
        except StorageError:
            raise  # a disk that refuses the rows refuses the record of it as well; the next run goes on from here
        except Exception as error:  # whatever a stage raises ends this cycle and is told in words
            failed = replace(run, status="failed", error=_in_words(error), seconds=perf_counter() - clock)
            self.lake.commit(RUNS, _failure(failed, attempt), f"{run.run_id}/failed/{started.isoformat()}", {})
            raise StageFailedError(failed) from error
        run = replace(run, output_version=written.version, written=written.rows, seconds=perf_counter() - clock)
        about = {"run_id": run.run_id, "stage": stage.name, "cycle_id": wanted.cycle_id, "session": session}
        log.info("%s of %s: %d rows in %.2f s", stage.name, session, run.rows, run.seconds, extra=about)
        return run

    def compute(self, stage: Stage, recipe: Recipe) -> pl.DataFrame:
        """The rows a stage gives for a recipe: a function of the pinned versions and nothing else. Writes nothing."""
        moment = Moment(
            session=recipe.session,
            since=recipe.since,
            as_of=recipe.as_of,
            seed=recipe.seed,
            versions=recipe.inputs,
            calendar=self.calendar,
            extensions=self.plugins.restore(stage.uses, recipe.params.get(EXTENSIONS, {})),
        )
        # A table that the run did not know yet is empty for it, as it was.
        frames = [self._frame(read, recipe.inputs.get(read.table.name, 0), moment) for read in stage.reads]
        params = parameters(stage, recipe.params)
        first = [self.source] if stage.kind == "landing" else []
        return stage.writes.check(stage.function(*first, *frames, moment, params))

    def _frame(self, read: Read, version: int, moment: Moment) -> pl.DataFrame:
        """What a stage sees of a table: cut to the clock and to what was public, sorted by key, without `run_id`."""
        calendar = moment.calendar
        table = self.lake.contract(read.table, version)
        columns = read.columns or tuple(table.columns)
        return self.lake.read(
            table,
            version=version,
            since=None if read.lookback is None else calendar.offset(moment.since, -read.lookback),
            until=moment.session if read.upto == "session" else calendar.previous(moment.since),
            as_of=moment.as_of,
            where=read.where,
            columns=columns,
            every_revision=read.every_revision,
        )

    def _moment(self, stage: Stage, session: date, since: date) -> Moment:
        return Moment(
            session=session,
            since=since,
            as_of=self.decision_time(session),
            seed=_seed(self.settings.runtime.seed, stage.name, session),
            versions={read.table.name: self.lake.newest(read.table) for read in stage.reads},
            calendar=self.calendar,
            extensions=self.plugins.extend(stage.uses),
        )

    def _recipe(self, wanted: Work, stage: Stage, moment: Moment, attempt: int) -> Recipe:
        extensions = moment.extensions.record()
        return Recipe(
            work=wanted.kind,
            cycle_id=wanted.cycle_id,
            attempt=attempt,
            stage=stage.name,
            kind=stage.kind,
            session=moment.session,
            since=moment.since,
            as_of=moment.as_of,
            inputs=dict(moment.versions),
            params=self._parameters(stage.section) | ({EXTENSIONS: extensions} if extensions else {}),
            seed=moment.seed,
            code=code_fingerprint(stage),
            threads=self.settings.runtime.threads,
            libraries=libraries(),
            output_table=stage.writes.name,
            plugins=self.plugins.hashes(stage.uses),
        )

    def _parameters(self, section: str) -> dict[str, Any]:
        """The section as plain values; made once, because every run records it."""
        if section not in self._sections:
            self._sections[section] = asdict(self.settings.section(section))
        return self._sections[section]

    def _publish(self, runs: Sequence[Run], publication: str) -> list[Run]:
        return publish(self.lake, runs, publication, durable=self.settings.runtime.durable)


def parameters(stage: Stage, values: dict[str, Any]) -> Any:
    """The stage's parameter object from what a recipe recorded."""
    return from_record(type(stage.params), {name: value for name, value in values.items() if name != EXTENSIONS})


def _content(stage: Stage, rows: pl.DataFrame) -> tuple[str, ...]:
    return stage.writes.for_columns(rows.columns).content_columns


def _failure(run: Run, attempt: int) -> pl.DataFrame:
    row = run.row() | {"run_id": f"{run.run_id}-failed-{attempt}"}
    return RUNS.check(pl.DataFrame([row], schema=RUNS.schema))


def _in_words(error: Exception) -> str:
    text = f"{type(error).__name__}: {error}"
    return text if len(text) <= 3_900 else text[:3_900] + "..."


def _seed(root: int, stage: str, session: date) -> int:
    return int.from_bytes(sha256(f"{root}:{stage}:{session}".encode()).digest()[:7])
