"""A lake seen from one moment: now, or right after a past session was published; every read is pinned to it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from lake.contract import Table
from lake.migrations.run import STAGE as MIGRATION
from lake.runs import DONE, cycle_sessions, highest_versions, of_work
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS, SYSTEM_HEALTH, WorkKind
from lake.upkeep.compaction import STAGE as COMPACTION

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
)
"""What lists of runs show; the recipe is read when one is opened."""
REWRITES = pl.col("stage").is_in([COMPACTION, MIGRATION])
"""Runs that write a table's rows once more: none of them is new, and nothing has changed."""
FRAMES_KEPT = 24
"""Frames a view remembers, so that going back and forth reads nothing twice."""


Clock = Callable[[], datetime]
"""Tells the wall's time."""


def utc_now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class AsOf:
    """Where the console stands in time."""

    session: date
    moment: datetime
    """Wall time at which the last run that counts was started."""


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
        """The last session that was run."""
        last = self.runs.filter(pl.col("status") == "done")["session"].max()
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


def as_of_session(runs: pl.DataFrame, session: date) -> AsOf | None:
    """Right after the last cycle that is not later than the session was published; None if there is none.

    The report on a cycle follows it as a run of its own, and belongs to it.
    """
    cycles = runs.filter(of_work(WorkKind.CYCLE), DONE, pl.col("session") <= session)
    if cycles.is_empty():
        return None
    last = cycles["session"].max()
    assert isinstance(last, date)
    moment = cycles.filter(pl.col("session") == last)["started_at"].max()
    assert isinstance(moment, datetime)
    later = runs.filter((pl.col("started_at") > moment) & (pl.col("session") == last) & (pl.col("stage") == "report"))
    reported = later["started_at"].min()
    return AsOf(last, reported if isinstance(reported, datetime) else moment)


def parse_as_of(runs: pl.DataFrame, words: str) -> AsOf | None:
    """Read what a person typed: a session, a time in UTC, or the beginning of a run's or cycle's id.

    Raises:
        ValueError: saying what can be typed, if it is none of these or lies before the first cycle.
    """
    words = words.strip()
    if words in ("", "now", "live"):
        return None
    session = _session(runs, words)
    found = as_of_session(runs, session) if session else None
    if found is None:
        sessions = cycle_sessions(runs)
        span = f"{sessions[0]} to {sessions[-1]}" if sessions else "none has been run"
        raise ValueError(f"there is no past moment {words!r}: give a session ({span}), a UTC time, or a run's id")
    return found


def _session(runs: pl.DataFrame, words: str) -> date | None:
    try:
        return date.fromisoformat(words[:10])
    except ValueError:
        named = runs.filter(pl.col("run_id").str.starts_with(words) | (pl.col("cycle_id") == words))
        return named["session"][0] if named.height else None


def step_as_of(runs: pl.DataFrame, at: AsOf | None, step: int) -> AsOf | None:
    """The standpoint so many sessions later; None is now, which comes after the last session."""
    sessions = cycle_sessions(runs)
    if not sessions:
        return None
    newest = len(sessions) - 1
    here = newest if at is None else sum(session < at.session for session in sessions)
    there = max(here + step, 0)
    return as_of_session(runs, sessions[there]) if there < newest else None
