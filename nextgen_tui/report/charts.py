"""Charts as inline SVG: lines, areas, bars and intervals, coloured by the page's style alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from nextgen_tui.report.chart_scale import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Scale, date_ticks, round_ticks
from nextgen_tui.report.markup import Html, join, tag

Write = Callable[[float], str]
"""How a value is written on an axis."""
DENSE = 500
"""Points of a line from which on it is drawn thinner, so that its ups and downs stay apart."""
MINI_WIDTH, MINI_HEIGHT = 160.0, 18.0


@dataclass(frozen=True)
class Line:
    """A named series of a chart; its kind is the class that colours it."""

    name: str
    kind: str
    values: Sequence[float]


def line_chart(title: str, lines: Sequence[Line], sessions: Sequence[date], write: Write, told: str) -> Html:
    """Lines over sessions, with a legend; values are one ahead of sessions where they begin before the first.

    Args:
        title: what is drawn.
        lines: at least one, all as long.
        sessions: for the dates below.
        write: how values are written.
        told: the same in words, for those who do not see it.
    """
    scale = _scale([value for line in lines for value in line.values], len(lines[0].values))
    drawn = [tag("polyline", points=scale.path(line.values), class_=f"line {line.kind}") for line in reversed(lines)]
    return _figure(title, lines, join(_axes(scale, sessions, write), drawn), told)


def area_chart(title: str, lines: Sequence[Line], sessions: Sequence[date], write: Write, told: str) -> Html:
    """The first series filled down from 0, the others as lines: drawdowns."""
    scale = _scale([0.0, *(value for line in lines for value in line.values)], len(lines[0].values), HEIGHT * 0.7)
    first, *others = lines
    zero = scale.y(0.0)
    corners = f"{scale.x(0):.1f},{zero:.1f} {scale.path(first.values)} {scale.x(len(first.values) - 1):.1f},{zero:.1f}"
    drawn = [
        tag("polygon", points=corners, class_=f"area {first.kind}"),
        *(tag("polyline", points=scale.path(line.values), class_=f"line {line.kind}") for line in others),
        tag("polyline", points=scale.path(first.values), class_=f"line {first.kind}"),
    ]
    return _figure(title, lines, join(_axes(scale, sessions, write), drawn), told, scale.height)


def bar_chart(title: str, line: Line, sessions: Sequence[date], write: Write, told: str) -> Html:
    """A bar for each session, up from 0."""
    scale = replace(_scale([0.0, *line.values], len(line.values), HEIGHT * 0.6), inset=True)
    width = min(max(0.7 * (WIDTH - LEFT - RIGHT) / max(len(line.values), 1), 0.5), 14.0)
    zero = scale.y(0.0)
    strokes = "".join(f"M{scale.x(n):.1f} {zero:.1f}V{scale.y(value):.1f}" for n, value in enumerate(line.values))
    drawn = tag("path", d=strokes, class_=f"bars {line.kind}", stroke_width=f"{width:.2f}")
    return _figure(title, [line], join(_axes(scale, sessions, write), drawn), told, scale.height)


def _scale(values: Sequence[float], points: int, height: float = HEIGHT) -> Scale:
    ticks = round_ticks(min(values), max(values))
    return Scale(points, ticks[0], ticks[-1], height)


def _axes(scale: Scale, sessions: Sequence[date], write: Write) -> Html:
    """The grid with its values and dates; the line at 0 is stronger."""
    drawn: list[Html] = []
    for value in round_ticks(scale.low, scale.high):
        y = scale.y(value)
        kind = "zero" if abs(value) < 1e-12 else "grid"
        drawn.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=f"{y:.1f}", y2=f"{y:.1f}", class_=kind))
        drawn.append(tag("text", write(value), x=LEFT - 8, y=f"{y + 4:.1f}", class_="value"))
    ahead = scale.points - len(sessions)
    bottom = scale.height - BOTTOM
    for position, words in date_ticks(sessions):
        x = scale.x(position + ahead)
        drawn.append(tag("line", x1=f"{x:.1f}", x2=f"{x:.1f}", y1=TOP, y2=bottom, class_="grid"))
        anchor = "end" if x > WIDTH - 60 else "middle"
        drawn.append(tag("text", words, x=f"{x:.1f}", y=bottom + 17, class_="date", text_anchor=anchor))
    return join(drawn)


def _figure(title: str, lines: Sequence[Line], drawn: Html, told: str, height: float = HEIGHT) -> Html:
    svg = tag(
        "svg",
        tag("title", told),
        drawn,
        viewBox=f"0 0 {WIDTH:.0f} {height:.0f}",
        role="img",
        aria_label=told,
    )
    dense = "dense" if any(len(line.values) > DENSE for line in lines) else None
    legend = [tag("span", tag("i", class_=line.kind), line.name) for line in lines] if len(lines) > 1 else []
    return tag("figure", tag("figcaption", tag("b", title), legend), svg, class_=dense)


@dataclass(frozen=True)
class Interval:
    """A value with the ends of its interval, and the level it is compared with."""

    value: float
    low: float | None
    high: float | None
    level: float


def interval_mark(one: Interval, low: float, high: float) -> Html:
    """The interval as a bar with its value as a dot, and the level as a line, between two ends of a scale."""
    room = MINI_WIDTH - 12

    def x(value: float) -> float:
        return 6 + room * (min(max(value, low), high) - low) / (high - low) if high > low else MINI_WIDTH / 2

    middle = MINI_HEIGHT / 2
    drawn = [tag("line", x1=f"{x(one.level):.1f}", x2=f"{x(one.level):.1f}", y1=1, y2=MINI_HEIGHT - 1, class_="level")]
    if one.low is not None and one.high is not None:
        ends = {"x1": f"{x(one.low):.1f}", "x2": f"{x(one.high):.1f}"}
        drawn.append(tag("line", **ends, y1=middle, y2=middle, class_="interval"))
    drawn.append(tag("circle", cx=f"{x(one.value):.1f}", cy=middle, r=3.5, class_="dot"))
    return _mini(drawn)


def share_mark(share: float) -> Html:
    """A bar filled to a share of 0 to 1."""
    width = MINI_WIDTH * min(max(share, 0.0), 1.0)
    return _mini(
        [
            tag("rect", x=0, y=5, width=MINI_WIDTH, height=8, class_="track"),
            tag("rect", x=0, y=5, width=f"{width:.1f}", height=8, class_="fill"),
        ]
    )


def _mini(drawn: Iterable[Html]) -> Html:
    """A mark within a table; the figures beside it say the same."""
    box = f"0 0 {MINI_WIDTH:.0f} {MINI_HEIGHT:.0f}"
    return tag("svg", drawn, class_="mini", aria_hidden="true", viewBox=box)
