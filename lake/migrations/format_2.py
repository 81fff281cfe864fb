"""Format 2: a run says under which format it ran, so that its fingerprint can be taken again after later changes.

Runs recorded in format 1 have null there and count as of format 1: nobody wrote it down then.
"""

from __future__ import annotations

from lake.migrations.steps import AddColumn, Step

STEPS: tuple[Step, ...] = (
    # Null in older rows: the storage library fills it in, and no row is written anew.
    AddColumn(
        "runs",
        "contract",
    ),
)
