"""The sentence that answers a screen's question; a verdict in a coloured band with a symbol three rows high."""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import wrap

from textual.content import Content
from textual.geometry import Size

from nextgen_tui.console.notes import Line, plain_text
from nextgen_tui.console.page import VerdictBand
from nextgen_tui.console.screen_frame import NotesWidget
from nextgen_tui.text.safe_text import remove_unsafe

SYMBOLS = {
    "ok": ("    ▄▀", "▄ ▄▀  ", " ▀    "),
    "warn": ("  ▐▌  ", "  ▐▌  ", "  ▗▖  "),
    "fail": (" ▀▄▄▀ ", "  ██  ", " ▄▀▀▄ "),
}
"""Verdict -> a tick, an exclamation mark, a cross: told from three metres, and without colour."""
MARGIN = 10
"""Columns of the symbol with the room around it."""
MAX_ROWS = 3
"""Rows of the sentence below the word."""


class Banner(NotesWidget):
    """Lines as notes, or the band of a verdict."""

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.band: VerdictBand | None = None

    def show_verdict(self, band: VerdictBand | None, lines: Sequence[Line]) -> None:
        """Show a sentence, in a band where it is a verdict."""
        before, self.band = self.band, band
        for status in SYMBOLS:
            self.set_class(band is not None and band.status == status, status)
        if band != before:
            self.refresh(layout=True)
        self.show(lines)

    def render(self) -> Content:
        """The band, or as many of the lines as there is room for."""
        if self.band is not None:
            return self._band(self.content_size.width)
        return Content("\n").join(Content(line) for line in self._lines(self.content_size.width))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Three rows at least for a band."""
        del container, viewport
        if self.band is None:
            return len(self._lines(width))
        return max(1 + len(self._sentence(width)), len(SYMBOLS["ok"]))

    def _sentence(self, width: int) -> list[str]:
        return fit_clauses(self._words, max(width - MARGIN, 20))

    def _lines(self, width: int) -> list[str]:
        return fit_clauses(self._words, max(width, 20))

    @property
    def _words(self) -> str:
        return remove_unsafe(plain_text(self.lines).replace("\n", " "))

    def _band(self, width: int) -> Content:
        assert self.band is not None
        symbol = (*SYMBOLS[self.band.status], *[" " * 6] * MAX_ROWS)
        head = [Content.styled(remove_unsafe(self.band.word), "bold"), Content(f"   {remove_unsafe(self.band.about)}")]
        rows = [Content.assemble(*head), *(Content(line) for line in self._sentence(width))]
        rows += [Content("")] * (len(SYMBOLS["ok"]) - len(rows))
        return Content("\n").join(
            Content.assemble(Content.styled(f" {symbol[number]}   ", "bold"), row) for number, row in enumerate(rows)
        )


def fit_clauses(words: str, width: int, max_rows: int = MAX_ROWS) -> list[str]:
    """The words broken into so many rows at most: whole clauses as long as they fit, an ellipsis where any are left."""
    kept = words.replace(" %", "\u00a0%")  # a figure stays with its sign
    clauses = re.split(r"(?<=[.;]) ", kept)
    for count in range(len(clauses), 0, -1):
        told = " ".join(clauses[:count]) + (" …" if count < len(clauses) else "")
        lines = wrap(told, width, break_on_hyphens=False)
        if len(lines) <= max_rows:
            return lines
    return [*lines[: max_rows - 1], lines[max_rows - 1][: width - 1] + "…"]
