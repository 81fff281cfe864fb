"""The screen of an answer: a page like any other, opened over the one where it was asked."""

from __future__ import annotations

from typing import Any

from textual.binding import Binding

from nextgen_tui.console.page import Page, PageState, build_state
from nextgen_tui.console.page_screen import PageScreen
from nextgen_tui.console.time_travel import AsOf


class AnswerScreen(PageScreen):
    """Shows what was read once; backspace goes back to where it was asked."""

    BINDINGS = [Binding("backspace", "back", "Back", show=True, id="back")]

    def __init__(self, page: Page[Any], data: Any, at: AsOf | None) -> None:
        super().__init__(page)
        self._fixed = build_state(page, data, at)

    @property
    def known(self) -> PageState:
        """What was read."""
        return self._fixed

    def action_back(self) -> None:
        """Choose no rows together, show every row again, or go back."""
        if self.filter_words or self.chosen_rows():
            super().action_back()
        else:
            self.dismiss()
