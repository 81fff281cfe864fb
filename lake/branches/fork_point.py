"""Where a branch leaves its lake: the publication after which it goes its own way, and what was published by then."""

from __future__ import annotations

from bisect import bisect_left
from datetime import date
from typing import NamedTuple

from lake.errors import NoSuchError
from lake.runs import cycle_sessions, highest_versions
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS, SYSTEM_HEALTH

OF_THE_DAEMON = (
    "task_requests", "task_definitions", "task_attempts", "service_heartbeats", "alerts", "alert_deliveries",
    "training_progress", "determinism_certificates",
)  # fmt: skip
"""Tables of the processes that serve a lake; a branch has none, and takes no request for its own."""


class ForkPoint(NamedTuple):
    """What a lake had published at some time."""

    session: date | None
    """The last session whose cycle is among it; None where there is none."""
    versions: dict[str, int]
    """Table -> version, `runs` among them."""


def find_fork_point(lake: Lake, session: date | None = None) -> ForkPoint:
    """Return what was published just after a session's cycle and its report; as of now where None.

    What the operator decided since then comes along: those who stand before it do not see it.

    Raises:
        NoSuchError: if no cycle of the session is published.
    """
    version = lake.newest(RUNS) if session is None else _after_cycle(lake, session)
    runs = lake.read(RUNS, version=version)
    highest = highest_versions(runs)
    versions = {
        name: highest.get(name, 0 if table.published_by_run else lake.newest(table))
        for name, table in TABLES.items()
        if lake.has_table(table)
    }
    versions |= dict.fromkeys(OF_THE_DAEMON, 0) | {RUNS.name: version}
    return ForkPoint(max(cycle_sessions(runs), default=None), versions)


def _after_cycle(lake: Lake, session: date) -> int:
    """The version of `runs` that published the session's cycle, or the report on it if that came next."""
    newest = lake.newest(RUNS)
    if session not in _sessions(lake, newest):
        raise NoSuchError(
            f"no cycle of {session} is published{_say_which(lake)}; name a session that was run to its end"
        )
    versions = range(1, newest + 1)
    found = versions[bisect_left(versions, True, key=lambda version: session in _sessions(lake, version))]
    return found + 1 if found < newest and _reports_on(lake, session, found + 1) else found


def _sessions(lake: Lake, version: int) -> set[date]:
    return set(cycle_sessions(lake.read(RUNS, version=version, columns=("session", "work", "status"))))


def _reports_on(lake: Lake, session: date, version: int) -> bool:
    """Whether a publication is the report that follows a session's cycle, and nothing else."""
    columns = ("run_id", "session", "output_table")
    before, after = (lake.read(RUNS, version=at, columns=columns) for at in (version - 1, version))
    added = after.join(before, on="run_id", how="anti")
    return set(added.select("session", "output_table").rows()) == {(session, SYSTEM_HEALTH.name)}


def _say_which(lake: Lake) -> str:
    days = sorted(_sessions(lake, lake.newest(RUNS)))
    return f" (there are cycles from {days[0]} to {days[-1]})" if days else " in this lake"
