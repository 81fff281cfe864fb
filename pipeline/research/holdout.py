"""The sessions that were put aside: nothing is tried on them, and every look at them is counted."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

from lake.store import Lake
from lake.tables.research import HOLDOUT_OPENINGS
from pipeline.config.settings import Settings
from pipeline.control.operator.trading_switches import who_decides
from pipeline.reading.tried import count_openings, count_trials
from pipeline.research import ResearchError
from pipeline.research.recording import record


def holdout_of(settings: Settings) -> date | None:
    """The first session of what is put aside; None where nothing is."""
    return date.fromisoformat(settings.research.holdout) if settings.research.holdout else None


def refuse_holdout(settings: Settings, last: date, what: str) -> None:
    """Refuse to try anything on sessions that were put aside, opened or not.

    Args:
        settings: of the lake.
        last: the last session that would be tried on.
        what: is asked for.

    Raises:
        ResearchError: naming both days.
    """
    holdout = holdout_of(settings)
    if holdout is not None and last >= holdout:
        raise ResearchError(
            f"{what} would use sessions up to {last}, and those from {holdout} on are put aside (research.holdout):"
            " whatever is chosen there says nothing of the future; end it before that day"
        )


def open_holdout(lake: Lake, settings: Settings, reason: str, now: datetime | None = None) -> int:
    """Record that somebody looks at what was put aside, and return how often that has happened now.

    Raises:
        ResearchError: if nothing is put aside, or no reason is given.
    """
    holdout = holdout_of(settings)
    if holdout is None:
        raise ResearchError("nothing is put aside; set research.holdout to the first session that nobody may look at")
    if not reason.strip():
        raise ResearchError(
            "say why the holdout is opened: it is recorded, and comparisons and cards after it say how often it was"
        )
    row = {
        "opening_id": f"opening-{uuid4().hex[:12]}",
        "opened_at": now or datetime.now(UTC),
        "opened_by": who_decides(),
        "holdout": holdout,
        "reason": reason,
        "trials": count_trials(lake),
    }
    record(lake, HOLDOUT_OPENINGS, str(row["opening_id"]), [row])
    return count_openings(lake)


def last_to_compare(lake: Lake, settings: Settings, last: date | None) -> date | None:
    """The last day that a comparison may show: before what is put aside, unless that was opened."""
    holdout = holdout_of(settings)
    if holdout is None or count_openings(lake):
        return last
    eve = holdout - timedelta(days=1)
    return eve if last is None else min(last, eve)


def last_for_search(settings: Settings) -> date | None:
    """The last day whose prices a search may use; None where nothing is put aside."""
    holdout = holdout_of(settings)
    return None if holdout is None else holdout - timedelta(days=1)
