"""Which work an interrupted run resumes: a cycle, a backfill, a snapshot, ... that was cut off unpublished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lake.runs import Run
from lake.tables.control import WorkKind
from pipeline.engine.executor import SEARCH, TARGET
from pipeline.engine.stages import IMPORT
from pipeline.engine.work import Work, backfill, cycle, merge, snapshot, training


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
        return training(first.session, first.params.get(TARGET, ""), search=first.params.get(SEARCH, False))
    if first.work is WorkKind.SNAPSHOT:
        return snapshot(first.session, first.as_of)
    if first.work is WorkKind.MERGE:
        return merge(first.cycle_id, first.session, first.as_of)
    # What an import landed is there, and the older system may not be at hand any more; one stage, or the files of one
    # table, were done with the commit that is left.
    derived = tuple(stage for stage in IMPORT if stage.kind == "pure") if first.work is WorkKind.IMPORT else ()
    return Work(kind=first.work, cycle_id=first.cycle_id, since=first.since, session=first.session, stages=derived)
