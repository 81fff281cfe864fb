"""What a chart shows, as plain values: lines, grounds, marks, candles and bars in the units of its data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from nextgen_tui.text import formats

NO_BAND = 0


@dataclass(frozen=True)
class Curve:
    """Levels at positions, joined; a position whose level is missing interrupts it."""

    xs: tuple[float, ...]
    ys: tuple[float | None, ...]
    role: str
    dotted: bool = False


@dataclass(frozen=True)
class Band:
    """The ground between two lines of levels."""

    xs: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    shade: int
    """1 the faintest, 3 the strongest, 4 one of warning; where bands overlap, the strongest shows."""


@dataclass(frozen=True)
class Mark:
    """One sign at a place."""

    x: float
    y: float
    sign: str
    role: str


@dataclass(frozen=True)
class Candle:
    """A session's range and body."""

    x: float
    open: float
    high: float
    low: float
    close: float


@dataclass(frozen=True)
class Bar:
    """An amount as a column that stands on the plot's floor."""

    x: float
    amount: float
    role: str


@dataclass(frozen=True)
class Stretch:
    """Something that lasted: a row of its own, from when to when."""

    label: str
    start: float
    end: float
    role: str


@dataclass(frozen=True)
class Chart:
    """What a chart shows, in the units of its data."""

    title: str = ""
    lines: tuple[Curve, ...] = ()
    bands: tuple[Band, ...] = ()
    marks: tuple[Mark, ...] = ()
    candles: tuple[Candle, ...] = ()
    bars: tuple[Bar, ...] = ()
    stretches: tuple[Stretch, ...] = ()
    """Rows below each other instead of a plot; the longest of them where there is no room for all."""
    label: Callable[[float], str] = formats.money
    """How a level is written on the axis."""
    ticks: tuple[tuple[float, str], ...] = ()
    """Labels below: position and text."""
    legend: tuple[tuple[str, str, str], ...] = ()
    """Sign, role and meaning of what is drawn."""
    span: tuple[float, float] | None = None
    """Lowest and highest level; as far as the data reach where None."""
    share: float = 1.0
    """Of the height, where several pictures stand on top of each other."""
    days: tuple[date, ...] = ()
    """The session of each whole position, where positions are numbers of sessions."""
    cross: float | None = None
    """Where an upright rule stands, whose values the legend tells; none where None."""

    @property
    def blank(self) -> bool:
        """Whether there is nothing to draw."""
        drawn = self.candles or self.bars or self.stretches or any(len(band.xs) > 1 for band in self.bands)
        return not drawn and not any(y is not None for line in self.lines for y in line.ys)


@dataclass(frozen=True)
class Sign:
    """One character of a chart."""

    sign: str
    role: str = ""
    """What it belongs to: a line's role, `label`, or `bandN` where its ink is a band's tint."""
    band: int = NO_BAND
    """The tint of its ground."""


def day_ticks(days: Sequence[date], count: int = 4) -> tuple[tuple[float, str], ...]:
    """Dates below a plot whose positions are the numbers of sessions: so many at most, evenly apart."""
    last = len(days) - 1
    if last < 1:
        return tuple((float(number), f"{day:%b %d}") for number, day in enumerate(days))
    places = sorted({round(number * last / (count - 1)) for number in range(count)})
    return tuple((float(place), f"{days[place]:%b %d}") for place in places)
