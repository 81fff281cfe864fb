"""A reader that never stops looking, as a console does that stays open and as one that was just opened."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType

import polars as pl

from lake.store import Lake
from lake.tables.books import LEDGER_ENTRIES, PORTFOLIO_HOLDINGS, PORTFOLIO_VALUE
from lake.tables.control import RUNS

BOOKS = (LEDGER_ENTRIES, PORTFOLIO_VALUE, PORTFOLIO_HOLDINGS)
ENOUGH = 5
"""Things wrong after which it stops: one would do, a few tell more."""


class Reader(threading.Thread):
    """Reads a lake until the block ends; then says how often, what it saw, and all that was wrong."""

    def __init__(self, lake: Path) -> None:
        super().__init__(daemon=True)
        self.lake = lake
        self.reads = 0
        self.publications: set[int] = set()
        """Versions of `runs` it saw published."""
        self.wrong: list[str] = []
        self._over = threading.Event()

    def __enter__(self) -> Reader:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        """Look, over and over."""
        stays = Lake.open(self.lake)
        seen: dict[str, int] = {}
        while not self._over.is_set() and len(self.wrong) < ENOUGH:
            for lake in (stays, Lake.open(self.lake)):
                try:
                    seen = self._look(lake, seen)
                except BaseException as error:  # a library's panic is no Exception
                    self.wrong.append(f"{type(error).__name__}: {error}")

    def _look(self, lake: Lake, seen: dict[str, int]) -> dict[str, int]:
        now = lake.published_versions()
        self.wrong += [f"{name} went from {seen[name]} back to {now[name]}" for name in seen if now[name] < seen[name]]
        self.wrong += halves(lake, now)
        self.reads += 1
        self.publications.add(now[RUNS.name])
        return now


def halves(lake: Lake, versions: dict[str, int]) -> list[str]:
    """Whatever does not fit together in the books as published at one moment."""
    entries, value, held = (lake.read(table, version=versions[table.name]) for table in BOOKS)
    last = value["session"].max()
    cash = entries.filter(pl.col("account") == "cash")["amount"].sum()
    shares = entries.group_by("ticker").agg(pl.col("shares").sum()).filter(pl.col("shares") != 0).sort("ticker")
    told = value.filter(pl.col("session") == last)["cash"].to_list()
    found = [] if told == [cash] else [f"the ledger has {cash} in cash, portfolio_value {told} at {last}"]
    if entries.height != entries["entry_id"].n_unique():
        found.append("a ledger entry is there twice")
    if held.filter(pl.col("session") == last).sort("ticker").select("ticker", "shares").rows() != shares.rows():
        found.append(f"the holdings of {last} are not what the ledger holds")
    return found
