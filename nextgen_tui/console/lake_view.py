"""A lake seen from one moment: now, or right after a past session was published; every read is pinned to it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import polars as pl

from lake.contract import Table
from lake.migrations.run import STAGE as MIGRATION
from lake.runs import highest_versions, of_work
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS, SYSTEM_HEALTH, WorkKind
from lake.upkeep.compaction import STAGE as COMPACTION
from nextgen_tui.console.time_travel import AsOf

RUN_COLUMNS = (
    "run_id",
    "work",
    "cycle_id",
    "attempt",
    "stage",
    "kind",
    "session",
    "since",
    "status",
    "error",
    "output_table",
    "output_version",
    "rows",
    "written",
    "seconds",
    "started_at",
    "as_of",
)
"""What lists of runs show; the recipe is read when one is opened."""
REWRITES = pl.col("stage").is_in([COMPACTION, MIGRATION])
"""Runs that write a table's rows once more: none of them is new, and nothing has changed."""
FRAMES_KEPT = 48
"""Frames a view remembers, so that going back and forth reads nothing twice."""


Made = TypeVar("Made")
Clock = Callable[[], datetime]
"""Returns the current time."""


def utc_now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


class LakeView:
    """Reads of a lake at one standpoint; None is now.

    Raises:
        LakeError: from every read, if the lake cannot be read.
    """

    def __init__(self, lake: Lake, runs: pl.DataFrame, at: AsOf | None = None, clock: Clock = utc_now) -> None:
        self.lake = lake
        self.clock = clock
        self.at = at
        self.runs = runs if at is None else runs.filter(pl.col("started_at") <= at.moment)
        self.every_run = runs
        self._frames: OrderedDict[str, pl.DataFrame] = OrderedDict()
        self._remembered: dict[str, Any] = {}

    @property
    def path(self) -> Path:
        """The lake's folder."""
        return self.lake.path

    @cached_property
    def versions(self) -> Mapping[str, int]:
        """Table -> the version that was published at the standpoint."""
        if self.at is None:
            return self.lake.published_versions()
        return dict.fromkeys(TABLES, 0) | highest_versions(self.runs)

    def version(self, table: Table) -> int:
        """The table's version at the standpoint."""
        return self.versions[table.name]

    def read(self, table: Table, **how: Any) -> pl.DataFrame:
        """Rows as they were published at the standpoint; see `Lake.read`."""
        if self.at is not None and table.published_by_run:
            how["version"] = self.version(table)
        elif self.at is not None and table.name == SYSTEM_HEALTH.name:
            how["until"] = min(how.get("until") or self.at.session, self.at.session)
        memory = f"{table.name} {how}"
        if memory in self._frames:
            self._frames.move_to_end(memory)
            return self._frames[memory]
        frame = self._frames[memory] = self.lake.read(table, **how)
        while len(self._frames) > FRAMES_KEPT:
            self._frames.popitem(last=False)
        return frame

    def remember(self, name: str, make: Callable[[], Made]) -> Made:
        """What was made under a name, or what is made now: nothing of a view changes."""
        if name not in self._remembered:
            self._remembered[name] = make()
        return cast(Made, self._remembered[name])

    def last(self, table: Table) -> date | None:
        """The last session for which a run wrote rows into the table; None if none did."""
        last = self._wrote(table)["session"].max()
        return last if isinstance(last, date) else None

    def last_count(self, table: Table) -> int:
        """How many rows the last run that wrote the table counted; 0 if none did."""
        rows = self._wrote(table).filter(pl.col("session") == self.last(table))["rows"]
        return int(rows[-1]) if len(rows) else 0

    def _wrote(self, table: Table) -> pl.DataFrame:
        mine = (pl.col("output_table") == table.name) & (pl.col("status") == "done") & (pl.col("rows") > 0)
        return self.runs.filter(mine & ~REWRITES)

    @cached_property
    def session(self) -> date | None:
        """The last session that was run; one that has had snapshots or news alone is still to come."""
        ahead = of_work(WorkKind.SNAPSHOT, WorkKind.NEWS)
        last = self.runs.filter(pl.col("status") == "done", ~ahead)["session"].max()
        return last if isinstance(last, date) else None

    def last_rows(self, table: Table, **how: Any) -> pl.DataFrame:
        """The rows of the table's last session; none if it has none."""
        last = self.last(table)
        if last is None:
            return pl.DataFrame(schema=table.stored_schema)
        return self.read(table, since=last, until=last, **how)


def read_runs(lake: Lake) -> pl.DataFrame:
    """Every published run, without its recipe, in the order they were started."""
    runs = lake.read(RUNS, columns=RUN_COLUMNS).sort("started_at", "run_id")
    return runs.with_columns(written=pl.when(REWRITES).then(0).otherwise(pl.col("written")))
