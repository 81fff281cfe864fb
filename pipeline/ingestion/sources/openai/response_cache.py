"""What was asked of language models and what it cost: kept beside the lakes, so that nothing is paid for twice."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from pipeline.ingestion.sources.openai.transcript import Transcript

SCHEMA = """
CREATE TABLE IF NOT EXISTS spent (day TEXT PRIMARY KEY, requests INTEGER NOT NULL, dollars REAL NOT NULL);
CREATE TABLE IF NOT EXISTS exchanges (id INTEGER PRIMARY KEY, exchange TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answers (question TEXT, exchange INTEGER REFERENCES exchanges,
                                    PRIMARY KEY (question, exchange)) WITHOUT ROWID;
"""
PATIENCE = 30.0
"""Seconds to wait for another process to let go of the file."""


class ResponseCache:
    """One file for all processes of a user; every change is one transaction, so a crash costs at most a reservation."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = path
        with self._transaction() as db:
            db.executescript(SCHEMA)

    def find_answers(self, questions: Iterable[str]) -> list[Transcript]:
        """The exchanges that answered any of the questions, each once, in the order they were made."""
        with self._transaction() as db:
            found = {
                row[0]
                for question in questions
                for row in db.execute("SELECT exchange FROM answers WHERE question = ?", (question,))
            }
            text = [
                db.execute("SELECT exchange FROM exchanges WHERE id = ?", (number,)).fetchone()[0]
                for number in sorted(found)
            ]
        return [_exchange(text) for text in text]

    def keep(self, transcript: Transcript, questions: Iterable[str]) -> None:
        """Remember an answer under each question it answers; one that was asked alone later has two."""
        with self._transaction() as db:
            text = json.dumps(asdict(transcript) | {"asked_at": transcript.asked_at.isoformat()})
            number = db.execute("INSERT INTO exchanges (exchange) VALUES (?)", (text,)).lastrowid
            rows = [(question, number) for question in questions]
            db.executemany("INSERT INTO answers VALUES (?, ?)", rows)

    def reserve(self, at: datetime, dollars: float, most_requests: int, most_dollars: float) -> str:
        """Take one request and its highest cost from the day's budget; returns why not, empty if it was taken."""
        day = _day(at)
        with self._transaction() as db:
            requests, spent = db.execute("SELECT requests, dollars FROM spent WHERE day = ?", (day,)).fetchone() or (
                0,
                0.0,
            )
            if requests + 1 > most_requests:
                return f"the budget of {most_requests} requests for {day} (UTC) is spent"
            if spent + dollars > most_dollars:
                return (
                    f"the budget of {most_dollars:.2f} USD for {day} (UTC) cannot carry the request:"
                    f" {spent:.4f} are spent and it may cost {dollars:.4f}"
                )
            db.execute("INSERT OR REPLACE INTO spent VALUES (?, ?, ?)", (day, requests + 1, spent + dollars))
        return ""

    def settle(self, at: datetime, reserved: float, cost: float) -> None:
        """Put what a request cost in the place of what was reserved for it."""
        with self._transaction() as db:
            db.execute(
                "UPDATE spent SET dollars = max(dollars + ?, 0) WHERE day = ?",
                (cost - reserved, _day(at)),
            )

    def spent(self, at: datetime) -> tuple[int, float]:
        """Requests and dollars of the day."""
        with self._transaction() as db:
            row = db.execute("SELECT requests, dollars FROM spent WHERE day = ?", (_day(at),)).fetchone()
        return (row[0], row[1]) if row else (0, 0.0)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        # A connection of its own each time: threads and processes may come and go.
        with closing(sqlite3.connect(self._path, timeout=PATIENCE, isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:  # an interrupt too takes back what it cut off
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            if db.in_transaction:
                db.execute("COMMIT")


def _day(at: datetime) -> str:
    return at.astimezone(UTC).date().isoformat()


def _exchange(text: str) -> Transcript:
    members = json.loads(text)
    names = ("article_ids", "labels")
    lists = {name: tuple(members[name]) for name in names}
    return Transcript(**{**members, **lists, "asked_at": datetime.fromisoformat(members["asked_at"])})
