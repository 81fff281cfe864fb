"""Finds the bars whose prices stand a split or a unit of the currency too high or too low, and says how sure that is.

A stretch of bars is off by a factor where the closes step by it and back, or step once and stay right to the end. The
step is weighed against the ticker's own moves; the place of the split and the volumes are further witnesses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import log

import numpy as np
from numpy.typing import NDArray

from pipeline.ingestion.prices.yahoo_chart.evidence.own_moves import (
    Numbers,
    OwnMoves,
    bar_of,
    is_long,
    is_price,
    own_moves,
    step_odds,
    volume_odds,
)
from pipeline.ingestion.prices.yahoo_chart.findings import ONE_UNIT, SPLIT_APPLIED
from pipeline.ingestion.prices.yahoo_chart.parse_chart import PRICES, SUBDIVIDED, Chart, Floats, Split

TRUSTED = 3
"""Bars that the last stretch of equal scale needs to be what the others are measured by; one bad last bar is not."""
BEFORE_SPLIT, AFTER_SPLIT = 20, 5
"""Bars around a split within which a vendor errs about it; a jump elsewhere has another reason."""
SMALLEST_RATIO = 1.2
"""A split nearer to 1 cannot be told from an ordinary day's move."""
UNLIKE, WITHIN, SMALLEST_SHARE, UNIT_SHARE = 4.0, 8.0, 0.25, 0.1
"""Usual moves that a step has to be at least, and by how many it may miss a split; in any case by less than the first
share of its logarithm. A unit's may miss it by the second share, whatever the moves are."""
THOUSANDTHS = frozenset({"KWD", "KWF", "BHD", "OMR", "JOD", "TND", "IQD", "LYD"})
"""Currencies that are divided into a thousand."""
AT_SPLIT, NEAR_SPLIT = -3.0, -6.0
"""Log-odds, before any price is seen, that a vendor goes wrong just at a split's bar, and at another one near it."""
STEP_SEEN, SURE, POSSIBLE, AGAINST = 4.0, 6.0, 2.0, -2.0
"""Log-odds: of the prices alone for a step to count; of all together to repair, and to set aside; of the volumes to
speak against it."""
BY_VOLUMES, EXACT = 3.0, 1e-4
"""What the volumes have to say, or how exactly a step has to be the factor, where prices step once and not at the
split: a rally looks the same."""
STARK = 8.0
"""Log-odds of the prices that are set aside, and not passed over, where the volumes speak against them."""


@dataclass(frozen=True)
class Levels:
    """The prices on one level."""

    rules: tuple[str | None, ...]
    sure: Chart
    """The chart with what is certain put right."""
    possible: Chart
    """With what may be wrong put right as well."""
    undecided: frozenset[int]
    """Bars for which both readings are possible; the charts differ in them."""


@dataclass(frozen=True)
class _Suspicion:
    """A factor by which prices may be off, and where."""

    factor: float
    rule: str
    first: int
    """Bars from this one on."""
    last: int
    """Up to and without this one."""
    ex: int | None
    """The split's bar."""
    volume: bool
    """Whether the volumes are off the other way."""


@dataclass(frozen=True)
class _Run:
    """Bars that stand off by one and the same power of the factor."""

    bars: NDArray[np.bool_]
    factor: float
    edges: tuple[int, ...]
    """Numbers of the moves that lead into it and out of it."""


def judge_levels(chart: Chart) -> Levels:
    """Put the prices on one level: first the unit, then each split."""
    rules: list[str | None] = [None] * len(chart.stamps)
    doubts: list[tuple[_Suspicion, Floats]] = []
    for step in _suspicions(chart):
        sure, possible = _judge_step(chart, step)
        chart = _rescale(chart, sure, step, rules)
        if (possible != 1).any():
            doubts.append((step, possible))
    other, undecided = chart, set[int]()
    for step, possible in doubts:
        before = list(rules)
        other = _rescale(other, possible, step, rules)
        undecided.update(bar for bar, rule in enumerate(rules) if possible[bar] != 1 or rule != before[bar])
    return Levels(tuple(rules), chart, other, frozenset(undecided))


def splits_in_doubt(chart: Chart) -> tuple[Split, ...]:
    """The splits near which the closes still step by the ratio, so that prices before may not be on today's basis.

    Neither a repair nor a doubt of the bars came of such a step, but what else rests on the level cannot be certain.
    """
    moves = own_moves(chart)
    return tuple(
        split
        for split in chart.splits
        if (step := _suspect_split(chart, split)) and _find_steps(moves, moves.scale(step.factor), step).any()
    )


def unit_factors(unit: str) -> tuple[float, ...]:
    """By what a vendor mistakes the currency's subunit for the whole."""
    return (100.0, 1000.0) if unit in THOUSANDTHS else (100.0,)


def _suspicions(chart: Chart) -> Iterator[_Suspicion]:
    count = len(chart.stamps)
    for factor in unit_factors(chart.unit):
        yield _Suspicion(factor, ONE_UNIT, 0, count, None, volume=False)
    yield from filter(None, (_suspect_split(chart, split) for split in chart.splits))


def _suspect_split(chart: Chart, split: Split) -> _Suspicion | None:
    ratio = float(split.ratio)
    if abs(log(ratio)) < log(SMALLEST_RATIO) * 0.999:
        return None
    ex = bar_of(chart, split.stamp)
    first, last = max(ex - BEFORE_SPLIT, 0), min(ex + AFTER_SPLIT, len(chart.stamps))
    return _Suspicion(ratio, SPLIT_APPLIED, first, last, ex, volume=True)


def _judge_step(chart: Chart, step: _Suspicion) -> tuple[Floats, Floats]:
    """Per bar: what its prices certainly are too high by, and what they may be."""
    sure, possible = np.ones(len(chart.stamps)), np.ones(len(chart.stamps))
    moves = own_moves(chart)
    scale = moves.scale(step.factor)
    steps = _find_steps(moves, scale, step)
    while steps.any():
        runs = list(_runs(len(chart.stamps), moves, steps, step.factor))
        verdicts = [_weigh(chart, moves, scale, run, step) for run in runs]
        refused = {
            edge for run, verdict in zip(runs, verdicts, strict=True) if verdict < POSSIBLE for edge in run.edges
        }
        if not refused:
            for run, verdict in zip(runs, verdicts, strict=True):
                (sure if verdict >= SURE else possible)[run.bars] = run.factor
            break
        steps[list(refused)] = 0
    return sure, possible


def _find_steps(moves: OwnMoves, scale: Floats, step: _Suspicion) -> NDArray[np.int64]:
    """Per move: 1 up by the factor, -1 down by it, 0 for a move of its own."""
    size = log(step.factor)
    into = moves.bars[1:]
    steps = np.clip(np.rint(moves.moves / size), -1, 1).astype(np.int64)
    within_split = np.minimum(WITHIN * scale, SMALLEST_SHARE * abs(size))
    most = within_split if step.volume else np.full(len(scale), UNIT_SHARE * abs(size))
    steps[np.abs(moves.moves - steps * size) > most] = 0
    steps[np.abs(moves.moves) < UNLIKE * scale] = 0
    steps[(into < step.first) | (into >= step.last)] = 0
    return steps


def _runs(count: int, moves: OwnMoves, steps: NDArray[np.int64], factor: float) -> Iterator[_Run]:
    """The stretches that are off, measured by the last one that is long enough: what comes last is right by now."""
    power = np.concatenate([[0], np.cumsum(steps)])
    ends = np.append(np.flatnonzero(steps), len(power) - 1)
    starts = np.concatenate([[0], ends[:-1] + 1])
    trusted = next((end for start, end in zip(starts[::-1], ends[::-1], strict=True) if end - start + 1 >= TRUSTED), -1)
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        off = int(power[end] - power[trusted])
        if off:
            bars = np.zeros(count, dtype=bool)
            low = int(moves.bars[start]) if start else 0
            bars[low : int(moves.bars[end + 1]) if end + 1 < len(power) else count] = True
            edges = ([start - 1] if start else []) + ([end] if end + 1 < len(power) else [])
            yield _Run(bars, factor**off, tuple(edges))


def _weigh(chart: Chart, moves: OwnMoves, scale: Floats, run: _Run, step: _Suspicion) -> float:
    """Log-odds that the run is off; the sum of what prices, the split's place and the volumes say."""
    edges = list(run.edges)
    jumps = moves.moves[edges]
    by_prices = step_odds(jumps, step.factor, scale[edges])
    through = _are_traded_through(chart, moves, np.array(edges), jumps)
    # A bar that is longer than a day may hold days of both levels.
    if by_prices < STEP_SEEN or (not is_long(chart) and (len(edges) == 1 or step.volume) and through.any()):
        return 0.0
    if step.ex is None:
        exact = bool((np.abs(np.abs(jumps) - abs(log(step.factor))) <= UNLIKE * scale[edges]).all())
        return by_prices if len(edges) > 1 or (exact and _divides(chart, step.factor)) else POSSIBLE
    after = moves.bars[[edge + 1 for edge in edges]]
    place = AT_SPLIT if np.abs(after - step.ex).min() <= 1 else NEAR_SPLIT
    by_volumes = volume_odds(chart, run.bars, run.factor)
    if by_volumes < AGAINST:
        contested = by_prices >= STARK and (len(edges) > 1 or place == AT_SPLIT)
        return POSSIBLE if contested else 0.0
    total = by_prices + place + by_volumes
    if len(edges) > 1 and through.all():  # a fall and a rise that happen to be the factor look the same
        return min(total, POSSIBLE)
    if len(edges) == 1 and place != AT_SPLIT and by_volumes < BY_VOLUMES and not _is_exact(jumps, step.factor):
        return min(total, POSSIBLE)
    return total


def _are_traded_through(chart: Chart, moves: OwnMoves, edges: Numbers, jumps: Floats) -> NDArray[np.bool_]:
    """Per step, whether its bar opens nearer to the level before and then moves: as prices do, and no vendor errs."""
    with np.errstate(divide="ignore", invalid="ignore"):
        opened = np.log(chart.series["open"][moves.bars[edges + 1]]) - moves.logs[edges]
    through: NDArray[np.bool_] = np.abs(opened) < np.abs(jumps) / 2
    return through


def _is_exact(jumps: Floats, factor: float) -> bool:
    """Whether a step is the factor to the last digit: the price did nothing else, as of a name that seldom trades."""
    return bool((np.abs(np.abs(jumps) - abs(log(factor))) < EXACT).all())


def _divides(chart: Chart, factor: float) -> bool:
    """Whether the vendor may take a part of this currency for the whole."""
    return chart.unit in SUBDIVIDED or (factor == 1000 and chart.unit in THOUSANDTHS)


@np.errstate(divide="ignore", invalid="ignore", over="ignore")  # what is no price stays none
def _rescale(chart: Chart, scaled: Floats, step: _Suspicion, rules: list[str | None]) -> Chart:
    series = {name: values / scaled for name, values in chart.series.items() if name != "volume"}
    wrong = scaled != 1
    for name, off in _cells(chart, series, step):
        series[name] = series[name] / off
        # a price that stands as stated in a bar that was rescaled was right
        wrong = wrong | ((off != 1) & (np.abs(scaled / off - 1) > 1e-9))
    if not wrong.any():
        return chart
    for bar in np.flatnonzero(wrong).tolist():
        rules[bar] = rules[bar] or step.rule
    shares = chart.series["volume"]
    series["volume"] = np.where(scaled != 1, (shares * scaled).round(), shares) if step.volume else shares
    for name in series:
        series[name] = np.where(wrong, series[name], chart.series[name])
    return replace(chart, series=series)


def _cells(chart: Chart, series: dict[str, Floats], step: _Suspicion) -> Sequence[tuple[str, Floats]]:
    """Single prices of a bar that are off by the factor although its close is right: per name, what each is off by.

    The close of the bar and the one before are the witnesses: it has to be off from both by the same factor, and by
    more than the bars usually range.
    """
    size = log(step.factor)
    close, count = np.where(is_price(series["close"]), series["close"], np.nan), len(chart.stamps)
    at = np.arange(count)
    near = (at >= step.first) & (at < step.last)
    if step.ex is not None:
        near &= (np.abs(at - step.ex) <= 2) | (np.abs(np.append(np.diff(chart.series["close"] / close), 0.0)) > 1e-9)
    earlier = np.concatenate([close[:1], close[:-1]])
    ranges = np.abs(np.log(series["high"] / series["low"]))
    usual = float(np.nanmedian(ranges)) if np.isfinite(ranges).any() else 0.0
    found = []
    for name in PRICES[:3]:
        apart = np.stack([np.log(series[name] / close), np.log(series[name] / earlier)])
        off = np.clip(np.rint(apart[0] / size), -1, 1)
        doubt = np.abs(apart - off * size).max(axis=0)
        off[~(near & (doubt < SMALLEST_SHARE * abs(size)) & (np.abs(apart).min(axis=0) > 6 * usual))] = 0
        found.append((name, np.where(off == 0, 1.0, step.factor**off)))
    if "adjclose" in series:
        found.append(("adjclose", _adjusted_off(series, step, near)))
    return found


def _adjusted_off(series: dict[str, Floats], step: _Suspicion, near: NDArray[np.bool_]) -> Floats:
    """What the adjusted close is off by, measured by the ratio to its close of the bars around."""
    ratio = np.log(series["adjclose"] / series["close"])
    known = np.flatnonzero(np.isfinite(ratio))
    off = np.zeros(len(ratio))
    if len(known) > 2:
        middle = np.median(np.stack([np.roll(ratio[known], 1), ratio[known], np.roll(ratio[known], -1)]), axis=0)
        middle[[0, -1]] = ratio[known][[1, -2]]
        apart = (ratio[known] - middle) / log(step.factor)
        one = np.rint(apart)
        off[known] = np.where((np.abs(one) == 1) & (np.abs(apart - one) < 0.1) & near[known], one, 0)
    return np.where(off == 0, 1.0, step.factor**off)
