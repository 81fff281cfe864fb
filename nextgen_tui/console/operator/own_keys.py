"""The console's actions that can be given other keys, by name, each with the keys it has by itself."""

from __future__ import annotations

from collections.abc import Iterator

from textual.binding import Binding

from nextgen_tui.console.answers.answer_screen import AnswerScreen
from nextgen_tui.console.app import ConsoleApp
from nextgen_tui.console.board.board_widget import BoardWidget
from nextgen_tui.console.detail_screen import DetailScreen
from nextgen_tui.console.lineage.lineage_screen import LineageScreen
from nextgen_tui.console.page_screen import PageScreen
from nextgen_tui.console.screens import PAGES
from nextgen_tui.console.sheet.sheet_widget import SheetWidget
from nextgen_tui.console.typed_line import TypingScreen

BOUND = (ConsoleApp, TypingScreen, PageScreen, SheetWidget, BoardWidget, DetailScreen, LineageScreen, AnswerScreen)
"""Where keys do something."""


def list_keys() -> dict[str, str]:
    """Action -> its keys, a comma between them; one that has several places has the keys of all."""
    found: dict[str, list[str]] = {}
    for binding in _bindings():
        if binding.id:
            found.setdefault(binding.id, []).extend(binding.key.split(","))
    return {name: ",".join(dict.fromkeys(keys)) for name, keys in found.items()}


def reserved_keys() -> frozenset[str]:
    """The keys that lead to screens."""
    return frozenset(page.number for page in PAGES)


def _bindings() -> Iterator[Binding]:
    for place in BOUND:
        yield from (one for one in place.BINDINGS if isinstance(one, Binding))
