"""Checkpoints of the tables' logs, which keep a lake fast over thousands of commits."""

from __future__ import annotations

from lake.storage.delta_log import checkpoint_versions
from lake.store import Lake
from lake.tables import TABLES

CHECKPOINT_EVERY = 20
"""Writer: most of the cost of a long history is the log's tail behind the last checkpoint."""


def write_checkpoints(lake: Lake, last: dict[str, int]) -> dict[str, int]:
    """Write a checkpoint for each table whose log has grown by `CHECKPOINT_EVERY`, and archive what is then old.

    Args:
        lake: under the writer lock, between cycles.
        last: table name -> version of its last checkpoint; where one is missing it is looked up on disk.

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
        if due or name not in last:  # only after a new checkpoint, or what an earlier process left
            lake.archive_log(table)
    return now
