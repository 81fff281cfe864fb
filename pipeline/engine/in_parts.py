"""Runs stages that can be split in parts: each is computed and written by itself, anywhere, and one commit adds all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache, partial
from math import ceil
from pathlib import Path
from uuid import uuid4

import polars as pl

from lake.parts.part import (
    NotInPartsError,
    Part,
    fingerprint_parts,
    put_parts_in_order,
    remove_parts,
    write_part,
)
from lake.runs import Recipe, Run
from lake.store import CommitResult, Lake
from lake.tables.market import TICKER_UNIVERSE
from pipeline.config.settings import Settings
from pipeline.engine.executor import Executor, Say, parse_params
from pipeline.engine.session_order import find_stage
from pipeline.engine.stage import Moment, Stage
from pipeline.engine.work import Span, Work
from pipeline.execution.current import current_executor, working_on
from pipeline.execution.in_process import InProcess
from pipeline.execution.opening import open_executor
from pipeline.execution.piece import ExecutionError, Piece, PieceExecutor, as_done

LEAST = 60
"""Sessions of a part at least: what a part looks back on is read and laid out for it alone."""
PARTS_EACH = 4
"""Parts for each worker, so that all of them end at about the same time."""


@dataclass(frozen=True)
class PartsOfRun:
    """What all parts of a run share."""

    lake: Path
    settings: Settings
    recipe: Recipe
    round: str
    """Sets this run apart from others that a worker has done parts of."""


class SplittingExecutor(Executor):
    """An executor that computes what can be split in parts, of which few are in memory at a time."""

    def _compute_and_write(self, work: Work, stage: Stage, run: Run, say: Say) -> tuple[Run, CommitResult]:
        spans = self._split(work, stage, run.recipe)
        if len(spans) > 1:
            try:
                return self._in_parts(stage, run, spans, say)
            except NotInPartsError:  # rows that are there already are compared one by one, as ever
                remove_parts(self.lake, stage.writes, run.run_id)
        return super()._compute_and_write(work, stage, run, say)

    def _split(self, work: Work, stage: Stage, recipe: Recipe) -> list[Span]:
        """The sessions of each part; one where the stage, the work or the machine wants no more."""
        whole = (recipe.since, recipe.session)
        if stage.splits_by != "sessions" or work.folds(stage) or recipe.since == recipe.session:
            return [whole]
        days = self.calendar.between(*whole)
        names = self._count_names(recipe)
        executor, params = self._choose_executor(), self.settings.execution
        length = max(params.piece_rows // max(names, 1), LEAST)
        if executor.at_once > 1:
            length = min(length, max(ceil(len(days) / (PARTS_EACH * executor.at_once)), LEAST))
        return split_sessions(days, length) if is_split_safely(self.restore_moment(stage, recipe)) else [whole]

    def _count_names(self, recipe: Recipe) -> int:
        """How many names are listed at the run's last session: a row each is what a session may have."""
        last, version = recipe.session, recipe.inputs.get(TICKER_UNIVERSE.name, 0)
        return self.lake.read(
            TICKER_UNIVERSE, version=version, since=last, until=last, columns=TICKER_UNIVERSE.key
        ).height

    def _in_parts(self, stage: Stage, run: Run, spans: Sequence[Span], say: Say) -> tuple[Run, CommitResult]:
        shared = PartsOfRun(self.lake.path, self.settings, run.recipe, uuid4().hex)
        pieces = [Piece(f"{stage.name} of {span[0]} to {span[1]}", (number, span)) for number, span in enumerate(spans)]
        executor = self._choose_executor()
        try:
            found: list[Part | None] = []
            for _, part in as_done(executor, compute_part, pieces, shared):
                found.append(part)
                say(f"{len(found)} of {len(pieces)} parts")
            parts = put_parts_in_order(stage.writes, found)
            run = replace(run, rows=sum(part.rows for part in parts))
            if not parts:
                raise NotInPartsError(f"{stage.writes.name}: no part has rows")
            run = replace(run, fingerprint=fingerprint_parts(self.lake, stage.writes, parts))
            remove_parts(self.lake, stage.writes, run.run_id, kept=parts)
            table = stage.writes.for_columns(parts[0].columns)
            entries = [part.entry for part in parts]
            return run, self.lake.add_files(table, entries, run.run_id, {"run": run.row()})
        except BaseException:  # an interrupt too leaves no file that no version names
            if self.lake.find_commit(stage.writes, run.run_id) is None:
                remove_parts(self.lake, stage.writes, run.run_id)
            raise

    def _choose_executor(self) -> PieceExecutor:
        """Whom the configuration names, unless somebody further out has named another."""
        with working_on(partial(open_executor, self.settings.execution)):
            return current_executor() or InProcess()

    def compute_some(self, stage: Stage, recipe: Recipe, span: Span) -> pl.DataFrame:
        """The rows of some sessions of a run's, as the whole run computes them."""
        whole = self.restore_moment(stage, recipe)
        part = replace(whole, since=span[0], session=span[1])
        frames: dict[str, pl.DataFrame] = {}
        for read in stage.reads:
            # All of history is small, and what a later session brought may tell of an earlier one.
            moment = whole if read.lookback is None else part
            version = whole.versions.get(read.table.name, 0)
            frames[read.table.name] = self._read(read, version, moment, frames)
        as_of = whole.calendar.close_at(span[1]) + (whole.as_of - whole.calendar.close_at(whole.session))
        params = parse_params(stage, recipe.params)
        return stage.writes.check(stage.function(*frames.values(), replace(part, as_of=as_of), params))


def split_sessions(days: Sequence[date], length: int) -> list[Span]:
    """Consecutive sessions, so many at a time; the last have what is left."""
    return [(days[at], days[min(at + length, len(days)) - 1]) for at in range(0, len(days), length)]


def is_split_safely(moment: Moment) -> bool:
    """Whether each session knows as much by itself as within the range: its decision falls before the next open."""
    calendar = moment.calendar
    lag = moment.as_of - calendar.close_at(moment.session)
    return all(calendar.close_at(day) + lag <= calendar.open_at(calendar.next(day)) for day in moment.sessions[:-1])


def compute_part(given: tuple[int, Span], shared: PartsOfRun) -> Part | None:
    """Compute some sessions of a run and write them as a file that no version has yet."""
    (number, span), recipe = given, shared.recipe
    executor, stage = _open(shared.lake, shared.settings, shared.round), find_stage(recipe.stage)
    rows = executor.compute_some(stage, recipe, span)
    return write_part(executor.lake, stage.writes, rows, recipe.run_id, number)


@lru_cache(maxsize=1)
def _open(lake: Path, settings: Settings, _round: str) -> SplittingExecutor:
    """One executor for all parts of a run that a process does.

    Raises:
        ExecutionError: if the lake's folder is not to be seen from here.
    """
    if not lake.exists():
        raise ExecutionError(
            f"a worker does not see the lake at {lake}: workers read it and write files into it, so its folder has to"
            " be mounted at the same path on each machine"
        )
    return SplittingExecutor(Lake.open(lake), settings)
