"""What keeps a lake fast over thousands of commits; run between cycles, under the lease."""

from __future__ import annotations

from lake.storage.delta_log import checkpoint_versions
from lake.store import Lake
from lake.tables import TABLES

CHECKPOINT_EVERY = 20
"""Commits: most of the cost of a long history is the log's tail behind the last checkpoint."""


def checkpoint_due(lake: Lake, last: dict[str, int]) -> dict[str, int]:
    """Write a checkpoint for each table whose log has grown by `CHECKPOINT_EVERY`, and archive what that makes old.

    Args:
        lake: held under the lease.
        last: table name -> version of its last checkpoint; what is not named is looked up on disk.

    Returns:
        The same for the tables now.
    """
    now = dict(last)
    for name, table in TABLES.items():
        version = lake.newest(table)
        if name not in now:
            now[name] = max(checkpoint_versions(lake.uri(table)), default=0)
        if due := version - now[name] >= CHECKPOINT_EVERY:
            lake.checkpoint(table)
            now[name] = version
        if due or name not in last:  # only a new checkpoint makes a log old, or what an earlier process left
            lake.archive(table)
    return now
