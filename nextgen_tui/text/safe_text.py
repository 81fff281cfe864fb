"""Text from outside made fit to show: no control characters, no hidden direction changes, bounded."""

from __future__ import annotations

import re
import unicodedata

_TERMINAL_SEQUENCE = re.compile(
    r"\x1b\][^\x07\x1b]{0,2000}(?:\x07|\x1b\\)?"  # operating-system command: titles, links
    r"|(?:\x1b\[|\x9b)[0-?]{0,200}[ -/]{0,20}[@-~]?"  # colours, cursor movement
    r"|\x1b[PX^_][^\x1b]{0,2000}(?:\x1b\\)?"  # device control strings
    r"|\x1b[ -/]{0,20}[0-~]?"  # everything else that starts with ESC
)
_SELECTOR = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Signs that choose another shape for the one before: terminals disagree on how wide it is then."""
_SPACES = {"Zs", "Zl", "Zp"}
_DROPPED = {"Cc", "Cf", "Cs", "Co", "Cn"}
"""Control, format (bidi and zero-width signs), surrogate, private and unassigned characters."""
_MAX_MARKS = 4
"""Combining marks kept on one letter; more pile up over the lines around it."""


def safe_text(value: object, max_length: int = 200) -> str:
    """Return the value's text on one line, without what could steer a terminal or reorder a line.

    Escape sequences, control, bidi and other invisible characters are removed, white space becomes single spaces,
    and what is longer than `max_length` characters ends in an ellipsis. Markup stays as it is: show the result
    through `rich.text.Text` or `textual.content.Content`, never as markup.
    """
    text = str(value)
    # Cut before cleaning, so that a headline of megabytes costs as little as a short one.
    cut = len(text) > (bound := 8 * max_length + 256)
    line = " ".join(remove_unsafe(text[:bound]).split())
    if len(line) > max_length or cut:
        return line[: max(max_length - 1, 0)].rstrip() + "…"
    return line


def remove_unsafe(text: str) -> str:
    """Return the text without what could steer a terminal or reorder a line, its spaces as they are.

    The last step before a widget, which may have lined the text up: what went through `safe_text` stays as it is.
    """
    if text.isascii() and text.isprintable():
        return text
    kept: list[str] = []
    marks = 0
    for sign in _TERMINAL_SEQUENCE.sub("", text):
        category = unicodedata.category(sign)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if sign in "\t\n\r\x0b\x0c\x85" or (category in _SPACES and sign != "\u00a0"):
            kept.append(" ")
        elif category not in _DROPPED and marks <= _MAX_MARKS and not _SELECTOR.match(sign):
            kept.append(sign)
    return "".join(kept)
