"""Runs the past again on a branch under other settings or code: computes what may differ, and takes over the rest."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any

from lake.branches.branch import read_branch
from lake.migrations.run import migrate_table
from lake.publication import find_unpublished, publish
from lake.runs import Run, find_done_runs, is_published
from lake.storage.delta_log import checkpoint_versions, entry_path
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS, WorkKind
from lake.tables.feedback import RETRAIN_CANDIDATES
from lake.upkeep.checkpoints import CHECKPOINT_EVERY
from pipeline.config.loading import load
from pipeline.config.resolving import values_of
from pipeline.config.settings import Settings
from pipeline.engine import work
from pipeline.engine.session_order import ORDER, REPORT, TRAINING, load_stages
from pipeline.engine.stage import Stage
from pipeline.engine.work import Progress, Work, silent
from pipeline.research.variants.variant_executor import VariantExecutor


@dataclass(frozen=True)
class Replayed:
    """What became of one session on the branch."""

    session: date
    computed: int
    """Stages that were run, whatever came out."""
    taken: int
    """Stages whose rows were taken over without."""


class VariantReplay:
    """Brings a branch from its fork to a later session of its parent, under settings of its own.

    It can be cut off anywhere: sessions that are published on the branch stay, and the next call goes on from there
    to the same result.
    """

    def __init__(self, lake: Lake, parent: Lake, settings: Settings, *, tries_code: bool = False) -> None:
        self.lake, self.parent = lake, parent
        lake.durable = False  # what research computed can be computed again
        chosen = find_chosen(load(parent.path, os.environ).settings, settings, read_branch(lake.path).named)
        self.executor = VariantExecutor(lake, parent, settings, chosen, tries_code=tries_code)
        self._computed = 0
        """Stages that the piece of work at hand has computed."""

    def run(self, last: date, progress: Progress = silent) -> Iterator[Replayed]:
        """Go on to the parent's session `last`, and yield what was done for each session on the way.

        Raises:
            BusyError: if somebody else writes to the branch.
            StageFailedError: if a stage raises.
        """
        pieces = [piece for piece in self._pieces() if piece[0].recipe.session <= last]
        with self.lake.lock(f"variant to {last}"):
            if find_unpublished(self.lake):
                self.lake.discard_unpublished()
            migrate_table(self.lake, RUNS)
            self.executor.changed |= self._find_changed()
            for number, runs in enumerate(pieces):
                progress(f"session {runs[0].recipe.session}", number, len(pieces))
                if not is_published(self.lake, runs[0].recipe.cycle_id):
                    yield self._follow(runs)
            self._write_checkpoints()
        progress("done", len(pieces), len(pieces))

    def _pieces(self) -> list[list[Run]]:
        """The parent's pieces of work in the order they were done, but for reports on its health and work on files.

        A compaction writes no new rows; its version comes along with the next one that does.
        """
        runs = find_done_runs(self.parent)
        runs = [run for run in runs if run.recipe.stage not in REPORT and run.recipe.work is not WorkKind.UPKEEP]
        return [list(piece) for _, piece in groupby(runs, key=lambda run: run.recipe.cycle_id)]

    def _find_changed(self) -> set[str]:
        """The tables in which the branch has gone its own way already: their last commit is not the parent's."""
        changed = set()
        for name, table in TABLES.items():
            if not table.published_by_run or name == RUNS.name or not self.parent.has_table(table):
                continue
            version = self.lake.newest(table)
            here, there = entry_path(self.lake.uri(table), version), entry_path(self.parent.uri(table), version)
            if not there.exists() or not here.samefile(there):
                changed.add(name)
        return changed

    def _follow(self, before: Sequence[Run]) -> Replayed:
        """Do a piece of the parent's work as it would have been done on the branch."""
        recipe = before[0].recipe
        known = {run.recipe.stage: run for run in before}
        wanted = self._work_of(before)
        runs: list[Run] = []
        self._computed = 0
        for stage in wanted.stages:
            if (run := self._do(wanted, stage, known, runs)) is not None:
                runs.append(run)
        publish(self.lake, runs, f"{recipe.cycle_id}/variant", durable=False)
        return Replayed(recipe.session, self._computed, len(runs) - self._computed)

    def _work_of(self, before: Sequence[Run]) -> Work:
        """The piece of work that the parent's runs were part of."""
        recipe = before[0].recipe
        if recipe.work is WorkKind.CYCLE:
            return work.cycle(recipe.session)
        stages = load_stages(run.recipe.stage for run in before if run.recipe.stage in ORDER)
        return Work(
            kind=recipe.work,
            cycle_id=recipe.cycle_id,
            since=recipe.since,
            session=recipe.session,
            stages=stages,
            as_of=recipe.as_of,
        )

    def _do(self, wanted: Work, stage: Stage, known: Mapping[str, Run], runs: Sequence[Run]) -> Run | None:
        """The run of a stage on the branch: the parent's where nothing can differ; None where it has nothing to do."""
        before = self.executor.before = known.get(stage.name)
        if wanted.kind is WorkKind.CYCLE and stage.name in TRAINING and self._may_train_otherwise():
            if not self._trains_now(stage, wanted.session, runs):
                return None
        elif before is None:
            return None
        if before is not None and not self.executor.is_touched(stage, before):
            return self._take(before)
        span = (before.recipe.since, before.recipe.session) if before else (wanted.session, wanted.session)
        run = self.executor.execute(wanted, stage, span, 0)
        self._computed += 1
        return before if before is not None and self.executor.came_out_the_same else run

    def _write_checkpoints(self) -> None:
        """Make the logs of what the branch writes itself quick to open; of the others the parent's come along.

        At the end: most branches are discarded then, and until then nobody but this process opens them.
        """
        for name in (RUNS.name, *sorted(self.executor.changed)):
            table = TABLES[name]
            last = max(checkpoint_versions(self.lake.uri(table)), default=0)
            if self.lake.newest(table) - last >= CHECKPOINT_EVERY:
                self.lake.checkpoint(table)

    def _take(self, run: Run) -> Run:
        self.executor.take_over(run)
        return run

    def _may_train_otherwise(self) -> bool:
        """Whether the reasons to train, or what would be trained on, are no longer the parent's."""
        asked = {RETRAIN_CANDIDATES.name, *(read.table.name for stage in load_stages(TRAINING) for read in stage.reads)}
        return not asked.isdisjoint(self.executor.changed)

    def _trains_now(self, stage: Stage, session: date, runs: Sequence[Run]) -> bool:
        # With every stage, which only a replay needs: the desk and the console ask of variants, and run none.
        from pipeline.engine.stages import CHAMPION_CHOSEN, TRAINING_DUE

        first, *_, last = TRAINING
        if stage.name == first:
            return self.executor.holds(TRAINING_DUE, stage, session)
        trained = any(run.recipe.stage == first for run in runs)
        return trained or (stage.name == last and self.executor.holds(CHAMPION_CHOSEN, stage, session))


def find_chosen(parent: Settings, branch: Settings, named: Collection[str]) -> dict[str, Any]:
    """The settings that are tried, by dotted key: those that differ, and those that were named.

    What was named counts even where it is what the parent has today: sessions of before may have had another value.
    """
    before = dict(values_of(parent))
    return {key: value for key, value in values_of(branch) if value != before[key] or key in named}
