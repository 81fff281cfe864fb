"""The file that all processes of a user share: answers of language models, and what was spent on them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

PATIENCE = 30.0
"""Seconds to wait for another process to let go of the file."""


@contextmanager
def transaction(path: Path) -> Iterator[sqlite3.Connection]:
    """One transaction on the file at `path`: all of it, or nothing."""
    # A connection of its own each time: threads and processes may come and go.
    with closing(sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
        except BaseException:  # an interrupt too takes back what it cut off
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        if db.in_transaction:
            db.execute("COMMIT")
