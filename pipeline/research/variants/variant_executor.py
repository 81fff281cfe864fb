"""Runs stages on a branch as they would have run there, and finds out where they give what they gave before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import polars as pl

from lake.migrations.run import migrate_table
from lake.runs import Run, recompute_fingerprint
from lake.store import CommitResult, Lake
from lake.tables import TABLES
from pipeline.config.settings import Settings
from pipeline.engine.code_fingerprint import code_fingerprint
from pipeline.engine.executor import Executor, parse_params
from pipeline.engine.session_order import find_stage
from pipeline.engine.stage import Read, Stage
from pipeline.engine.work import Work


class VariantExecutor(Executor):
    """An executor on a branch that knows the runs of its parent, and which tables are the parent's so far.

    A stage is a function of what it reads, its parameters and its code. Where none of them differ from those of the
    parent's run (or none but code, where that is not what is tried), neither does what it writes: that is then taken
    over, not computed. Where some differ and the same rows come out all the same, the parent's are taken as well, so
    that nothing after it counts as changed.
    """

    def __init__(
        self, lake: Lake, parent: Lake, settings: Settings, chosen: Mapping[str, Any], *, tries_code: bool = False
    ) -> None:
        super().__init__(lake, settings)
        self.parent = parent
        self.chosen = chosen
        """Dotted key -> value of the settings that are tried; of all others each run has those it was recorded with."""
        self.tries_code = tries_code
        """Whether a stage is computed for its code alone: every new version of the program would compute everything."""
        self.changed: set[str] = set()
        """Tables whose rows are no longer the parent's."""
        self.before: Run | None = None
        """What the parent's run of the stage at hand was; None if there was none."""
        self.came_out_the_same = False
        """Whether the last run gave what the parent's gave, whose rows were taken then."""

    def is_touched(self, stage: Stage, before: Run) -> bool:
        """Whether a stage may give something else than `before`, the run at hand; landings are what they were."""
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

    def _write(self, work: Work, stage: Stage, rows: pl.DataFrame, run: Run) -> CommitResult:
        before, table = self.before, stage.writes
        self.came_out_the_same = (
            before is not None
            and table.name not in self.changed
            and recompute_fingerprint(before, table, rows, table.for_columns(rows.columns).content_columns)
            == before.fingerprint
        )
        if before is not None and self.came_out_the_same:
            self.take_over(before)
            return CommitResult(self.lake.newest(stage.writes), 0)
        migrate_table(self.lake, stage.writes)  # the parent may have been at an earlier format then
        self.changed.add(stage.writes.name)
        return super()._write(work, stage, rows, run)

    def _params(self, section: str) -> dict[str, Any]:
        """What the parent's run was recorded with, and what is tried; today's settings where there was no such run."""
        stage = find_stage(self.before.recipe.stage) if self.before else None
        if self.before is None or stage is None or stage.section != section:
            return super()._params(section)
        mine = {key: value for key, value in self.chosen.items() if key.startswith(f"{section}.")}
        recorded = parse_params(stage, self.before.recipe.params)
        return asdict(replace_values(recorded, {key.partition(".")[2]: value for key, value in mine.items()}))

    def _pin(self, read: Read) -> int:
        """What the parent's run read of a table, where that is still the same; else the newest there is."""
        newest, name = super()._pin(read), read.table.name
        if self.before is None or name in self.changed:
            return newest
        return min(self.before.recipe.inputs.get(name, newest), newest)


def replace_values(params: Any, values: Mapping[str, Any]) -> Any:
    """Return a parameter object with other values for some dotted keys."""
    own = {key: value for key, value in values.items() if "." not in key}
    for name in {key.split(".")[0] for key in values if "." in key}:
        inside = {key.partition(".")[2]: value for key, value in values.items() if key.startswith(f"{name}.")}
        own[name] = replace_values(getattr(params, name), inside)
    return replace(params, **own)
