"""The earlier way to judge a chart, kept for landings whose request states no judgement; nothing new uses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import log
from statistics import median

import numpy as np

from pipeline.ingestion.prices.yahoo_chart.findings import (
    DIVIDEND_ADJUSTED,
    DIVIDEND_CURRENCY,
    DIVIDEND_FELT,
    DIVIDEND_ONCE,
    DIVIDEND_UNIT,
    ONE_UNIT,
    SPLIT_APPLIED,
    DividendFinding,
    Findings,
)
from pipeline.ingestion.prices.yahoo_chart.parse_chart import MINOR_UNITS, SUBDIVIDED, Chart, Dividend, Floats

HUNDRED = 100.0
TRUSTED = 3
"""Bars that the last stretch of equal scale needs to be what the others are measured by; one bad last bar is not."""
BEFORE_SPLIT, AFTER_SPLIT = 20, 5
"""Bars around a split within which a vendor errs about it; a jump elsewhere has another reason."""
SMALLEST_YIELD = 0.0005
"""Of the price; a single dividend below this, where the currency has hundredths, was stated in the wrong unit."""
LARGE_YIELD, FELT = 0.10, 1 / 3
"""A dividend above this share of the price has to move it by at least this share of the dividend."""
ADJUSTED_WITHIN, PRICE_GRAIN = 0.10, 1e-4
"""Share of the dividend, and of the price, by which the adjusted close may miss it: vendors round."""
ALIKE, AS_CLOSE, CLOSE_DAYS = 0.15, 4, 4
"""Two dividends within 15 % of each other, a quarter of the usual distance apart (4 days where none is known), are
one."""


def check_as_before(chart: Chart) -> Findings:
    """Find the bars that are a split or a hundredfold off, and the dividends that the prices contradict."""
    rules: list[str | None] = [None] * len(chart.stamps)
    repaired = _in_one_unit(chart, rules)
    for split in chart.splits:
        repaired = _apply_split(repaired, split.stamp, float(split.ratio), rules)
    return Findings(tuple(rules), repaired, _dividend_findings(repaired))


# ---- prices


def _in_one_unit(chart: Chart, rules: list[str | None]) -> Chart:
    scale = _scale(chart.series["close"], HUNDRED, range(len(chart.stamps)), 1.6)
    return _rescale(chart, scale, rules, ONE_UNIT, volume=False)


def _apply_split(chart: Chart, stamp: int, ratio: float, rules: list[str | None]) -> Chart:
    """A bar that still is in the shares before the split is `ratio` times too high (low, for a reverse split)."""
    if ratio == 1 or abs(log(ratio)) < log(1.2):  # too near to an ordinary day's move to be told from one
        return chart
    ex = chart.first_from(stamp)
    near = range(max(ex - BEFORE_SPLIT, 0), min(ex + AFTER_SPLIT, len(chart.stamps)))
    scale = _scale(chart.series["close"], ratio, near, 1.05 * max(ratio, 1 / ratio) ** 0.15)
    return _rescale(chart, scale, rules, SPLIT_APPLIED, volume=True)


def _scale(close: Floats, factor: float, near: range, slack: float) -> Floats:
    """Per bar: how many times too high it is, a power of `factor`; 1 where nothing is wrong.

    A step of one factor between two closes, within `slack`, changes the scale. The last stretch that is long enough
    has scale 1: what comes last is what the vendor has got right by now.
    """
    known = np.flatnonzero(np.isfinite(close) & (close > 0))
    power = np.zeros(len(close))
    for before, after in pairwise(known.tolist()):
        moved = log(close[after] / close[before]) / log(factor)
        steps = round(moved) if after in near and abs(round(moved)) == 1 else 0
        off = abs(moved - steps) * abs(log(factor))
        power[after] = power[before] + (steps if off <= log(slack) else 0)
    if not len(known):
        return np.ones(len(close))
    power = np.interp(
        np.arange(len(close)), known, power[known]
    ).round()  # bars without a close go with their neighbour
    ends = [*np.flatnonzero(np.diff(power)).tolist(), len(power) - 1]
    lengths = np.diff([-1, *ends])
    trusted = next(
        (end for end, bars in zip(reversed(ends), reversed(lengths), strict=True) if bars >= TRUSTED), ends[-1]
    )
    scale: Floats = factor ** (power - power[trusted])
    return scale


def _rescale(chart: Chart, scale: Floats, rules: list[str | None], rule: str, *, volume: bool) -> Chart:
    wrong = scale != 1
    if not wrong.any():
        return chart
    for bar in np.flatnonzero(wrong).tolist():
        rules[bar] = rules[bar] or rule
    series = {
        name: np.where(wrong, values / scale, values) for name, values in chart.series.items() if name != "volume"
    }
    shares = chart.series["volume"]
    series["volume"] = np.where(wrong, (shares * scale).round(), shares) if volume else shares
    return replace(chart, series=series)


# ---- dividends


@dataclass(frozen=True)
class _Payment:
    """A dividend beside the prices around it, all in the vendor's unit."""

    dividend: Dividend
    amount: float
    rule: str | None
    before: float
    """Last close before the ex-date; NaN if there is none."""
    fall: float
    """By how much the close of the ex-date lies below it."""
    implied: float
    """The dividend that the adjusted closes imply; NaN where they are missing."""


def _dividend_findings(chart: Chart) -> tuple[DividendFinding, ...]:
    payments = [_in_unit(_payment_of(chart, dividend), chart.unit) for dividend in chart.dividends]
    twice = _find_repeats(payments)
    return tuple(_finding(chart, payment, repeated=number in twice) for number, payment in enumerate(payments))


def _finding(chart: Chart, payment: _Payment, *, repeated: bool) -> DividendFinding:
    stated = payment.dividend
    if stated.currency is not None and MINOR_UNITS.get(stated.currency, stated.currency) != chart.currency:
        return DividendFinding(stated, DIVIDEND_CURRENCY, None)
    if repeated:
        return DividendFinding(stated, DIVIDEND_ONCE, None)
    if payment.rule is None and not _is_reflected(payment):
        return DividendFinding(stated, DIVIDEND_ADJUSTED, payment.amount)
    return DividendFinding(stated, payment.rule, payment.amount)


def _payment_of(chart: Chart, dividend: Dividend) -> _Payment:
    close = chart.series["close"]
    known = np.isfinite(close)
    ex = chart.first_from(dividend.stamp)
    earlier, later = np.flatnonzero(known[:ex]), np.flatnonzero(known[ex:]) + ex
    if not len(earlier) or not len(later):
        return _Payment(dividend, dividend.amount, None, np.nan, np.nan, np.nan)
    last, first = earlier[-1], later[0]
    implied = np.nan
    if "adjclose" in chart.series:
        adjusted = chart.series["adjclose"]
        implied = _implied_dividend(close[last], adjusted[last], close[first], adjusted[first])
    return _Payment(dividend, dividend.amount, None, float(close[last]), float(close[last] - close[first]), implied)


def _implied_dividend(close: float, adjusted: float, later_close: float, later_adjusted: float) -> float:
    """The dividend between two closes that their adjustments imply; NaN where a value is missing."""
    if not (close > 0 and later_close > 0 and np.isfinite(adjusted) and np.isfinite(later_adjusted) and later_adjusted):
        return np.nan
    return float((1 - (adjusted / close) / (later_adjusted / later_close)) * close)


def _in_unit(payment: _Payment, unit: str) -> _Payment:
    """Put right an amount that is a hundredfold off, by what the adjusted close says and what the price can bear."""
    amount, before, implied = payment.amount, payment.before, payment.implied
    if not before > 0:
        return payment
    subdivided = unit in SUBDIVIDED
    times = amount / implied if implied > 0 else np.nan
    believable = implied / before >= SMALLEST_YIELD
    if believable and _near(times, HUNDRED):
        return replace(payment, amount=amount / HUNDRED, rule=DIVIDEND_UNIT)
    if believable and _near(times, 1 / HUNDRED):
        return replace(payment, amount=amount * HUNDRED, rule=DIVIDEND_UNIT)
    if subdivided and amount / before < SMALLEST_YIELD:
        return replace(payment, amount=amount * HUNDRED, rule=DIVIDEND_UNIT)
    if amount / before > LARGE_YIELD and payment.fall < amount * FELT:
        return replace(payment, amount=amount / HUNDRED, rule=DIVIDEND_FELT)
    return payment


def _near(value: float, wanted: float) -> bool:
    return abs(value / wanted - 1) <= 0.01


def _is_reflected(payment: _Payment) -> bool:
    """Whether the adjusted closes imply the dividend; True where nothing can be said."""
    if not np.isfinite(payment.implied):
        return True
    return abs(payment.implied - payment.amount) <= payment.amount * ADJUSTED_WITHIN + payment.before * PRICE_GRAIN


def _find_repeats(payments: Sequence[_Payment]) -> set[int]:
    """The numbers of payments that are another one over again: of two, the one that moved the price less."""
    days = [payment.dividend.stamp / 86_400 for payment in payments]
    gaps = [later - earlier for earlier, later in pairwise(days)]
    close = median(gaps) / AS_CLOSE if len(gaps) > 1 else CLOSE_DAYS
    twice: set[int] = set()
    for number, gap in enumerate(gaps):
        one, other = payments[number], payments[number + 1]
        largest = max(one.amount, other.amount)
        if gap <= close and abs(one.amount - other.amount) <= ALIKE * largest:
            twice.add(number if not one.fall > other.fall else number + 1)
    return twice
