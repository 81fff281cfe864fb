"""Runs stages on a branch as they would have run there, and finds out where they give what they gave before."""

from __future__ import annotations

import polars as pl

from lake.runs import Run
from lake.store import CommitResult, Lake
from lake.tables import TABLES
from pipeline.config.settings import Settings
from pipeline.engine.code_fingerprint import code_fingerprint
from pipeline.engine.executor import Executor, parse_params
from pipeline.engine.stage import Read, Stage
from pipeline.engine.work import Work


class VariantExecutor(Executor):
    """An executor on a branch that knows the runs of its parent, and which tables are the parent's so far.

    A stage is a function of what it reads, its parameters and its code. Where none of them differ from those of the
    parent's run (or none but code, where that is not what is tried), neither does what it writes: that is then taken
    over, not computed. Where some differ and the same rows come out all the same, the parent's are taken as well, so
    that nothing after it counts as changed.
    """

    def __init__(self, lake: Lake, parent: Lake, settings: Settings, *, tries_code: bool = False) -> None:
        super().__init__(lake, settings)
        self.parent = parent
        self.tries_code = tries_code
        """Whether a stage is computed for its code alone: every new version of the program would compute everything."""
        self.changed: set[str] = set()
        """Tables whose rows are no longer the parent's."""
        self.before: Run | None = None
        """What the parent's run of the stage at hand was; None if there was none."""

    def is_touched(self, stage: Stage, before: Run) -> bool:
        """Whether a stage may give something else than the parent's run gave; landings are what they were."""
        if stage.writes.name in self.changed:
            return True
        if stage.kind == "landing":
            return False
        extensions = self.plugins.extend(stage.uses)
        if any(read.table.name in self.changed for read in stage.reads if read.is_wanted(extensions)):
            return True
        recipe = before.recipe
        return (
            parse_params(stage, self._params(stage.section)) != parse_params(stage, recipe.params)
            or (self.tries_code and code_fingerprint(stage) != recipe.code)
            or self.plugins.hashes(stage.uses) != recipe.plugins
        )

    def take_over(self, run: Run) -> None:
        """Give the branch what a run of the parent wrote."""
        if run.output_version is not None:
            self.lake.adopt(TABLES[run.recipe.output_table], self.parent, run.output_version)

    def gave_the_same(self, run: Run) -> bool:
        """Whether a run just made came out as the parent's did, whose rows were taken then."""
        return (
            self.before is not None
            and run.recipe.output_table not in self.changed
            and run.fingerprint == self.before.fingerprint
        )

    def _write(self, work: Work, stage: Stage, rows: pl.DataFrame, run: Run) -> CommitResult:
        if self.gave_the_same(run):
            assert self.before is not None
            self.take_over(self.before)
            return CommitResult(self.lake.newest(stage.writes), 0)
        self.changed.add(stage.writes.name)
        return super()._write(work, stage, rows, run)

    def _pin(self, read: Read) -> int:
        """What the parent's run read of a table, where that is still the same; else the newest there is."""
        newest, name = super()._pin(read), read.table.name
        if self.before is None or name in self.changed:
            return newest
        return min(self.before.recipe.inputs.get(name, newest), newest)
