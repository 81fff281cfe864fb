"""The way of the book and of what it is compared with through a span of sessions, beside one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate, pairwise

from pipeline.reading.report.span import Span


@dataclass(frozen=True)
class Track:
    """One portfolio's way through n sessions."""

    name: str
    levels: tuple[float, ...]
    """What it was worth, in currency: before the first session and after each, n + 1 values."""
    returns: tuple[float, ...]
    """Its return in each session, as fractions; what the book learned later of past value is in none of them."""
    costs: float | None = None
    """What it paid for trades in these sessions, in currency; None where its trades are charged nothing."""

    @property
    def total(self) -> float:
        """What it is worth over what it was worth before the first session, less 1."""
        return change(self.levels[0], self.levels[-1])

    @property
    def growth(self) -> tuple[float, ...]:
        """The total up to each moment, n + 1 values from 0."""
        return tuple(change(self.levels[0], level) for level in self.levels)

    @property
    def drawdowns(self) -> tuple[float, ...]:
        """The fall from the highest point so far, 0 or less: n + 1 values of the compounded returns."""
        compounded = list(accumulate(self.returns, lambda level, gain: level * (1 + gain), initial=1.0))
        peaks = accumulate(compounded, max)
        return tuple(level / peak - 1 if peak > 0 else 0.0 for level, peak in zip(compounded, peaks, strict=True))

    @property
    def max_drawdown(self) -> float:
        """The deepest of these falls, as a positive fraction."""
        return -min(self.drawdowns)


BOOK, TOP_K, EQUAL_WEIGHT, BENCHMARK, CASH = "book", "top-k dropout", "equal weight", "benchmark", "cash"
_COLUMNS: dict[str, tuple[tuple[str, str | None], ...]] = {
    TOP_K: (("top_k", "top_k_cost"),),
    EQUAL_WEIGHT: (("equal_weight_net", "equal_weight_net_cost"), ("equal_weight", None)),
    BENCHMARK: (("benchmark_net", "benchmark_net_cost"), ("benchmark", None)),
}
"""What the book is compared with -> the columns of its level and of the costs in it; where earlier programs wrote none,
of its level without costs."""


def read_tracks(span: Span) -> tuple[Track, ...]:
    """The book first, then each reference that there is in every session, after costs where they were charged."""
    capital = float(span.value["capital"][0])
    start = float((span.before or {"nav": capital})["nav"])
    nav = (start, *(float(value) for value in span.value["nav"]))
    paid = sum(float(span.paid(name)) for name in ("commission", "spread_cost", "impact_cost"))
    tracks = [Track(BOOK, nav, tuple(span.value["session_return"].to_list()), paid)]
    for name, columns in _COLUMNS.items():
        found = (_read(span, name, level, cost, capital) for level, cost in columns)
        tracks += [track for track in found if track is not None][:1]
    return tuple(tracks)


def read_cash(span: Span) -> Track:
    """The same money left in cash."""
    capital = float(span.value["capital"][0])
    return _read(span, CASH, "cash_alone", None, capital) or Track(
        CASH, (1.0,) * (span.value.height + 1), (0.0,) * span.value.height, 0.0
    )


def _read(span: Span, name: str, level: str, cost: str | None, capital: float) -> Track | None:
    before = span.before[level] if span.before else capital
    levels = (before, *span.value[level].to_list())
    if None in levels:
        return None
    costs = None if cost is None else span.value[cost][-1] - (span.before[cost] if span.before else 0.0)
    return Track(name, levels, tuple(change(*pair) for pair in pairwise(levels)), costs)


def change(earlier: float, later: float) -> float:
    """The return from one value to a later one; 0 where there was nothing to begin with."""
    return later / earlier - 1 if earlier else 0.0


@dataclass(frozen=True)
class PeriodReturns:
    """The returns of a month or year, of each track in their order."""

    year: int
    month: int | None
    """None for the whole year, or as much of it as the span has."""
    sessions: int
    returns: tuple[float, ...]


def by_month(sessions: Sequence[date], tracks: Sequence[Track]) -> tuple[PeriodReturns, ...]:
    """Each month's returns, each year's after its last month; the months of a year compound to it."""
    periods: list[PeriodReturns] = []
    for year in sorted({day.year for day in sessions}):
        for month in sorted({day.month for day in sessions if day.year == year}):
            inside = [n for n, day in enumerate(sessions) if (day.year, day.month) == (year, month)]
            periods.append(PeriodReturns(year, month, len(inside), _between(inside, tracks)))
        whole = [n for n, day in enumerate(sessions) if day.year == year]
        periods.append(PeriodReturns(year, None, len(whole), _between(whole, tracks)))
    return tuple(periods)


def _between(inside: Sequence[int], tracks: Sequence[Track]) -> tuple[float, ...]:
    """From before the first of the sessions to after the last; levels are one ahead of sessions."""
    return tuple(change(track.levels[inside[0]], track.levels[inside[-1] + 1]) for track in tracks)
