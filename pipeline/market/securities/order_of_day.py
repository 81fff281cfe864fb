"""In which order the actions of one day take effect, so that none reaches the company that gets the ticker that day."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from datetime import date
from typing import Protocol, TypeVar


class TickerEvent(Protocol):
    """A corporate action as far as its place in a day goes."""

    @property
    def ticker(self) -> str: ...
    @property
    def ex_date(self) -> date: ...
    @property
    def kind(self) -> str: ...
    @property
    def successor(self) -> str | None: ...


Event = TypeVar("Event", bound=TickerEvent)
LEAVING = ("delisting", "rename", "write_off")


def order_by_company(events: Iterable[Event], held: Container[str]) -> list[Event]:
    """Put the events of some days in order: by day, then as companies pass their tickers on, else as given.

    Where one company gives a ticker up and another one gets it on the same day, the first leaves before the second
    comes: its delisting, rename or write-off is its own. What else happens to the ticker that day concerns the one that
    came, and so it does where nobody holds the ticker before.

    Args:
        events: those of one ticker and day in the order in which they take effect.
        held: tickers of which the holder in question has shares before.
    """
    listed = list(events)
    ordered: list[Event] = []
    for day in sorted({one.ex_date for one in listed}):
        ordered += _order_day([one for one in listed if one.ex_date == day], held)
    return ordered


def _order_day(events: list[Event], held: Container[str]) -> list[Event]:
    moves = {one.ticker: one.successor for one in events if one.kind == "rename" and one.successor}
    if not moves:
        return events
    coming = set(moves.values())
    leaving = {one.ticker for one in events if one.kind in LEAVING}

    def place(event: Event) -> tuple[int, int]:
        ticker = event.ticker
        if event.kind in LEAVING:
            return 1, _steps(ticker, moves, leaving)
        comes = ticker in coming and (ticker in leaving or ticker not in held)
        return (2 if comes else 0), 0

    return sorted(events, key=place)


def _steps(ticker: str, moves: Mapping[str, str | None], leaving: Container[str]) -> int:
    """How many companies have to make room, one for the other, before this one can move."""
    seen = {ticker}
    while (to := moves.get(ticker)) is not None and to in leaving and to not in seen:
        seen.add(to)
        ticker = to
    return len(seen)


def find_swapped(events: Iterable[TickerEvent]) -> set[tuple[date, str]]:
    """Return the day and ticker of each rename that is part of a ring of one day: companies that take each other's.

    They leave at once, each with what it has, and then they come: one after the other they would be mixed up.
    """
    moves: dict[date, dict[str, str]] = {}
    for one in events:
        if one.kind == "rename" and one.successor:
            moves.setdefault(one.ex_date, {})[one.ticker] = one.successor
    return {(day, ticker) for day, of_day in moves.items() for ticker in find_ring(of_day)}


def find_ring(moves: Mapping[str, str]) -> set[str]:
    """Return the tickers from which renames of one day (ticker -> successor) lead back to themselves."""
    return {ticker for ticker in moves if _comes_back(ticker, moves)}


def _comes_back(start: str, moves: Mapping[str, str]) -> bool:
    ticker, seen = start, set[str]()
    while (to := moves.get(ticker)) is not None and to not in seen:
        seen.add(to)
        ticker = to
    return ticker == start and bool(seen)
