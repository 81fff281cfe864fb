"""Moods as colours of the theme, and lines of notes as content that no text from outside can style."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from nextgen_tui.console.page import Line, Section
from nextgen_tui.safe_text import harmless

STYLES = {
    "": "",
    "good": "$text-success",
    "warn": "$text-warning",
    "bad": "bold $text-error",
    "dim": "$foreground 60%",
    "accent": "$text-accent",
}


def content(lines: Sequence[Line]) -> Content:
    """Lines as content; whatever a page made them from, nothing in them can steer the terminal."""
    parts: list[Content] = []
    for number, line in enumerate(lines):
        parts += [Content("\n")] if number else []
        parts += [Content.styled(harmless(cell.words), STYLES[cell.mood]) for cell in line]
    return Content.assemble(*parts)


def sections(told: Sequence[Section]) -> Content:
    """Sections with their headings, a blank line between two."""
    parts: list[Content] = []
    for number, section in enumerate(told):
        parts += [Content("\n\n")] if number else []
        if section.heading:
            parts += [Content.styled(harmless(section.heading), "bold $text-primary"), Content("\n")]
        parts.append(content(section.lines))
    return Content.assemble(*parts)
