"""What a ticker's other dividends say about one: its usual amount, its usual distance, and how amounts are declared."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from math import log
from statistics import median

import numpy as np

from pipeline.ingestion.prices.yahoo_chart.evidence.own_moves import log_odds

NEIGHBOURS = 3
"""Payments on each side that are asked."""
LIKE_OTHERS = 0.35
"""Usual scatter of the logarithm of a ticker's dividends."""
USUAL_YIELD, YIELDS = 0.008, 1.2
"""Middle and scatter of the logarithm of single dividends as a share of the price, over many companies."""
MOST = 5.0
"""Log-odds; no history says more."""
CLOSE_DAYS, AS_CLOSE = 5.0, 4
"""Days (three sessions), and the share of the usual distance, within which two payments are close."""


def usual_amount(amounts: Sequence[float], number: int, passed_over: frozenset[int]) -> float:
    """The middle of the nearest other amounts; NaN if there are none."""
    outwards = (at for away in range(1, len(amounts)) for at in (number - away, number + away))
    others = (amounts[at] for at in outwards if 0 <= at < len(amounts) and at not in passed_over)
    nearest = list(islice(others, 2 * NEIGHBOURS))
    return median(nearest) if nearest else np.nan


def odds_by_amounts(usual: float, stated: float, other: float) -> float:
    """By how much the usual amount speaks for the other reading; 0 without one."""
    if not usual > 0 or stated <= 0 or other <= 0:
        return 0.0
    odds = float(log_odds(log(stated / usual), log(other / usual), LIKE_OTHERS))
    return max(-MOST, min(MOST, odds))


def odds_by_yield(before: float, stated: float, other: float) -> float:
    """By how much the yields that dividends have speak for the other reading."""
    if not before > 0 or stated <= 0 or other <= 0:
        return 0.0
    first, second = (log(amount / before / USUAL_YIELD) / YIELDS for amount in (stated, other))
    return max(-MOST, min(MOST, (first**2 - second**2) / 2))


def has_decimals(amount: float, most: int) -> bool:
    """Whether an amount has no more decimals than these."""
    units = amount * 10.0**most
    return abs(units - round(units)) < 1e-4 * max(1.0, amount)


def is_round(amount: float) -> bool:
    """Whether an amount has at most four significant digits, as declared ones have and converted ones have not."""
    return amount > 0 and abs(float(f"{amount:.3e}") / amount - 1) < 1e-6


def are_close(days: Sequence[float], number: int) -> bool:
    """Whether a payment and the next one lie closer than its distance to the others on both sides lets expect."""
    gap = days[number + 1] - days[number]
    around = [days[number] - days[number - 1]] if number else []
    around += [days[number + 2] - days[number + 1]] if number + 2 < len(days) else []
    return gap <= (min(around) / AS_CLOSE if around else CLOSE_DAYS)


def odds_by_dates(days: Sequence[float], number: int, other: float) -> float:
    """By how much the usual distance of the payments speaks for another date of one; 0 where none is known."""
    gaps = np.diff([day for at, day in enumerate(days) if at != number])
    if len(gaps) < NEIGHBOURS:
        return 0.0
    usual = float(np.median(gaps))
    nearest = min(
        (day for at, day in enumerate(days) if at != number), key=lambda day: abs(abs(day - days[number]) - usual)
    )
    off = [abs(abs(day - nearest) - usual) / (0.03 * usual + 1) for day in (days[number], other)]
    return max(-MOST, min(MOST, float(log_odds(off[0], off[1], 1.0))))
