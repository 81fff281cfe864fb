"""The kinds of work there are: which stages each one runs, what it is called, and how it goes on when cut off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from lake.runs import Run
from lake.tables.control import WorkKind
from pipeline.engine.stage import Stage
from pipeline.engine.stages import BACKFILL, CYCLE, IMPORT, TRAINING

Span = tuple[date, date]
"""The first and last session of a range."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """Stages that run one after the other for a span of sessions and are published in one commit."""

    kind: WorkKind
    cycle_id: str
    """Its name: doing the same work again is recognised by it."""
    since: date
    session: date
    stages: tuple[Stage, ...]
    """What is to run; none where all of it has run and only the publication is missing."""
    skips_idle: bool = False
    """True where a stage is left out that has nothing to do: a session that a backfill loaded, training not due."""

    def folds(self, stage: Stage) -> bool:
        """Whether a stage derives anew from the landings of all backfills, so that their order leaves no trace."""
        return self.kind is WorkKind.BACKFILL and bool(stage.reads)


def cycle(session: date) -> Work:
    """All that a session needs after its close."""
    return Work(
        kind=WorkKind.CYCLE,
        cycle_id=f"cycle-{session:%Y%m%d}",
        since=session,
        session=session,
        stages=CYCLE,
        skips_idle=True,
    )


def backfill(since: date, session: date) -> Work:
    """History from the lake's own sources."""
    return Work(
        kind=WorkKind.BACKFILL,
        cycle_id=f"history-{since:%Y%m%d}-{session:%Y%m%d}",
        since=since,
        session=session,
        stages=BACKFILL,
    )


def import_from(system: str, stages: Sequence[Stage], since: date, session: date, digest: str) -> Work:
    """An older system's records of some sessions.

    Args:
        system: its name.
        stages: those of `IMPORT` that its records need.
        since: the first session.
        session: the last one.
        digest: of all that is landed of these sessions: the same landings are derived once.
    """
    return Work(
        kind=WorkKind.IMPORT,
        cycle_id=f"import-{system}-{since:%Y%m%d}-{session:%Y%m%d}-{digest}",
        since=since,
        session=session,
        stages=tuple(stages),
    )


def training(session: date) -> Work:
    """A challenger trained at a session's close and evaluated."""
    return Work(
        kind=WorkKind.TRAINING,
        cycle_id=f"training-{session:%Y%m%d}",
        since=session,
        session=session,
        stages=TRAINING,
    )


def single_stage(stage: Stage, session: date, since: date | None = None) -> Work:
    """One stage by itself."""
    return Work(
        kind=WorkKind.SINGLE_STAGE,
        cycle_id=f"single-{stage.name}-{session:%Y%m%d}",
        since=since or session,
        session=session,
        stages=(stage,),
    )


def resume(left: Sequence[Run]) -> Work:
    """The work that was cut off before its publication.

    Args:
        left: its unpublished runs, in the order they ran. The first one stands for the span: of a backfill that is a
            landing, for what comes after it spans all backfills.
    """
    first = left[0].recipe
    if first.work is WorkKind.CYCLE:
        return cycle(first.session)
    if first.work is WorkKind.BACKFILL:
        return replace(backfill(first.since, first.session), cycle_id=first.cycle_id)
    if first.work is WorkKind.TRAINING:
        return training(first.session)
    # What an import landed is there, and the older system may not be at hand any more; one stage, or the files of one
    # table, were done with the commit that is left.
    derived = tuple(stage for stage in IMPORT if stage.kind == "pure") if first.work is WorkKind.IMPORT else ()
    return Work(kind=first.work, cycle_id=first.cycle_id, since=first.since, session=first.session, stages=derived)
