"""Trainings as the operator sees them: how far each is, and the loss of every pass of everything it fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from lake.store import Lake
from lake.tables.models import TRAINING_PROGRESS
from pipeline.models.jobs.attendance import FOLDER
from pipeline.models.jobs.checkpoints import read_fingerprint
from pipeline.models.jobs.training_job import TRAINING
from pipeline.text_format import counted


@dataclass(frozen=True)
class LossCurve:
    """The passes of one thing that learns by passes."""

    fit: str
    """`fold 1 of 3`, or `final`."""
    part: str
    losses: tuple[float, ...]
    """Mean loss on the rows it learned from, by pass."""
    held: tuple[float | None, ...]
    """Loss on held-back rows after each; None where none are held back."""
    best: int
    """The pass that was kept, from 1; 0 for none, or where no rows are held back."""
    most: int
    """Passes at most."""


@dataclass(frozen=True)
class TrainingShown:
    """One training."""

    job: str
    work: str
    """The piece of work it is part of."""
    session: date
    began: datetime
    """First pass that was done."""
    last: datetime
    """Last one."""
    unfinished: bool
    """Whether it runs or was cut off: where it stands is kept, and it would go on from there."""
    done: tuple[str, ...]
    """What is fitted, as `fold 1 of 3, ridge`, in the order it was done."""
    curves: tuple[LossCurve, ...]

    @property
    def sentence(self) -> str:
        """How far it is, in words."""
        state = "under way, or cut off" if self.unfinished else "done"
        passes = counted(sum(len(one.losses) for one in self.curves), "pass", "passes")
        return f"{self.work}: {state}; {counted(len(self.done), 'fit')} and {passes}, the last at {self.last:%H:%M:%S}"


def read_trainings(lake: Lake, last: int = 5) -> tuple[TrainingShown, ...]:
    """Read the newest trainings that were attended, the newest first."""
    rows = lake.read(TRAINING_PROGRESS).sort("at")
    if rows.is_empty():
        return ()
    newest = rows.group_by("job", "cycle_id").agg(pl.col("at").max()).sort("at", descending=True).head(last)
    return tuple(
        _show(lake, rows.filter((pl.col("job") == job) & (pl.col("cycle_id") == work)))
        for job, work in newest.select("job", "cycle_id").iter_rows()
    )


def _show(lake: Lake, rows: pl.DataFrame) -> TrainingShown:
    first = rows.row(0, named=True)
    # A pass that was done again after a kill is told twice; the later one stands.
    known = rows.unique(("fit", "part", "pass"), keep="last", maintain_order=True).sort("at")
    by_pass = known.filter(pl.col("loss").is_not_null())
    return TrainingShown(
        job=first["job"],
        work=first["cycle_id"],
        session=first["session"],
        began=first["at"],
        last=rows["at"][-1],
        unfinished=read_fingerprint(lake.path / FOLDER / first["cycle_id"] / TRAINING) == first["job"],
        done=tuple(
            f"{fit}, {part}" for fit, part in known.filter(pl.col("loss").is_null()).select("fit", "part").iter_rows()
        ),
        curves=tuple(_curve(own.sort("pass").to_dicts()) for own in by_pass.partition_by("fit", "part")),
    )


def _curve(passes: Sequence[Mapping[str, Any]]) -> LossCurve:
    return LossCurve(
        fit=passes[0]["fit"],
        part=passes[0]["part"],
        losses=tuple(one["loss"] for one in passes),
        held=tuple(one["held_loss"] for one in passes),
        best=max((one["pass"] for one in passes if one["best"]), default=0),
        most=passes[0]["passes"],
    )
