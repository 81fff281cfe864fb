"""What keeps a lake fast over thousands of commits; run between cycles, under the lease."""

from __future__ import annotations

from lake.store import Lake
from lake.tables import TABLES

CHECKPOINT_EVERY = 20
"""Commits: most of the cost of a long history is the log's tail behind the last checkpoint."""


def checkpoint_due(lake: Lake, last: dict[str, int]) -> dict[str, int]:
    """Write a checkpoint for each table whose log has grown by `CHECKPOINT_EVERY` since the last one.

    Args:
        lake: held under the lease.
        last: table name -> version of its last checkpoint as far as known.

    Returns:
        The same for the tables now.
    """
    now = dict(last)
    for name, table in TABLES.items():
        version = lake.newest(table)
        if version - last.get(name, 0) >= CHECKPOINT_EVERY:
            lake.checkpoint(table)
            now[name] = version
    return now
