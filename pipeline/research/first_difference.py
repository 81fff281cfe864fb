"""Where two runs of the same sessions began to differ: the first session, stage, row and column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from lake.contract import RUN_ID, Table
from lake.runs import DONE
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS, WorkKind
from pipeline.engine.session_order import REPORT

ASKED = (
    "cycle_id",
    "stage",
    "session",
    "work",
    "status",
    "fingerprint",
    "started_at",
    "output_table",
    "output_version",
    "code",
)


@dataclass(frozen=True)
class FirstDifference:
    """The earliest thing that came out otherwise."""

    session: date
    stage: str
    table: str
    key: Mapping[str, Any]
    """Of the first row that differs; empty where only one of them ran the stage."""
    column: str
    """Empty where one of them lacks the row."""
    one: Any
    other: Any

    def describe(self, names: tuple[str, str]) -> str:
        """The difference as a sentence."""
        where = f"{self.session}, stage {self.stage}"
        if not self.key:
            return f"{where}: only {names[0] if self.one else names[1]} ran it"
        row = ", ".join(f"{name} {value}" for name, value in self.key.items())
        if not self.column:
            return f"{where}: {self.table} has a row of {row} in {names[0] if self.one else names[1]} alone"
        return (
            f"{where}: {self.table} of {row} has {self.column} {self.one} in {names[0]} and {self.other} in {names[1]}"
        )


def find_first_difference(one: Lake, other: Lake, first: date, last: date) -> FirstDifference | None:
    """Return where two lakes first differ in what their work gave for the sessions of a span; None if nowhere.

    Work is compared by the fingerprints of its rows: what was computed twice and came out the same is no difference.
    """
    done = [_read_runs(lake, first, last) for lake in (one, other)]
    paired = done[0].join(done[1], on=["cycle_id", "stage"], how="full", coalesce=True, suffix="_other")
    paired = paired.with_columns(
        when=pl.coalesce("session", "session_other"), begun=pl.coalesce("started_at", "started_at_other")
    )
    differing = paired.filter(pl.col("fingerprint").ne_missing(pl.col("fingerprint_other")))
    for row in differing.sort("when", "begun").iter_rows(named=True):
        table = TABLES[row["output_table"] or row["output_table_other"]]
        if row["fingerprint"] is None or row["fingerprint_other"] is None:
            is_one = row["fingerprint"] is not None
            return FirstDifference(row["when"], row["stage"], table.name, {}, "", is_one, not is_one)
        versions = row["output_version"], row["output_version_other"]
        if found := _compare_rows(one, other, table, versions, row["when"], row["stage"]):
            return found
    return None


def find_other_code(one: Lake, other: Lake, first: date, last: date) -> tuple[str, ...]:
    """Return the stages that ran with other code in the other lake, for sessions of a span, by their names."""
    done = [_read_runs(lake, first, last) for lake in (one, other)]
    both = done[0].join(done[1], on=["cycle_id", "stage"], suffix="_other")
    return tuple(both.filter(pl.col("code") != pl.col("code_other"))["stage"].unique().sort())


def _read_runs(lake: Lake, first: date, last: date) -> pl.DataFrame:
    """The last run of each stage of each piece of work, those left out that only report on it."""
    wanted = DONE & (~pl.col("stage").is_in(list(REPORT))) & (pl.col("work") != WorkKind.UPKEEP)
    runs = lake.read(RUNS, since=first, until=last, where=wanted, columns=("run_id", *ASKED))
    return runs.sort("started_at").unique(["cycle_id", "stage"], keep="last", maintain_order=True)


def _compare_rows(
    one: Lake, other: Lake, table: Table, versions: tuple[int, int], session: date, stage: str
) -> FirstDifference | None:
    """The first row that differs of those whose clock is at the session, else of all."""
    for since in (session, None):
        frames = [
            lake.read(table, version=version, since=since, until=session).drop(RUN_ID)
            for lake, version in zip((one, other), versions, strict=True)
        ]
        for held, lacking, is_one in ((frames[0], frames[1], True), (frames[1], frames[0], False)):
            alone = held.join(lacking, on=table.key, how="anti", nulls_equal=True)
            if not alone.is_empty():
                return FirstDifference(session, stage, table.name, _key(alone, table), "", is_one, not is_one)
        if found := _first_value(frames[0].sort(table.key), frames[1].sort(table.key), table):
            key, column, values = found
            return FirstDifference(session, stage, table.name, key, column, *values)
    return None


def _first_value(
    one: pl.DataFrame, other: pl.DataFrame, table: Table
) -> tuple[dict[str, Any], str, tuple[Any, Any]] | None:
    for name in table.columns:
        if name in one.columns and name in other.columns:
            differs = one[name].ne_missing(other[name])
            if differs.any():
                at = int(differs.arg_true()[0])
                return _key(one[at], table), name, _show_pair(one[name][at], other[name][at])
    return None


def _show_pair(one: Any, other: Any) -> tuple[Any, Any]:
    """Both values; of lists the first items that differ, or how long they are."""
    if not isinstance(one, pl.Series) or not isinstance(other, pl.Series):
        return one, other
    pairs = list(zip(one.to_list(), other.to_list(), strict=False))
    differing = [pair for pair in pairs if pair[0] != pair[1]]
    return differing[0] if differing else (f"{len(one)} items", f"{len(other)} items")


def _key(frame: pl.DataFrame, table: Table) -> dict[str, Any]:
    return dict(zip(table.key, frame.select(table.key).row(0), strict=True))
