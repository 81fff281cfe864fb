"""What can end a piece of work, and the failed run it leaves where that happens outside its stages."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from lake.errors import BusyError, LakeError, StorageError
from lake.publication import record_failure
from lake.runs import Recipe, Run, failed_attempts, last_cycle
from lake.store import Lake
from pipeline.engine.work import Work
from pipeline.market.sessions import Sessions

log = logging.getLogger(__name__)
MAX_ERROR = 3_900
"""Characters of an error that a run keeps."""


class StageFailedError(Exception):
    """A stage raised; the lake is as it was published before. The cause is the exception it raised."""

    def __init__(self, run: Run, capsule: Path | None = None) -> None:
        super().__init__(f"stage {run.recipe.stage} failed for session {run.recipe.session}: {run.error}")
        self.run = run
        self.capsule = capsule
        """The file that holds all it saw; None where none could be written."""


class CycleOrderError(LakeError):
    """A cycle was asked for out of order."""


def require_next_cycle(lake: Lake, calendar: Sessions, session: date) -> None:
    """Refuse a cycle out of order: the book moves session by session, and can neither go back nor leave one out.

    Raises:
        CycleOrderError: naming the session that is next.
    """
    last = last_cycle(lake)
    if last is None or session == (wanted := calendar.next(last)):
        return
    if session < wanted:
        raise CycleOrderError(
            f"{session} is before the first cycle of this lake, and cycles only go forward: the last was {last}, "
            f"the next is {wanted}"
        )
    raise CycleOrderError(
        f"the last cycle was {last}, so the next is {wanted}, not {session}; "
        f"run `nextgen replay --from {wanted} --to {session}`"
    )


@contextmanager
def record_failures(lake: Lake, work: Work) -> Iterator[None]:
    """Record whatever ends the block as a failed run of the work, and let it pass on.

    That may be a damaged file, a disk that refuses, or a plugin that does not load. Not recorded are a stage's own
    failure, which its run tells of; a lake that another process is writing; and work out of order, of which nothing
    was begun.
    """
    try:
        yield
    except (StageFailedError, BusyError, CycleOrderError):
        raise
    except Exception as error:  # whatever it is, the work has failed, and `nextgen runs --failed` is asked for it
        _record(lake, work, error)
        raise


def describe_error(error: Exception) -> str:
    """The error's kind and text, within what a run keeps."""
    text = f"{type(error).__name__}: {error}"
    return text if len(text) <= MAX_ERROR else text[:MAX_ERROR] + "..."


def _record(lake: Lake, work: Work, error: Exception) -> None:
    stage, now = work.stages[0], datetime.now(UTC)
    recipe = Recipe(
        work=work.kind,
        cycle_id=work.cycle_id,
        attempt=0,
        stage=stage.name,
        kind=stage.kind,
        session=work.session,
        since=work.since,
        as_of=now,
        inputs={},
        params={},
        seed=0,
        code="",
        threads=1,
        libraries={},
        output_table=stage.writes.name,
    )
    failed = Run(recipe=recipe, status="failed", error=describe_error(error), files={}, started_at=now)
    try:
        with lake.lock_for_runs(f"recording that {work.cycle_id} failed"):
            attempt = failed_attempts(lake, work.cycle_id)
            record_failure(lake, replace(failed, recipe=replace(recipe, attempt=attempt)))
    except (LakeError, StorageError) as refused:
        # Where `runs` itself is damaged or the disk refuses this row too, the error itself is all that can be told.
        log.warning("the failure of %s could not be recorded: %s", work.cycle_id, refused)
