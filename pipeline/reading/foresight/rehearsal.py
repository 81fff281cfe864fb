"""What work would do: tables it reads and writes, rows, time, requests and dollars, by what it took lately."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from lake.runs import DONE, Run
from lake.store import Lake
from lake.tables.control import RUNS, WorkKind
from lake.tables.news import RAW_REPLIES
from pipeline.engine.stage import Stage
from pipeline.engine.work import Work

RECENT = 20
"""Pieces of work of the kind, the last ones, whose mean is expected."""
ASKED = ("run_id", "work", "cycle_id", "stage", "started_at", "rows", "written", "seconds")


@dataclass(frozen=True)
class StageForecast:
    """What one stage is expected to do in one piece of work."""

    stage: str
    reads: tuple[str, ...]
    writes: str
    rows: float | None
    """New rows, the mean; pieces of work that left the stage out count with 0. None where there were none."""
    seconds: float | None
    requests: float | None
    """Answers that a landing takes from outside; None for a stage that asks nobody."""


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """What some pieces of work of a kind are expected to do."""

    kind: str
    pieces: int
    stages: tuple[StageForecast, ...]
    based_on: int
    """Pieces of work that the figures are the mean of: of the kind, or of any that ran these stages."""
    dollars: float
    """That language models would be paid, at what they were paid lately."""

    @property
    def seconds(self) -> float | None:
        """In all; None where nothing of the kind was ever done."""
        return self._total("seconds")

    @property
    def rows(self) -> float | None:
        """New rows in all."""
        return self._total("rows")

    @property
    def requests(self) -> float:
        """Answers from outside in all."""
        return self.pieces * sum(one.requests or 0.0 for one in self.stages)

    def _total(self, name: str) -> float | None:
        found = [getattr(one, name) for one in self.stages]
        known = [value for value in found if value is not None]
        return self.pieces * sum(known) if known else None


def rehearse(lake: Lake, wanted: Work, pieces: int = 1) -> Rehearsal:
    """Return what work would do, by the mean of what the last pieces of its kind did; nothing is run or written.

    Args:
        lake: whose recorded runs are looked at.
        wanted: one piece of the work.
        pieces: how many of the kind there would be, such as the sessions of a replay.
    """
    sums, ids = _sum_recent(lake, wanted.kind, [stage.name for stage in wanted.stages])
    return Rehearsal(
        kind=str(wanted.kind),
        pieces=pieces,
        stages=tuple(_forecast(stage, sums.get(stage.name), len(ids)) for stage in wanted.stages),
        based_on=len(ids),
        dollars=pieces * _mean_dollars(lake, wanted.stages),
    )


def expect(lake: Lake, run: Run) -> tuple[float, float] | None:
    """Return the new rows and the seconds that a run was expected to take before it began; None where it was the first.

    Args:
        lake: whose recorded runs are looked at.
        run: of a stage, whatever became of it.
    """
    stage, before = run.recipe.stage, pl.col("started_at") < run.started_at
    sums, ids = _sum_recent(lake, run.recipe.work, [stage], before)
    return (sums[stage]["written"] / len(ids), sums[stage]["seconds"] / len(ids)) if ids else None


def _sum_recent(
    lake: Lake, kind: WorkKind, stages: Sequence[str], where: pl.Expr | None = None
) -> tuple[dict[str, dict[str, float]], list[str]]:
    """What stages did in the last pieces of work of a kind, by stage, and which pieces these are."""
    asked = DONE & pl.col("stage").is_in(stages)
    runs = lake.read(RUNS, where=asked if where is None else asked & where, columns=ASKED)
    of_kind = runs.filter(pl.col("work") == kind)
    runs = runs if of_kind.is_empty() else of_kind  # a stage by itself takes what it takes in a cycle
    ids = runs.sort("started_at")["cycle_id"].unique(maintain_order=True).tail(RECENT).to_list()
    recent = runs.filter(pl.col("cycle_id").is_in(ids))
    recent = recent.group_by("stage").agg(pl.col("rows", "written", "seconds").sum())
    return {row["stage"]: row for row in recent.iter_rows(named=True)}, ids


def _forecast(stage: Stage, sums: dict[str, float] | None, count: int) -> StageForecast:
    known = {name: (sums[name] if sums else 0) / count if count else None for name in ("rows", "written", "seconds")}
    return StageForecast(
        stage=stage.name,
        reads=tuple(read.table.name for read in stage.reads),
        writes=stage.writes.name,
        rows=known["written"],
        seconds=known["seconds"],
        requests=known["rows"] if stage.kind == "landing" else None,
    )


def _mean_dollars(lake: Lake, stages: Sequence[Stage]) -> float:
    """What language models cost a session lately, where a stage among these asks one."""
    if all(stage.writes is not RAW_REPLIES for stage in stages):
        return 0.0
    paid = lake.read(RAW_REPLIES, columns=(*RAW_REPLIES.key, "session", "dollars"))
    recent = paid.filter(pl.col("session").is_in(paid["session"].unique().sort().tail(RECENT).to_list()))
    return float(recent["dollars"].sum()) / max(recent["session"].n_unique(), 1)
