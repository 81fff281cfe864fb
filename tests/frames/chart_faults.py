"""Faults as vendors make them, planted in charts that are true: a kind, the chart before, the chart after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from pipeline.ingestion.prices.yahoo_chart.findings import (
    DIVIDEND_DATED,
    DIVIDEND_ONCE,
    DIVIDEND_STATED,
    DIVIDEND_UNIT,
    ONE_UNIT,
    SPLIT_APPLIED,
)
from pipeline.ingestion.prices.yahoo_chart.parse_chart import Chart, Dividend, Floats
from tests.frames.charts import Rng, Story, draw, payer, walk

SPLITS = (*(Fraction(n) for n in (2, 3, 4, 5, 7, 10, 20, 50)), *(Fraction(1, n) for n in (2, 3, 4, 5, 8, 10, 20, 50)))
SUBDIVIDED = ("GBp", "GBP", "ZAc", "ZAR", "ILA", "ILS")
DAILY, WEEKLY, HOURLY = "1d", "1wk", "1h"


@dataclass(frozen=True)
class Planted:
    """One fault."""

    rule: str
    """The rule that is broken."""
    true: Chart
    faulty: Chart
    bars: frozenset[int] = frozenset()
    """The bars that were changed."""


def plant(kind: str, rng: Rng) -> Planted:
    """A chart of its own with one fault of this kind."""
    return FAULTS[kind](rng)


def _scaled(chart: Chart, off: Floats, volume: Floats | None = None) -> Chart:
    """The chart with prices too high by `off`, and volumes multiplied."""
    # as the vendor has them, in seven digits
    series = {name: (values * off).astype(np.float32).astype(float) for name, values in chart.series.items()}
    shares = chart.series["volume"]
    return replace(chart, series=series | {"volume": shares if volume is None else np.round(shares * volume)})


def _planted_bars(rule: str, true: Chart, off: Floats, volume: Floats | None = None) -> Planted:
    bars = frozenset(np.flatnonzero(off != 1).tolist())
    return Planted(rule, true, _scaled(true, off, volume), bars)


# ---- prices


def _block(count: int, rng: Rng) -> tuple[int, int]:
    """A stretch that ends some bars before the chart does."""
    first = int(rng.integers(1, count - 40))
    return first, first + int(rng.choice([1, 1, 2, int(rng.integers(3, 30))]))


def _hundredfold(spacing: str) -> Callable[[Rng], Planted]:
    def of(rng: Rng) -> Planted:
        true = draw(_story(rng, spacing), rng)
        first, last = _block(len(true.stamps), rng)
        off = np.ones(len(true.stamps))
        off[first:last] = rng.choice([100.0, 0.01])
        return _planted_bars(ONE_UNIT, true, off)

    return of


def _subunit_until(spacing: str) -> Callable[[Rng], Planted]:
    """From the first bar to some day the prices are in the other unit of the currency."""

    def of(rng: Rng) -> Planted:
        true = draw(_story(rng, spacing, unit=str(rng.choice(SUBDIVIDED))), rng)
        off = np.ones(len(true.stamps))
        off[: int(rng.integers(1, len(off) - 10))] = rng.choice([100.0, 0.01])
        return _planted_bars(ONE_UNIT, true, off)

    return of


def _single_price(rng: Rng) -> Planted:
    true = draw(_story(rng, DAILY), rng)
    bar, name = int(rng.integers(2, 490)), str(rng.choice(["open", "high", "low"]))
    values = true.series[name].copy()
    values[bar] *= 0.01 if name == "low" else 100.0 if name == "high" else rng.choice([0.01, 100])
    return Planted(ONE_UNIT, true, replace(true, series=true.series | {name: values}), frozenset([bar]))


def _split_until(spacing: str, *, twice: bool) -> Callable[[Rng], Planted]:
    """From the first bar to the split, or a day before, the split is not applied, or is applied twice."""

    def of(rng: Rng) -> Planted:
        true = _with_split(rng, spacing)
        ex = true.first_from(true.splits[0].stamp)
        off = np.ones(len(true.stamps))
        off[: ex - int(rng.integers(0, 2))] = float(true.splits[0].ratio) ** (-1 if twice else 1)
        return _planted_bars(SPLIT_APPLIED, true, off, 1 / off)

    return of


def _split_days_early(rng: Rng) -> Planted:
    """The vendor switched several days before the split: rightly told only by the volumes."""
    true = _with_split(rng, DAILY)
    ex = true.first_from(true.splits[0].stamp)
    off = np.ones(len(true.stamps))
    off[: ex - int(rng.integers(2, 15))] = float(true.splits[0].ratio)
    return _planted_bars(SPLIT_APPLIED, true, off, 1 / off)


def _split_block(rng: Rng) -> Planted:
    """A few bars beside the split are in the shares of the other side."""
    true = _with_split(rng, DAILY)
    ex = true.first_from(true.splits[0].stamp)
    first = ex + int(rng.integers(-15, 3))
    off = np.ones(len(true.stamps))
    off[first : first + int(rng.integers(1, 3))] = float(true.splits[0].ratio) ** int(rng.choice([-1, 1]))
    return _planted_bars(SPLIT_APPLIED, true, off, 1 / off)


def _mixed_week(rule: str) -> Callable[[Rng], Planted]:
    """A week in which the vendor went over: its first price, and its highest, are still off, and all before."""

    def of(rng: Rng) -> Planted:
        if rule == ONE_UNIT:
            true = draw(_story(rng, WEEKLY, unit=str(rng.choice(SUBDIVIDED))), rng)
            bar, factor = int(rng.integers(10, 480)), 100.0
        else:
            true = _with_split(rng, WEEKLY)
            bar, factor = true.first_from(true.splits[0].stamp), float(true.splits[0].ratio)
        off = np.where(np.arange(len(true.stamps)) < bar, factor, 1.0)
        faulty = _scaled(true, off, 1 / off if rule == SPLIT_APPLIED else None)
        for name in ("open", "high" if factor > 1 else "low"):
            values = faulty.series[name].copy()
            values[bar] *= factor
            faulty = replace(faulty, series=faulty.series | {name: values})
        return Planted(rule, true, faulty, frozenset(range(bar + 1)))

    return of


def _with_split(rng: Rng, spacing: str) -> Chart:
    bar = int(rng.integers(60, 440)) // 7 * 7
    return draw(_story(rng, spacing, splits={bar: SPLITS[rng.integers(len(SPLITS))]}), rng)


def _story(rng: Rng, spacing: str, **changes: object) -> Story:
    story = replace(payer(rng, every=140 if spacing == HOURLY else 70), spacing=spacing, **changes)  # type: ignore[arg-type]
    if spacing == HOURLY:
        story.dividends = {bar // 7 * 7: share for bar, share in story.dividends.items() if bar >= 7}
        story.moves = story.moves / 2.5
    return story


# ---- dividends


def _dividend_story(rng: Rng, spacing: str = DAILY, **changes: object) -> Chart:
    story = _story(rng, spacing, moves=walk(rng, 500, 0.006, 0.02), **changes)
    share = rng.uniform(0.004, 0.025)
    story.dividends = {bar: share * rng.uniform(0.85, 1.18) for bar in story.dividends}
    return draw(story, rng)


def _dividend_unit(spacing: str, *, too_large: bool, repeated: bool) -> Callable[[Rng], Planted]:
    """One dividend, or all, a hundred times too large or small; the adjusted closes may repeat it."""

    def of(rng: Rng) -> Planted:
        unit = str(rng.choice(SUBDIVIDED if repeated and not too_large else (*SUBDIVIDED, "USD", "EUR")))
        true = _dividend_story(rng, spacing, unit=unit)
        count = len(true.dividends)
        wrong = {int(rng.integers(count))} if repeated or rng.random() < 0.5 else set(range(count))
        factor = 100.0 if too_large else 0.01
        paid = tuple(
            replace(one, amount=one.amount * factor) if at in wrong else one for at, one in enumerate(true.dividends)
        )
        faulty = replace(true, dividends=paid)
        return Planted(DIVIDEND_UNIT, true, _adjusted_again(faulty) if repeated else faulty)

    return of


def _doubled(spacing: str) -> Callable[[Rng], Planted]:
    def of(rng: Rng) -> Planted:
        true = _dividend_story(rng, spacing)
        one = true.dividends[int(rng.integers(len(true.dividends)))]
        near = [-1, 1] if spacing != DAILY else [-3, -2, -1, 1, 2, 3]
        bar = true.first_from(one.stamp) + int(rng.choice(near)) * (7 if spacing == HOURLY else 1)
        again = Dividend(true.stamps[bar], one.amount, None)
        paid = tuple(sorted((*true.dividends, again), key=lambda each: each.stamp))
        faulty = replace(true, dividends=paid)
        return Planted(DIVIDEND_ONCE, true, _adjusted_again(faulty) if rng.random() < 0.5 else faulty)

    return of


def _missing(spacing: str) -> Callable[[Rng], Planted]:
    def of(rng: Rng) -> Planted:
        true = _dividend_story(rng, spacing)
        gone = int(rng.integers(len(true.dividends)))
        paid = tuple(one for at, one in enumerate(true.dividends) if at != gone)
        return Planted(DIVIDEND_STATED, true, replace(true, dividends=paid))

    return of


def _wrong_date(spacing: str) -> Callable[[Rng], Planted]:
    def of(rng: Rng) -> Planted:
        true = _dividend_story(rng, spacing)
        at = int(rng.integers(len(true.dividends)))
        bar = true.first_from(true.dividends[at].stamp)
        steps = (
            int(rng.integers(2, 20)) if spacing == DAILY else int(rng.integers(1, 5)) * (7 if spacing == HOURLY else 1)
        )
        other = bar + steps if bar + steps < len(true.stamps) - 1 else bar - steps
        moved = replace(true.dividends[at], stamp=true.stamps[other])
        paid = sorted((*true.dividends[:at], moved, *true.dividends[at + 1 :]), key=lambda one: one.stamp)
        return Planted(DIVIDEND_DATED, true, replace(true, dividends=tuple(paid)))

    return of


def _adjusted_again(chart: Chart) -> Chart:
    """The adjusted closes that a vendor computes from the dividends as it states them."""
    close = chart.series["close"]
    adjusted = close.copy()
    for one in chart.dividends:
        bar = chart.first_from(one.stamp)
        adjusted[:bar] *= 1 - one.amount / close[bar - 1]
    return replace(chart, series=chart.series | {"adjclose": np.round(adjusted, 6)})


FAULTS: dict[str, Callable[[Rng], Planted]] = {
    "prices a hundredfold": _hundredfold(DAILY),
    "one price of a bar a hundredfold": _single_price,
    "prices in the subunit until a day": _subunit_until(DAILY),
    "split not applied": _split_until(DAILY, twice=False),
    "split applied twice": _split_until(DAILY, twice=True),
    "split not applied, days early": _split_days_early,
    "split in a few bars": _split_block,
    "dividend unit too large": _dividend_unit(DAILY, too_large=True, repeated=False),
    "dividend unit too small": _dividend_unit(DAILY, too_large=False, repeated=False),
    "dividend unit too large, adjusted so": _dividend_unit(DAILY, too_large=True, repeated=True),
    "dividend unit too small, adjusted so": _dividend_unit(DAILY, too_large=False, repeated=True),
    "dividend doubled": _doubled(DAILY),
    "dividend missing": _missing(DAILY),
    "dividend on a wrong date": _wrong_date(DAILY),
    "weekly: prices a hundredfold": _hundredfold(WEEKLY),
    "weekly: subunit until a day": _subunit_until(WEEKLY),
    "weekly: split not applied": _split_until(WEEKLY, twice=False),
    "weekly: split applied twice": _split_until(WEEKLY, twice=True),
    "weekly: split inside a week": _mixed_week(SPLIT_APPLIED),
    "weekly: subunit inside a week": _mixed_week(ONE_UNIT),
    "weekly: dividend unit": _dividend_unit(WEEKLY, too_large=True, repeated=False),
    "weekly: dividend missing": _missing(WEEKLY),
    "hourly: prices a hundredfold": _hundredfold(HOURLY),
    "hourly: split not applied": _split_until(HOURLY, twice=False),
    "hourly: dividend unit": _dividend_unit(HOURLY, too_large=True, repeated=False),
    "hourly: dividend doubled": _doubled(HOURLY),
    "hourly: dividend on a wrong date": _wrong_date(HOURLY),
}
"""Kind -> what plants it."""
