"""Adds every entry of the ledger up again and sets it beside what the books carry, and beside fills and facts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from lake.tables.books import BALANCES, LEDGER_ENTRIES
from lake.tables.trading import EXECUTED_TRADES
from pipeline.engine.executor import Executor
from pipeline.text_format import counted
from pipeline.trading.balances.opening import read_book
from pipeline.trading.books import value
from pipeline.trading.books.book import fold

FULL = replace(
    value.STAGE,
    reads=tuple(
        replace(read, lookback=None, further=None) if read.table in (LEDGER_ENTRIES, EXECUTED_TRADES) else read
        for read in value.STAGE.reads
    ),
)
"""The stage that states the value, with all of history before it."""


@dataclass(frozen=True)
class BooksCheck:
    """What a session's books look like when nothing is taken over from the session before."""

    session: date
    entries: int
    kept: bool
    """Whether the session left balances."""
    balances_agree: bool
    """Whether they are what the entries add up to; True where there are none."""
    unexplained: Decimal
    """Value by the ledger less value by fills and facts, both gone through from the first session on."""
    difference: str | None
    """The first event that both tell differently, and how many do."""

    @property
    def agrees(self) -> bool:
        """Whether not one cent is off."""
        return self.balances_agree and not self.unexplained and not self.difference

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        told = f"{counted(self.entries, 'entry')} up to {self.session} added up again"
        if self.agrees:
            beside = "the balances carried, and " if self.kept else ""
            return f"{told}: {beside}fills and facts gone through from the start say the same to the cent."
        wrong = [] if self.balances_agree else ["the balances that the books go on from are others"]
        wrong += [f"{self.unexplained:,.2f} of value is unexplained"] if self.unexplained else []
        wrong += [self.difference] if self.difference else []
        return f"{told}, and they do NOT agree: {'; '.join(wrong)}."


def check_books(executor: Executor, session: date) -> BooksCheck:
    """Go through the books of a session from their beginning.

    Args:
        executor: of the lake.
        session: one whose cycle is done.
    """
    frames, moment = executor.read_now(FULL, session, session)
    entries, balances = frames[LEDGER_ENTRIES.name], frames[BALANCES.name]
    kept, again = read_book(balances, session), fold(entries)
    given = (frames | {BALANCES.name: balances.clear()}).values()
    row = FULL.function(*given, moment, executor.settings.trading)
    return BooksCheck(
        session=session,
        entries=entries.height,
        kept=kept is not None,
        balances_agree=kept is None or replace(kept, settled=set()) == replace(again, settled=set()),
        unexplained=row["unexplained"][0],
        difference=row["difference"][0],
    )
