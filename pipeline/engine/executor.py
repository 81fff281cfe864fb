"""Runs one stage: pins the newest versions of its inputs, computes, and writes one new version of its table."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property, partial
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import Any

import polars as pl

from lake.engine import work_within_query
from lake.errors import StorageError
from lake.fingerprint import fingerprint
from lake.publication import record_failure
from lake.runs import Recipe, Run
from lake.storage.visibility import FACTS
from lake.store import CommitResult, Lake
from lake.tables.features import FEATURE_ROWS
from pipeline.config.recorded import from_record
from pipeline.config.settings import Settings
from pipeline.engine.backfill import commit_fold
from pipeline.engine.capsules.write_capsule import write_capsule
from pipeline.engine.code_fingerprint import code_fingerprint, libraries
from pipeline.engine.failures import StageFailedError, describe_error
from pipeline.engine.stage import Condition, Moment, Read, Stage, join_spans
from pipeline.engine.work import Span, Work
from pipeline.execution.current import working_on
from pipeline.execution.opening import open_executor
from pipeline.features.carried.same_features import take_over
from pipeline.ingestion.sources.registry import open_snapshot_source, open_source
from pipeline.ingestion.sources.snapshot_source import SnapshotSource
from pipeline.ingestion.sources.source import Source
from pipeline.market.sessions import Sessions, exchange_sessions
from pipeline.plugins.extensions import Extensions
from pipeline.plugins.plugins import Plugins

log = logging.getLogger(__name__)
CURRENCY, EXTENSIONS, TARGET, SEARCH = "currency", "extensions", "target", "search"
"""Where a recipe's parameters say the book's currency, what the run used beyond what the program began with, whom a
training is for, and that it searches for settings."""


Say = Callable[[str], None]
"""Told in words how far something is."""


def tell_nobody(_words: str) -> None:
    """Nobody watches."""


class Executor:
    """Runs stages of one lake under one configuration; holds the calendar and the source between them."""

    def __init__(self, lake: Lake, settings: Settings, source: Source | None = None) -> None:
        self.lake = lake
        self.settings = settings
        self._source = source
        self._sections: dict[str, dict[str, Any]] = {}
        self._parsed: dict[str, tuple[dict[str, Any], Any]] = {}
        """Stage -> what the last recipe recorded of its parameters, and the object that it was read as."""

    @property
    def calendar(self) -> Sessions:
        """The sessions of the configured exchange, with what the operator knows of them."""
        return self._calendar_at(None)

    @property
    def source(self) -> Source:
        """The configured source of prices and news."""
        if self._source is None:
            self._source = open_source(self.settings.source, self.calendar, self.settings.currency)
        return self._source

    @cached_property
    def snapshot_source(self) -> SnapshotSource:
        """The configured source's bars within sessions."""
        return open_snapshot_source(self.settings.source, self.calendar, self.settings.currency)

    @cached_property
    def plugins(self) -> Plugins:
        """What the configuration adds to the program, loaded once."""
        settings = self.settings.plugins
        return Plugins.load(settings.paths(self.lake.path), self.calendar, settings.feature_sets)

    def _calendar_at(self, as_of: datetime | None) -> Sessions:
        """The calendar with the changes known by a moment; with all where None."""
        market = self.settings.market
        return market.changes.apply(exchange_sessions(market.exchange), as_of.date() if as_of else None)

    def decision_time(self, session: date) -> datetime:
        """The moment a session's decisions are made: what is public later does not exist for them."""
        lag = timedelta(minutes=self.settings.market.decision_lag_minutes)
        return self.calendar.close_at(session) + self.calendar.within_pause(lag)

    def execute(self, work: Work, stage: Stage, span: Span, attempt: int, say: Say = tell_nobody) -> Run:
        """Run a stage of a piece of work; what it wrote is not published yet.

        Args:
            work: what it is part of.
            stage: one of its stages.
            span: the first and last session to compute.
            attempt: 0 for the first try of the work.
            say: told in words how far a stage is that works for long, from any thread.

        Raises:
            StageFailedError: if the stage raises; its run is recorded as failed.
            StorageError: if the disk refuses; the next run goes on from here.
        """
        do = partial(self._execute, work, stage, span, attempt, say)
        return work_within_query(do) if asks_small_queries(stage, span) else do()

    def _execute(self, work: Work, stage: Stage, span: Span, attempt: int, say: Say) -> Run:
        moment = replace(
            self._moment(stage, span, work.as_of, self._take_over(stage)), target=work.target, search=work.search
        )
        recipe = self._recipe(work, stage, moment, attempt)
        clock = perf_counter()
        run = Run(recipe=recipe, files={}, started_at=datetime.now(UTC))
        try:
            with nullcontext() if stage.attend is None else stage.attend(self.lake, recipe, say):
                run, written = self._compute_and_write(work, stage, run, say)
        except StorageError:
            raise  # the work is interrupted, not wrong: what it has done so far is used again
        except Exception as error:  # whatever a stage raises ends this piece of work and is recorded in words
            failed = replace(run, status="failed", error=describe_error(error), seconds=perf_counter() - clock)
            record_failure(self.lake, failed)
            raise StageFailedError(failed, self._leave_capsule(stage, failed, error)) from error
        run = replace(run, output_version=written.version, written=written.rows, seconds=perf_counter() - clock)
        about = {"run_id": run.run_id, "stage": stage.name, "cycle_id": work.cycle_id, "session": recipe.session}
        log.info("%s of %s: %d rows in %.2f s", stage.name, recipe.session, run.rows, run.seconds, extra=about)
        return run

    def _compute_and_write(self, work: Work, stage: Stage, run: Run, _say: Say) -> tuple[Run, CommitResult]:
        """Do a run; with how many rows and which fingerprint it ended, and what it wrote."""
        rows = self.compute(stage, run.recipe)
        content = stage.writes.for_columns(rows.columns).content_columns
        run = replace(run, rows=rows.height, fingerprint=fingerprint(rows, stage.writes.key, content))
        return run, self._write(work, stage, rows, run)

    def compute(self, stage: Stage, recipe: Recipe) -> pl.DataFrame:
        """The rows a stage gives for a recipe: a function of the pinned versions and nothing else. Writes nothing.

        What the stage shares out is done by whom the configuration names.
        """
        frames, moment = self.read_inputs(stage, recipe)
        params = self._parse_params(stage, recipe.params)
        first = [self._answering(stage)] if stage.kind == "landing" else []
        with working_on(partial(open_executor, self.settings.execution)):
            try:
                rows = stage.function(*first, *frames.values(), moment, params)
            except SystemExit as error:  # a plugin, or a library, means to end the program: it is the stage that fails
                raise RuntimeError(f"it called sys.exit({error.code!r})") from error
            return stage.writes.check(rows)

    def read_inputs(self, stage: Stage, recipe: Recipe) -> tuple[dict[str, pl.DataFrame], Moment]:
        """What a stage sees for a recipe: its frames by their tables' names, and where in time it stands."""
        moment = self.restore_moment(stage, recipe)
        return self._read_all(stage, moment), moment

    def restore_moment(self, stage: Stage, recipe: Recipe) -> Moment:
        """Where in time a recipe's run stands."""
        return Moment(
            session=recipe.session,
            since=recipe.since,
            as_of=recipe.as_of,
            seed=recipe.seed,
            versions=recipe.inputs,
            calendar=self._calendar_at(recipe.as_of),
            currency=recipe.params.get(CURRENCY, ""),
            target=recipe.params.get(TARGET, ""),
            search=recipe.params.get(SEARCH, False),
            extensions=self.plugins.restore(stage.uses, recipe.params.get(EXTENSIONS, {})),
            test_from=find_test_window(stage, recipe.params),
        )

    def read_now(self, stage: Stage, since: date, session: date) -> tuple[dict[str, pl.DataFrame], Moment]:
        """The same for a run that would begin now, of the sessions from `since` to `session`."""
        moment = self._moment(stage, (since, session))
        return self._read_all(stage, moment), moment

    def _read_all(self, stage: Stage, moment: Moment) -> dict[str, pl.DataFrame]:
        frames: dict[str, pl.DataFrame] = {}
        for read in stage.reads:
            # A table that the run did not know yet is empty for it, as it was.
            version = moment.versions.get(read.table.name, 0)
            frames[read.table.name] = self._read(read, version, moment, frames)
        return frames

    def holds(self, condition: Condition, stage: Stage, session: date) -> bool:
        """Whether a condition holds at a session, where the stage would run."""
        moment = self._moment(stage, (session, session))
        return condition.holds(self._read(Read(condition.table), self.lake.newest(condition.table), moment, {}))

    def _leave_capsule(self, stage: Stage, failed: Run, error: Exception) -> Path | None:
        """Put a failed run with all it saw in a file; a failure of that must not hide the run's own."""
        frames: dict[str, pl.DataFrame] = {}
        with suppress(Exception):  # what failed may be the reading
            frames, _ = self.read_inputs(stage, failed.recipe)
        try:
            plugins = self.plugins.sources(failed.recipe.plugins)
            return write_capsule(self.lake.path, failed, error, frames, plugins, self.settings)
        except Exception:  # a full disk, a frame that cannot be written: the run's failure counts
            log.warning("no capsule of %s could be written", failed.run_id, exc_info=True)
            return None

    def _write(self, work: Work, stage: Stage, rows: pl.DataFrame, run: Run) -> CommitResult:
        recipe = {"run": run.row()}
        if work.folds(stage) and stage.kind == "pure":
            return commit_fold(self.lake, stage.writes, rows, run.recipe.since, run.run_id, recipe)
        return self.lake.commit(stage.writes, rows, run.run_id, recipe)

    def _read(self, read: Read, version: int, moment: Moment, frames: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
        """What a stage sees of a table: cut to the clock and to what was public, sorted by key, without `run_id`."""
        calendar, columns = moment.calendar, read.columns
        if not read.is_wanted(moment.extensions):
            return read.table.empty().select(columns or tuple(read.table.columns))
        table = self.lake.contract(read.table, version)
        columns = columns or tuple(table.columns)
        since = None if read.lookback is None else calendar.offset(moment.since, -read.lookback)
        until = calendar.previous(moment.since) if read.upto == "previous" else moment.session
        as_of = None if read.known_later else moment.as_of
        if moment.test_from is not None and table.domain in FACTS:
            until, as_of = end_before(moment.test_from, until, as_of)
        spans = join_spans(read.further(frames, moment) if read.further else (), (since, until))
        look = partial(self.lake.read, table, version=version, as_of=as_of, sealed_from=moment.test_from)
        if read.needs is not None and all(
            look(since=first, until=last, where=read.needs, columns=table.key).is_empty() for first, last in spans
        ):
            return table.empty().select(columns)
        parts = [
            look(since=first, until=last, where=read.where, columns=columns, every_revision=read.every_revision)
            for first, last in spans
        ]
        return parts[0] if len(parts) == 1 else pl.concat(parts).sort(table.key)

    def _answering(self, stage: Stage) -> Source | SnapshotSource:
        """Whom a landing asks."""
        return self.snapshot_source if stage.asks == "snapshots" else self.source

    def _take_over(self, stage: Stage) -> Extensions:
        """What a run that begins now uses, with the values of features that it need not compute again."""
        extensions = self.plugins.extend(stage.uses)
        if stage.writes is not FEATURE_ROWS:
            return extensions
        return take_over(self.lake, extensions, self._params(stage.section))

    def _moment(
        self, stage: Stage, span: Span, as_of: datetime | None = None, extensions: Extensions | None = None
    ) -> Moment:
        since, session = span
        extensions = extensions or self.plugins.extend(stage.uses)
        return Moment(
            session=session,
            since=since,
            as_of=as_of or self.decision_time(session),
            seed=derive_seed(self.settings.runtime.seed, stage.name, session),
            versions={one.table.name: self._pin(one) for one in stage.reads if one.is_wanted(extensions)},
            calendar=self.calendar,
            currency=self.settings.currency,
            extensions=extensions,
            test_from=find_test_window(stage, self._params(stage.section)),
        )

    def _pin(self, read: Read) -> int:
        """The version a stage reads: the newest, but of what earlier work left the last one that a published run wrote.

        Work that was cut off comes again, and must not take its own first attempt for earlier work.
        """
        return self.lake.version_by_runs(read.table) if read.upto == "held" else self.lake.newest(read.table)

    def _recipe(self, work: Work, stage: Stage, moment: Moment, attempt: int) -> Recipe:
        extensions = moment.extensions.record()
        beside: dict[str, Any] = {CURRENCY: moment.currency} if stage.keeps_currency else {}
        beside |= {TARGET: moment.target} if moment.target else {}
        beside |= {SEARCH: True} if moment.search else {}
        return Recipe(
            work=work.kind,
            cycle_id=work.cycle_id,
            attempt=attempt,
            stage=stage.name,
            kind=stage.kind,
            session=moment.session,
            since=moment.since,
            as_of=moment.as_of,
            inputs=dict(moment.versions),
            params=self._params(stage.section) | beside | ({EXTENSIONS: extensions} if extensions else {}),
            seed=moment.seed,
            code=code_fingerprint(stage),
            threads=self.settings.runtime.threads,
            libraries=libraries(),
            output_table=stage.writes.name,
            plugins=self.plugins.hashes(stage.uses),
        )

    def _parse_params(self, stage: Stage, values: dict[str, Any]) -> Any:
        """The stage's parameter object; read again only where the record differs from that of the run before."""
        if stage.name not in self._parsed or self._parsed[stage.name][0] != values:
            self._parsed[stage.name] = values, parse_params(stage, values)
        return self._parsed[stage.name][1]

    def _params(self, section: str) -> dict[str, Any]:
        """The section as plain values; made once, because every run records it."""
        if section not in self._sections:
            self._sections[section] = asdict(self.settings.section(section))
        return self._sections[section]


def asks_small_queries(stage: Stage, span: Span) -> bool:
    """Whether a run has few rows to a query: of a session, and of a stage that waits for nobody and trains nothing."""
    return span[0] == span[1] and stage.kind == "pure" and not stage.learns


def find_test_window(stage: Stage, params: Mapping[str, Any]) -> date | None:
    """The first session of the test window, for a stage that learns."""
    told = params.get("test_from") if stage.learns else None
    return date.fromisoformat(told) if told else None


def end_before(test_from: date, until: date, as_of: datetime | None) -> tuple[date, datetime]:
    """The last day and the last moment that may be read where a test window begins on a day."""
    eve = datetime.combine(test_from, time(), UTC) - timedelta(microseconds=1)
    return min(until, test_from - timedelta(days=1)), eve if as_of is None else min(as_of, eve)


def parse_params(stage: Stage, values: dict[str, Any]) -> Any:
    """The stage's parameter object from what a recipe recorded."""
    beside = (CURRENCY, EXTENSIONS, TARGET, SEARCH)
    return from_record(type(stage.params), {name: value for name, value in values.items() if name not in beside})


def derive_seed(root: int, stage: str, session: date) -> int:
    """The random seed of a stage at a session, from the lake's own."""
    return int.from_bytes(sha256(f"{root}:{stage}:{session}".encode()).digest()[:7])
