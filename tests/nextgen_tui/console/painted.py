"""What is painted on a screen, piece by piece: words, colours, and what a click on them would do."""

from __future__ import annotations

from typing import Any

from rich.segment import Segment
from textual.color import Color
from textual.screen import Screen

BLANK = set(" ▌▀▁▂▃▄▅▆▇█│┃─╭╮╰╯▔▊▎") | {chr(braille) for braille in range(0x2800, 0x2900)}
"""Signs that are ground, edge or ink of a chart rather than words."""


def painted(screen: Screen[Any]) -> list[Segment]:
    """Every piece of every line."""
    return [segment for strip in screen._compositor.render_strips() for segment in strip if segment.text]


def contrast(segment: Segment) -> float:
    """How far a piece's ink stands out from its ground, by the ratio of the web's accessibility guidelines: 1 to 21."""
    style = segment.style
    assert style is not None
    assert style.color is not None
    assert style.bgcolor is not None
    ink, ground = (_lightness(Color.from_rich_color(color)) for color in (style.color, style.bgcolor))
    return (max(ink, ground) + 0.05) / (min(ink, ground) + 0.05)


def _lightness(color: Color) -> float:
    parts = [part / 255 for part in (color.r, color.g, color.b)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
