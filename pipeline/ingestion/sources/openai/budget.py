"""The day's budget of requests and dollars for language models, shared by all processes of a user."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from lake.access import make_private_folder
from pipeline.ingestion.sources.openai.state_file import transaction

SCHEMA = """
CREATE TABLE IF NOT EXISTS spent (day TEXT PRIMARY KEY, requests INTEGER NOT NULL, dollars REAL NOT NULL);
"""


class Budget:
    """Every change is one transaction, so a crash costs at most a reservation."""

    def __init__(self, path: Path) -> None:
        make_private_folder(path.parent)
        self._path = path
        with transaction(path) as db:
            db.executescript(SCHEMA)

    def reserve(self, at: datetime, dollars: float, max_requests: int, max_dollars: float) -> str:
        """Take one request and its highest cost from the day's budget; returns why not, empty if it was taken."""
        day = _day(at)
        with transaction(self._path) as db:
            requests, spent = db.execute("SELECT requests, dollars FROM spent WHERE day = ?", (day,)).fetchone() or (
                0,
                0.0,
            )
            if requests + 1 > max_requests:
                return f"the budget of {max_requests} requests for {day} (UTC) is spent"
            if spent + dollars > max_dollars:
                return (
                    f"the budget of {max_dollars:.2f} USD for {day} (UTC) cannot carry the request:"
                    f" {spent:.4f} are spent and it may cost {dollars:.4f}"
                )
            db.execute("INSERT OR REPLACE INTO spent VALUES (?, ?, ?)", (day, requests + 1, spent + dollars))
        return ""

    def settle(self, at: datetime, reserved: float, cost: float) -> None:
        """Put what a request cost in the place of what was reserved for it."""
        with transaction(self._path) as db:
            db.execute(
                "UPDATE spent SET dollars = max(dollars + ?, 0) WHERE day = ?",
                (cost - reserved, _day(at)),
            )

    def spent(self, at: datetime) -> tuple[int, float]:
        """Requests and dollars of the day."""
        with transaction(self._path) as db:
            row = db.execute("SELECT requests, dollars FROM spent WHERE day = ?", (_day(at),)).fetchone()
        return (row[0], row[1]) if row else (0, 0.0)


class PartOfBudget(Budget):
    """What one piece of work may spend of the day's budget."""

    def __init__(self, path: Path, requests: int, dollars: float) -> None:
        super().__init__(path)
        self._most, self._requests, self._dollars = requests, requests, dollars

    @property
    def left(self) -> tuple[int, float]:
        """Requests and USD that it may still spend."""
        return self._requests, self._dollars

    def take(self, requests: int, dollars: float) -> None:
        """Count what the same work had spent before."""
        self._requests, self._dollars = self._requests - requests, self._dollars - dollars

    def reserve(self, at: datetime, dollars: float, max_requests: int, max_dollars: float) -> str:
        """Take one request from this part and from the day's budget; returns why not, empty if it was taken."""
        if self._requests < 1:
            return f"the {self._most} requests that this work may make are spent"
        if dollars > self._dollars:
            return (
                f"{self._dollars:.4f} USD are left of what this work may cost, and the request may cost {dollars:.4f}"
            )
        if forbidden := super().reserve(at, dollars, max_requests, max_dollars):
            return forbidden
        self.take(1, dollars)
        return ""

    def settle(self, at: datetime, reserved: float, cost: float) -> None:
        """Put what a request cost in the place of what was reserved for it."""
        super().settle(at, reserved, cost)
        self._dollars += reserved - cost


def _day(at: datetime) -> str:
    return at.astimezone(UTC).date().isoformat()
