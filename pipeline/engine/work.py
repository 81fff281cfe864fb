"""A piece of work: the stages that run for a span of sessions and are published in one commit; the kinds there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256

from lake.tables.control import WorkKind
from pipeline.engine.session_order import (
    CYCLE,
    MERGE,
    NEWS_BETWEEN,
    SNAPSHOT,
    TARGETED,
    TRAINING,
    load_backfill,
    load_stages,
)
from pipeline.engine.stage import Stage

Span = tuple[date, date]
"""The first and last session of a range."""
Progress = Callable[[str, int, int], None]
"""Told what is being done, how many steps are done, and of how many."""


def silent(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


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
    as_of: datetime | None = None
    """What it may know; None for the session's own moment of decision."""
    target: str = ""
    """Whom a training is for; empty for all names."""
    search: bool = False
    """Whether a training searches for settings first."""
    skips_idle: bool = False
    """True where a stage is left out that has nothing to do: a session that a backfill loaded, training not due."""

    def folds(self, stage: Stage) -> bool:
        """Whether a stage derives anew from the landings of all backfills, so that their order leaves no trace."""
        derives = any(read.table is not stage.writes for read in stage.reads)
        return self.kind is WorkKind.BACKFILL and derives


def cycle(session: date) -> Work:
    """All that a session needs after its close."""
    return Work(
        kind=WorkKind.CYCLE,
        cycle_id=f"cycle-{session:%Y%m%d}",
        since=session,
        session=session,
        stages=load_stages(CYCLE),
        skips_idle=True,
    )


def backfill(since: date, session: date) -> Work:
    """History from the lake's own sources."""
    return Work(
        kind=WorkKind.BACKFILL,
        cycle_id=f"history-{since:%Y%m%d}-{session:%Y%m%d}",
        since=since,
        session=session,
        stages=load_backfill(),
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


def training(session: date, target: str = "", *, search: bool = False) -> Work:
    """A challenger trained at a session's close and evaluated; for all names, or a specialist for a target.

    With `search`, one for all names searches for settings first.
    """
    what = f"-{sha256(target.encode()).hexdigest()[:8]}" if target else "-search" if search else ""
    return Work(
        kind=WorkKind.TRAINING,
        cycle_id=f"training-{session:%Y%m%d}{what}",
        since=session,
        session=session,
        stages=load_stages(TARGETED if target else TRAINING),
        target=target,
        search=search,
    )


def snapshot(session: date, as_of: datetime) -> Work:
    """The bars within a session that had ended by a moment.

    Args:
        session: the last one that had opened by then.
        as_of: the moment, to the second.
    """
    return Work(
        kind=WorkKind.SNAPSHOT,
        cycle_id=f"snapshot-{as_of.astimezone(UTC):%Y%m%dT%H%M%SZ}",
        since=session,
        session=session,
        stages=load_stages(SNAPSHOT),
        as_of=as_of,
    )


def news(session: date, as_of: datetime) -> Work:
    """The news between cycles, up to a moment.

    Args:
        session: the one to come, whose cycle finds it.
        as_of: the moment, to the second, before that session's close.
    """
    return Work(
        kind=WorkKind.NEWS,
        cycle_id=f"news-{as_of.astimezone(UTC):%Y%m%dT%H%M%SZ}",
        since=session,
        session=session,
        stages=load_stages(NEWS_BETWEEN),
        as_of=as_of,
    )


def merge(merge_id: str, session: date, as_of: datetime) -> Work:
    """What was trained on a branch, brought over.

    Args:
        merge_id: of the decision.
        session: the lake's last one.
        as_of: the moment of the decision.
    """
    return Work(
        kind=WorkKind.MERGE, cycle_id=merge_id, since=session, session=session, stages=load_stages(MERGE), as_of=as_of
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
