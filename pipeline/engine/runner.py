"""Run a stage, a session's cycle, or a whole range of sessions, and publish what came of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from time import perf_counter
from typing import Any

import polars as pl

from lake.errors import LakeError, StorageError
from lake.fingerprint import fingerprint
from lake.runs import Recipe, Run, publish, unpublished
from lake.store import Lake
from lake.tables.control import RUNS
from lake.tables.market import MARKET_PRICES
from lake.upkeep.checkpoints import checkpoint_due
from pipeline.config.settings import Settings
from pipeline.engine.backfill import commit_fold, history_asked, loaded_span
from pipeline.engine.code_fingerprint import code_fingerprint, libraries
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.engine.stages import (
    CYCLE,
    HISTORY,
    REPORT,
    TAKE_OVER,
    TRAINING,
    Wanted,
    choice_made,
    training_wanted,
)
from pipeline.ingestion.sources import Source, open_source
from pipeline.market.sessions import Sessions, exchange_sessions

log = logging.getLogger(__name__)
Progress = Callable[[str, int, int], None]
"""Told what is being done, how many steps are done, and of how many."""


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
        with self.lake.lease(f"cycle of {session}"):
            self.recover(progress)
            return self._cycle(session, progress)

    def last_cycle(self) -> date | None:
        """The last session whose cycle is published; None in a lake without one."""
        done = self.lake.read(
            RUNS,
            where=pl.col("cycle_id").str.starts_with("cycle-") & (pl.col("status") == "done"),
            columns=("session",),
        )
        last = done["session"].max()
        return last if isinstance(last, date) else None

    def replay(self, first: date, last: date, progress: Progress = silent) -> Iterable[Cycle]:
        """Run the cycles of a range of sessions, one after the other, as they would have run live."""
        sessions = self.calendar.between(first, last)
        with self.lake.lease(f"replay {first} to {last}"):
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
        with self.lake.lease(f"history {since} to {session}"):
            self.recover(progress)
            if (done := self.last_cycle()) is not None:
                raise CycleOrderError(
                    f"cycles have run to {done}, and history loaded now would change what they decided on; "
                    "load it into a new lake (`nextgen init --lake FOLDER`) and replay"
                )
            self._refuse_after_import()
            return self._published(HISTORY, session, since, f"history-{since:%Y%m%d}-{session:%Y%m%d}", progress)

    def take_over(
        self, stages: Sequence[Stage], since: date, session: date, cycle_id: str, progress: Progress = silent
    ) -> Cycle:
        """Land and derive what an import brings for a range of sessions, and publish it at once.

        Unlike a load of history it says nothing about which sessions the lake's own source has been asked for.
        """
        with self.lake.lease(f"import {since} to {session}"):
            return self._published(stages, session, since, cycle_id, progress)

    def is_published(self, cycle_id: str) -> bool:
        """Whether a publication of that cycle is there."""
        return self._is_published(cycle_id)

    def stage(self, stage: Stage, session: date, since: date | None = None) -> Run:
        """Run one stage for a session and publish it by itself.

        Raises:
            StageFailedError: if it raises.
        """
        self.calendar.position(session)
        with self.lake.lease(f"{stage.name} of {session}"):
            self.recover(silent)
            run = self._execute(stage, session, since or session, f"single-{stage.name}-{session:%Y%m%d}", 0)
            return self._publish([run], run.run_id)[0]

    def train(self, session: date, progress: Progress = silent) -> list[Run]:
        """Train a challenger at a session's close and let it be judged, whether or not training is due."""
        with self.lake.lease(f"training at {session}"):
            self.recover(progress)
            return list(self._published(TRAINING, session, session, f"training-{session:%Y%m%d}", progress).runs)

    def recover(self, progress: Progress = silent) -> list[Run]:
        """Bring an interrupted cycle to its end before anything else is written; a no-op on a tidy lake."""
        with self.lake.lease("recovery"):
            left = unpublished(self.lake)
            for cycle_id in dict.fromkeys(run.recipe.cycle_id for run in left):
                done = [run for run in left if run.recipe.cycle_id == cycle_id]
                head = done[0].recipe
                if cycle_id.startswith("single-"):
                    self._publish(done, done[-1].run_id)
                elif cycle_id.startswith("cycle-"):
                    self._cycle(head.session, progress, done)
                else:
                    stages = _resumed(cycle_id)
                    since, session = history_asked(cycle_id) or (head.since, head.session)
                    self._published(stages, session, since, cycle_id, progress, done)
        return left

    # ---- inner workings

    def _cycle(self, session: date, progress: Progress, done: Sequence[Run] = ()) -> Cycle:
        cycle_id = f"cycle-{session:%Y%m%d}"
        if self._is_published(cycle_id):
            return Cycle(session, (), already_done=True)
        self._refuse_gap(session)
        cycle = self._published(CYCLE, session, session, cycle_id, progress, done)
        report = self._execute(REPORT, session, session, f"single-{REPORT.name}-{session:%Y%m%d}", 0)
        self._publish([report], report.run_id)
        self._checkpoints = checkpoint_due(self.lake, self._checkpoints)
        return replace(cycle, runs=(*cycle.runs, report))

    def _published(
        self,
        stages: Sequence[Stage],
        session: date,
        since: date,
        cycle_id: str,
        progress: Progress,
        done: Sequence[Run] = (),
    ) -> Cycle:
        finished = {run.recipe.stage: run for run in done}
        whole = loaded_span(self.lake, since, session) if stages is HISTORY else None
        runs: list[Run] = []
        attempt = self._attempts(cycle_id)
        loaded = self._loaded_until()
        for number, stage in enumerate(stages):
            progress(stage.name.replace("_", " "), number, len(stages))
            if stage in HISTORY and stages is CYCLE and session <= loaded:
                continue
            if stage in TRAINING and stages is CYCLE and not self._train_now(stage, session, runs):
                continue
            first = self._first_missing(stage, session) if stage.catches_up else since
            if stage.name in finished:
                runs.append(finished[stage.name])
            elif whole is not None and stage.reads:
                runs.append(self._execute(stage, whole[1], whole[0], cycle_id, attempt, fold=True))
            elif first is not None:
                runs.append(self._execute(stage, session, first, cycle_id, attempt))
        progress("publishing", len(stages), len(stages))
        return Cycle(session, tuple(self._publish(runs, f"{cycle_id}/{attempt}")))

    def _first_missing(self, stage: Stage, session: date) -> date | None:
        """Where a stage that catches up has to begin; None if the session is already there."""
        there = self.lake.clock_span(stage.writes, until=session)
        if there is not None:
            return self.calendar.next(there[1]) if there[1] < session else None
        bars = self.lake.clock_span(MARKET_PRICES, until=session)
        return self.calendar.at_or_after(bars[0]) if bars else session

    def _refuse_gap(self, session: date) -> None:
        """The book moves session by session: its cycles can neither go back nor leave one out."""
        last = self.last_cycle()
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

    def _loaded_until(self) -> date:
        """The last session of the history load: what it landed and derived has its own time and is not asked again."""
        loads = self.lake.read(
            RUNS,
            where=pl.col("cycle_id").str.starts_with("history-") & (pl.col("status") == "done"),
            columns=("session",),
        )
        last = loads["session"].max()
        return last if isinstance(last, date) else date.min

    def _refuse_after_import(self) -> None:
        filled = pl.col("cycle_id").str.starts_with("import-") & pl.col("stage").is_in(["land_prices", "land_news"])
        if self.lake.read(RUNS, where=filled, columns=("run_id",)).height:
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

    def _execute(
        self, stage: Stage, session: date, since: date, cycle_id: str, attempt: int, *, fold: bool = False
    ) -> Run:
        """Pin the newest inputs, compute, and write one new version; a fold is all there is from `since` on."""
        recipe = self._recipe(stage, self._moment(stage, session, since), cycle_id, attempt)
        started, clock = datetime.now(UTC), perf_counter()
        run = Run(recipe=recipe, files={}, started_at=started)
        try:
            rows = self.compute(stage, recipe)
            run = replace(run, rows=rows.height, fingerprint=fingerprint(rows, stage.writes.key, _content(stage)))
            if fold and stage.kind == "pure":
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
        about = {"run_id": run.run_id, "stage": stage.name, "cycle_id": cycle_id, "session": session}
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
        )
        # A table that the run did not know yet is empty for it, as it was.
        frames = [self._frame(read, recipe.inputs.get(read.table.name, 0), moment) for read in stage.reads]
        params = parameters(stage, recipe.params)
        first = [self.source] if stage.kind == "landing" else []
        return stage.writes.check(stage.function(*first, *frames, moment, params))

    def _frame(self, read: Read, version: int, moment: Moment) -> pl.DataFrame:
        """What a stage sees of a table: cut to the clock and to what was public, sorted by key, without `run_id`."""
        calendar = moment.calendar
        columns = read.columns or tuple(read.table.columns)
        return self.lake.read(
            read.table,
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
        )

    def _recipe(self, stage: Stage, moment: Moment, cycle_id: str, attempt: int) -> Recipe:
        return Recipe(
            cycle_id=cycle_id,
            attempt=attempt,
            stage=stage.name,
            kind=stage.kind,
            session=moment.session,
            since=moment.since,
            as_of=moment.as_of,
            inputs=dict(moment.versions),
            params=self._parameters(stage.section),
            seed=moment.seed,
            code=code_fingerprint(stage),
            threads=self.settings.runtime.threads,
            libraries=libraries(),
            output_table=stage.writes.name,
        )

    def _parameters(self, section: str) -> dict[str, Any]:
        """The section as plain values; made once, because every run records it."""
        if section not in self._sections:
            self._sections[section] = asdict(self.settings.section(section))
        return self._sections[section]

    def _publish(self, runs: Sequence[Run], publication: str) -> list[Run]:
        return publish(self.lake, runs, publication, durable=self.settings.runtime.durable)

    def _is_published(self, cycle_id: str) -> bool:
        mine = (pl.col("cycle_id") == cycle_id) & (pl.col("status") == "done")
        return not self.lake.read(RUNS, where=mine, columns=("run_id",)).is_empty()

    def _attempts(self, cycle_id: str) -> int:
        mine = (pl.col("cycle_id") == cycle_id) & (pl.col("status") == "failed")
        return self.lake.read(RUNS, where=mine, columns=("run_id",)).height


def _resumed(cycle_id: str) -> Sequence[Stage]:
    """What is left to run of an interrupted piece of work that is no cycle."""
    if cycle_id.startswith("import-"):  # what was landed is there; the older system may not be at hand any more
        return tuple(stage for stage in TAKE_OVER if stage.kind == "pure")
    return HISTORY if cycle_id.startswith("history-") else TRAINING


def parameters(stage: Stage, values: dict[str, Any]) -> Any:
    """The stage's parameter object from what a recipe recorded."""
    kind: Any = type(stage.params)
    return _adapter(kind).validate_python(values)


@lru_cache(maxsize=32)
def _adapter(kind: Any) -> Any:
    """Building one costs more than all that it validates in a session."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _content(stage: Stage) -> tuple[str, ...]:
    return stage.writes.content_columns


def _failure(run: Run, attempt: int) -> pl.DataFrame:
    row = run.row() | {"run_id": f"{run.run_id}-failed-{attempt}"}
    return RUNS.check(pl.DataFrame([row], schema=RUNS.schema))


def _in_words(error: Exception) -> str:
    text = f"{type(error).__name__}: {error}"
    return text if len(text) <= 3_900 else text[:3_900] + "..."


def _seed(root: int, stage: str, session: date) -> int:
    return int.from_bytes(sha256(f"{root}:{stage}:{session}".encode()).digest()[:7])
