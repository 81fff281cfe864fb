"""Moods as colours of the theme, and lines of notes as content that no text from outside can style."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from nextgen_tui.console.notes import Line
from nextgen_tui.console.page import Section
from nextgen_tui.console.sheet.sheet import Cell
from nextgen_tui.text.safe_text import remove_unsafe

STYLES = {
    "": "",
    "good": "$text-success",
    "warn": "$text-warning",
    "bad": "bold $text-error",
    "dim": "$foreground 60%",
    "accent": "$text-accent",
    "title": "bold $text-primary",
    "trend": "$primary",
}


def content(lines: Sequence[Line]) -> Content:
    """Lines as content; whatever a page made them from, nothing in them can steer the terminal."""
    parts: list[Content] = []
    for number, line in enumerate(lines):
        parts += [Content("\n")] if number else []
        parts += [Content.styled(remove_unsafe(cell.text), STYLES[cell.style]) for cell in line]
    return Content.assemble(*parts)


def section_lines(sections: Sequence[Section]) -> tuple[Line, ...]:
    """Sections as lines with their headings, a blank line between two."""
    lines: list[Line] = []
    for number, section in enumerate(sections):
        lines += [(Cell(""),)] if number else []
        lines += [(Cell(section.heading, "title"),)] if section.heading else []
        lines += section.lines
    return tuple(lines)
