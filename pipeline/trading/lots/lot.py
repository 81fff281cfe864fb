"""A lot is what one buy brought; a method says which lots a sale takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import accumulate
from typing import Literal, NamedTuple

Method = Literal["fifo", "lifo", "highest_cost", "lowest_cost"]


@dataclass
class Lot:
    """Shares that were bought together, as far as they are still held; of those sold short together all is negative."""

    trade_id: str
    """The buy, whatever its company was called then."""
    ticker: str
    opened: date
    shares: int
    cost: int
    """Cents, commission apart."""


class SoldLot(NamedTuple):
    """A part of a lot that left; of no shares where an action paid out without taking any.

    Of a short lot shares, proceeds and cost are negative: what buying back took, and what selling had brought.
    """

    event: str
    """The sale, or the event of an action."""
    ticker: str
    lot: str
    """The buy."""
    opened: date
    sold: date
    shares: int
    proceeds: int
    """Cents, as `cost`; commission apart."""
    cost: int

    @property
    def gain(self) -> int:
        """Cents."""
        return self.proceeds - self.cost


@dataclass
class LotBook:
    """Open lots by ticker, in the order in which they came, and what was sold."""

    open: dict[str, list[Lot]] = field(default_factory=dict)
    sold: list[SoldLot] = field(default_factory=list)


ORDERS: dict[str, Callable[[Lot], tuple[float, ...]]] = {
    "fifo": lambda lot: (lot.opened.toordinal(),),
    "lifo": lambda lot: (-lot.opened.toordinal(),),
    "highest_cost": lambda lot: (-_per_share(lot), lot.opened.toordinal()),
    "lowest_cost": lambda lot: (_per_share(lot), lot.opened.toordinal()),
}
"""Method -> which lot is sold first; of equals the one that came first."""


def choose_lots(
    lots: Sequence[Lot], shares: int, method: Method, named: Mapping[str, int] | None = None
) -> list[tuple[Lot, int]]:
    """Return the lots a sale takes and how many shares of each: those named first, the rest by the method.

    Args:
        lots: of one ticker and one side; together they hold at least `shares`.
        shares: sold.
        method: the order of what is not named.
        named: buy -> shares that were designated for this sale; more than the lot holds counts as all of it.
    """
    taken: dict[int, int] = {}
    wanted = dict(named or {})
    for at, lot in enumerate(lots):
        taken[at] = min(wanted.get(lot.trade_id, 0), abs(lot.shares), shares - sum(taken.values()))
    for at in sorted(range(len(lots)), key=lambda number: ORDERS[method](lots[number])):
        taken[at] += min(abs(lots[at].shares) - taken[at], shares - sum(taken.values()))
    return [(lot, taken[at]) for at, lot in enumerate(lots) if taken[at]]


def share_out(total: int, weights: Sequence[int]) -> list[int]:
    """Return whole parts of a whole number in proportion to weights; together they are it."""
    whole = sum(weights)
    if not whole:
        return [total if not at else 0 for at in range(len(weights))]
    bounds = [total * reached // whole for reached in accumulate(weights)]
    return [after - before for before, after in zip([0, *bounds], bounds, strict=False)]


def _per_share(lot: Lot) -> float:
    return lot.cost / lot.shares if lot.shares else 0.0


def is_long_term(opened: date, sold: date, shares: int = 1) -> bool:
    """Whether a lot was held for more than a year, which many tax laws ask; what was sold short never was held."""
    return shares >= 0 and sold > _a_year_after(opened)


def _a_year_after(day: date) -> date:
    """The same day of the next year; of February 29 the 28th."""
    try:
        return day.replace(year=day.year + 1)
    except ValueError:
        return day.replace(year=day.year + 1, day=28)
