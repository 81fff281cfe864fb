"""Sets each stated dividend, and each step of the adjusted close that has none, beside the prices around it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log

import numpy as np
from numpy.typing import NDArray

from pipeline.ingestion.prices.yahoo_chart.evidence.own_moves import (
    OwnMoves,
    bar_of,
    is_price,
    log_odds,
    opening_scale,
    own_moves,
)
from pipeline.ingestion.prices.yahoo_chart.parse_chart import Chart, Dividend, Floats

PRICE_GRAIN, STEP_GRAIN = 1e-4, 3e-4
"""Share of the price by which the adjusted close may miss a stated dividend, and that a step of it needs to be one:
vendors round."""
ADJUSTED_WITHIN = 0.10
"""Share of the dividend by which the adjusted close may miss it."""
WAIT = 20
"""Bars after the ex-date within which a name that seldom trades has to trade for its price to be a witness."""


@dataclass(frozen=True)
class Payment:
    """A dividend beside the prices around it, all in the vendor's unit."""

    dividend: Dividend
    bar: int
    """The bar of the ex-date."""
    before: float
    """Last close before the ex-date; NaN if there is none."""
    move: float
    """Logarithm of the first close that was traded at or after the ex-date, over the one before; NaN if none was."""
    scale: float
    """The usual size of such a move."""
    opened: float
    """Logarithm of the ex-date's open over the close before; NaN where it is missing or was not traded."""
    opened_scale: float
    """The usual size of such a step."""
    implied: float
    """The dividend that the adjusted closes imply; NaN where they are missing or cannot be right."""
    nonsense: bool = False
    """Whether the adjusted closes imply what no dividend can be: less than nothing, or all of the price."""

    @property
    def day(self) -> float:
        """Its date, in days."""
        return self.dividend.stamp / 86_400

    def unexplained(self, amount: float) -> float:
        """What is left of the price's move if this amount was paid; NaN where nothing was traded."""
        kept = 1 - amount / self.before
        return self.move - log(max(kept, 1e-2))

    def odds(self, stated: float, other: float) -> float:
        """By how much the price speaks for the other amount; 0 where it cannot tell."""
        if not (np.isfinite(self.move) and self.before > 0):
            return 0.0
        return float(log_odds(self.unexplained(stated), self.unexplained(other), self.scale))

    def opening_odds(self, stated: float, other: float) -> float:
        """By how much the open speaks for the other amount; a dividend leaves the price before the session begins."""
        return replace(self, move=self.opened, scale=self.opened_scale).odds(stated, other)

    def reflects(self, amount: float) -> bool:
        """Whether the adjusted closes imply the amount."""
        grain = PRICE_GRAIN * self.before if self.before > 0 else 0.0
        return abs(self.implied - amount) <= amount * ADJUSTED_WITHIN + grain


@dataclass(frozen=True)
class Payments:
    """What was paid, by what is stated and by what the adjusted closes imply."""

    stated: tuple[Payment, ...]
    unstated: tuple[Payment, ...]
    """Steps of the adjusted close without a dividend; their amount is the one implied."""


def find_payments(chart: Chart) -> Payments:
    """The payments of a chart whose prices are on one level."""
    moves = own_moves(chart)
    scale, implied = moves.scale(), _implied(chart, moves)
    traded, gap = _traded(chart, moves), opening_scale(chart, moves)
    stated = [
        _payment(chart, moves, scale, traded, implied, gap, one, bar_of(chart, one.stamp)) for one in chart.dividends
    ]
    explained = {one.bar for one in stated} | {bar_of(chart, gain.stamp) for gain in chart.gains}
    explained |= {_next_known(moves, bar) for bar in explained}
    steps = [] if any(one.nonsense for one in stated) else _unexplained_steps(moves, implied, explained)
    unstated = [
        _payment(chart, moves, scale, traded, implied, gap, Dividend(chart.stamps[bar], amount, None), bar)
        for bar, amount in steps
    ]
    return Payments(tuple(stated), tuple(unstated))


def _payment(
    chart: Chart,
    moves: OwnMoves,
    scale: Floats,
    traded: NDArray[np.bool_],
    implied: Floats,
    gap: float,
    one: Dividend,
    bar: int,
) -> Payment:
    at = int(np.searchsorted(moves.bars, bar))
    if not 0 < at < len(moves.bars):
        return Payment(one, bar, np.nan, np.nan, 1.0, np.nan, 1.0, np.nan)
    before = float(np.exp(moves.logs[at - 1]))
    later = np.flatnonzero(traded[at : at + WAIT])
    move, usual = np.nan, 1.0
    if len(later):
        passed = int(later[0]) + 1
        move = float(moves.logs[at + passed - 1] - moves.logs[at - 1])
        usual = float(scale[at - 1 : at + passed - 1].max()) * float(np.sqrt(passed))
    amount = float(implied[at - 1])
    other = sum(gain.amount for gain in chart.gains if bar_of(chart, gain.stamp) == bar)
    nonsense = bool(amount < -STEP_GRAIN * before - 1e-12 or amount >= before) or amount == np.inf
    if other and abs(amount - other - one.amount) < abs(amount - one.amount):
        amount -= other
    first = chart.series["open"][moves.bars[at : at + 1]]
    opened = log(float(first[0]) / before) if is_price(first).all() and len(later) and not later[0] else np.nan
    return Payment(one, bar, before, move, usual, opened, gap, np.nan if nonsense else amount, nonsense)


def _implied(chart: Chart, moves: OwnMoves) -> Floats:
    """Per move: the dividend that the adjusted closes on both sides of it imply, in the unit of the prices."""
    if "adjclose" not in chart.series:
        return np.full(len(moves.moves), np.nan)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        close = np.exp(moves.logs)
        factor = chart.series["adjclose"][moves.bars] / close
        implied: Floats = (1 - factor[:-1] / factor[1:]) * close[:-1]
    return implied


def _traded(chart: Chart, moves: OwnMoves) -> NDArray[np.bool_]:
    """Per bar with a close: whether that is a price of its day, and not one carried forward."""
    moved = np.concatenate([[False], moves.moves != 0])
    traded: NDArray[np.bool_] = (chart.series["volume"][moves.bars] > 0) | moved
    return traded


def _next_known(moves: OwnMoves, bar: int) -> int:
    at = int(np.searchsorted(moves.bars, bar))
    return int(moves.bars[at]) if at < len(moves.bars) else bar


def _unexplained_steps(moves: OwnMoves, implied: Floats, explained: set[int]) -> list[tuple[int, float]]:
    """Bar and amount of each step of the adjusted close that stands on no dividend's date and is none of rounding."""
    before = np.exp(moves.logs[:-1])
    with np.errstate(invalid="ignore"):
        share = implied / before
    known = share[np.isfinite(share)]
    if not len(known) or (known < -STEP_GRAIN).any() or (known >= 1).any():
        return []  # adjusted closes that rise and fall are no witness
    rough = max(STEP_GRAIN, 10 * float(np.median(np.abs(known))))
    found = np.flatnonzero(np.isfinite(share) & (share > rough))
    into = moves.bars[1:]
    return [(int(into[at]), float(implied[at])) for at in found if int(into[at]) not in explained]
