"""What is painted on a screen, piece by piece: words, colours, and what a click on them would do."""

from __future__ import annotations

from typing import Any

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.screen import Screen

from tests.nextgen_tui.text.test_safe_text import dangerous

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


def steering(screen: Screen[Any]) -> list[str]:
    """What on a screen could steer terminal or console: control signs, links, actions, lines of another width."""
    width, found = screen.size.width, list[str]()
    for number, strip in enumerate(screen._compositor.render_strips()):
        room = sum(cell_len(segment.text) for segment in strip)
        if room != width:
            found.append(f"line {number} is {room} wide and not {width}: {strip.text!r}")
        for segment in strip:
            if not segment.text.isprintable() and (signs := dangerous(segment.text)):
                found.append(f"line {number} holds {signs!r}: {segment.text!r}")
            if segment.control:
                found.append(f"line {number} holds the controls {segment.control!r}")
            style = segment.style
            scrolls = set(segment.text) <= BLANK  # the bars beside a text that is longer than its room
            if style is not None and (style.link or (not scrolls and any(name[0] == "@" for name in style.meta))):
                found.append(f"line {number} leads somewhere: {style.link!r} {style.meta!r}: {segment.text!r}")
    return found
