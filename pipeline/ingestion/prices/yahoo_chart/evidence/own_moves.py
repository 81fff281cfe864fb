"""What a ticker's own moves and volumes are like, and how much better one reading of prices fits them than another.

Moves are logarithms of ratios of closes. They are taken to follow Student's t with three degrees of freedom, whose
heavy tails fit daily returns, on a robust scale: two readings with residuals r and s differ in log-likelihood by
2 log((1 + r^2 / 3) / (1 + s^2 / 3)).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from pipeline.ingestion.prices.yahoo_chart.parse_chart import Chart, Floats

Numbers = NDArray[np.int64]

DAY = 86_400
PRICE_BOUNDS = (1e-9, 1e12)
"""What lies outside is no price, in any currency."""
QUANTILES = ((0.5, 0.6745), (0.8, 1.2816), (0.9, 1.6449))
"""Share of the moves and the normal deviate it stays below; names that seldom trade need the later ones."""
LONG = 40
"""Moves from which the last quantile is taken: in a shorter series a few errors reach it."""
USUAL_MOVE, USUAL_MOVES = 0.02, 2
"""A share's usual daily move, and how many moves of its own it counts for."""
T_DENSITY = 0.3676
"""Student's t with three degrees of freedom, at 0."""
NEWS, NEWS_SIZE = 0.005, 0.15
"""Share of the bars in which news makes a price jump, and the mean size of the logarithm of such a jump."""
NEARBY = 11
"""Moves within which the scale of a wild time is measured."""
VOLUME_BARS, USUAL_VOLUME = 20, 0.5
"""Bars on each side whose volumes are compared; usual scatter of a volume's logarithm."""
MOST_OF_VOLUME = 6.0


@dataclass(frozen=True)
class OwnMoves:
    """The moves between the bars that have a close."""

    bars: Numbers
    """Numbers of the bars with a close, in order."""
    logs: Floats
    """Logarithm of each one's close."""
    moves: Floats
    """From each to the next."""
    overnight: NDArray[np.bool_]
    """Per move: whether it leads into another day; intraday it is measured apart from the others."""

    def scale(self, factor: float = 1.0) -> Floats:
        """Per move, the usual size of a move there; a step of `factor` up or down is not counted as one."""
        step = abs(np.log(factor))
        size = np.abs(self.moves)
        if step > 0:
            size = np.minimum(size, np.abs(size - step))
        scale = np.empty(len(size))
        for kind in (self.overnight, ~self.overnight):
            scale[kind] = _usual(size[kind])
        return np.maximum(scale, _nearby(size))


def is_price(values: Floats) -> NDArray[np.bool_]:
    """Where a value can be a price at all."""
    low, high = PRICE_BOUNDS
    with np.errstate(invalid="ignore"):
        priced: NDArray[np.bool_] = (values > low) & (values < high)
    return priced


def own_moves(chart: Chart) -> OwnMoves:
    """The moves of a chart's closes."""
    close = chart.series["close"]
    bars = np.flatnonzero(is_price(close))
    logs = np.log(close[bars])
    return OwnMoves(bars, logs, np.diff(logs), _overnight(chart, bars))


def _overnight(chart: Chart, bars: Numbers) -> NDArray[np.bool_]:
    stamps = np.array(chart.stamps, dtype=np.int64)
    if len(stamps) < 3 or float(np.median(np.diff(stamps))) >= DAY / 2:
        return np.zeros(max(len(bars) - 1, 0), dtype=bool)
    days = np.array([day.toordinal() for day in chart.days])
    overnight: NDArray[np.bool_] = np.diff(days[bars]) > 0
    return overnight


def opening_scale(chart: Chart, moves: OwnMoves) -> float:
    """The usual size of the step from a close to the next open; over night, if the bars are shorter than a day."""
    opened = chart.series["open"][moves.bars[1:]]
    taken = is_price(opened) & (moves.overnight if moves.overnight.any() else True)
    return _usual(np.abs(np.log(opened[taken]) - moves.logs[:-1][taken]))


def log_odds(stated: Floats | float, other: Floats | float, scale: Floats | float) -> Floats:
    """By how much the other reading explains a move better, from what each leaves unexplained of it."""
    first, second = np.square(np.divide(stated, scale)), np.square(np.divide(other, scale))
    odds: Floats = 2 * np.log((1 + first / 3) / (1 + second / 3))
    return odds


def step_odds(jumps: Floats, factor: float, scale: Floats) -> float:
    """By how much steps speak for a factor that prices are off by, and not for moves of the price itself.

    Against the factor stand the tail of the usual moves and, rare and wide, the jumps that news makes.
    """
    sizes = np.abs(jumps)
    by_factor = np.log(T_DENSITY / scale) - log_odds(sizes - abs(np.log(factor)), 0.0, scale)
    by_moves = np.log(T_DENSITY / scale) - log_odds(sizes, 0.0, scale)
    by_news = np.log(NEWS / (2 * NEWS_SIZE)) - sizes / NEWS_SIZE
    return float((by_factor - np.logaddexp(by_moves, by_news)).sum())


def volume_odds(chart: Chart, run: NDArray[np.bool_], factor: float) -> float:
    """By how much the volumes speak for prices `factor` times too high in the run; 0 where they cannot tell.

    Shares that a split was not applied to are fewer by as much as their prices are higher.
    """
    volume = chart.series["volume"]
    traded = np.isfinite(volume) & (volume > 0)
    edges = np.flatnonzero(np.diff(run.astype(np.int8)))
    if not len(edges):
        return 0.0
    near = np.zeros(len(run), dtype=bool)
    for edge in edges:
        near[max(edge + 1 - VOLUME_BARS, 0) : edge + 1 + VOLUME_BARS] = True
    inside, outside = np.log(volume[traded & near & run]), np.log(volume[traded & near & ~run])
    if not len(inside) or not len(outside):
        return 0.0
    step = float(np.median(inside) - np.median(outside))
    apart = np.concatenate([inside - np.median(inside), outside - np.median(outside)])
    scatter = np.hypot(_robust(np.abs(apart)) * np.sqrt(len(apart)), USUAL_VOLUME * np.sqrt(2)) / np.sqrt(
        len(apart) + 2
    )
    # neighbouring volumes resemble each other: half of them count
    doubt = 1.25 * scatter * np.sqrt(2 / len(inside) + 2 / len(outside))
    odds = float(log_odds(step, step + np.log(factor), doubt))
    return max(-MOST_OF_VOLUME, min(MOST_OF_VOLUME, odds))


def _usual(size: Floats) -> float:
    known = len(size)
    square = known * _robust(size) ** 2 + USUAL_MOVES * USUAL_MOVE**2
    return float(np.sqrt(square / (known + USUAL_MOVES)))


def _robust(size: Floats) -> float:
    if not len(size):
        return 0.0
    quantiles = QUANTILES if len(size) >= LONG else QUANTILES[:2]
    found = np.quantile(size, [share for share, _ in quantiles])
    seldom = size[size > 0]
    rare = float(np.median(seldom) * np.sqrt(len(seldom) / len(size))) if len(seldom) else 0.0
    return max(rare, *(float(value / deviate) for value, (_, deviate) in zip(found, quantiles, strict=True)))


def _nearby(size: Floats) -> Floats:
    if len(size) < NEARBY:
        return np.zeros(len(size))
    padded = np.pad(size, NEARBY // 2, mode="reflect")
    middle: Floats = np.median(sliding_window_view(padded, NEARBY), axis=1) / QUANTILES[0][1]
    return middle


def is_long(chart: Chart) -> bool:
    """Whether its bars are longer than a day."""
    gaps = [later - earlier for earlier, later in pairwise(chart.stamps[-8:])]
    return bool(gaps) and median(gaps) >= 5 * DAY


def bar_of(chart: Chart, stamp: int) -> int:
    """The bar that an event of this time falls into; of bars longer than a day the one that has begun before."""
    first = chart.first_from(stamp)
    exact = first < len(chart.days) and chart.days[first] == chart.day(stamp)
    return max(first - 1, 0) if not exact and is_long(chart) else first
