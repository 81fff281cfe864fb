"""What every full screen shares: the bar at the top, the screens by number, and what it needs of the app."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from textual.content import Content
from textual.geometry import Region
from textual.screen import Screen
from textual.widgets import Static

from nextgen_tui import formats
from nextgen_tui.console.page import Line, Link, Page, Shown, Story
from nextgen_tui.console.sheet import Cell
from nextgen_tui.console.view import Standpoint, View
from nextgen_tui.safe_text import safe_text


class Console(Protocol):
    """What screens ask of the app."""

    lake_path: Path
    pages: dict[str, Page[Any]]
    view: View | None
    at: Standpoint | None
    trouble: str
    """What went wrong at the last look, in a sentence; empty if nothing."""
    read_at: datetime | None

    def shown(self, name: str) -> Shown:
        """What is known of a page."""

    def tell(self, job: Callable[[View], Story | None]) -> None:
        """Read a story in the background and open it."""

    def follow(self, link: Link) -> None:
        """Open what a link leads to."""

    def command(self, words: str) -> None:
        """Carry out what was typed."""

    def ask(self, words: str) -> None:
        """Show what a request would do, and let the operator send it."""


def banner(console: Console) -> tuple[Line, bool]:
    """The bar at the top, and whether it speaks of the past."""
    lake = Cell(safe_text(console.lake_path, 60), "")
    if console.at is not None:
        words = f"◀ AS OF {console.at.session}   < earlier   > later   p play   :live for now   "
        return (Cell(words), lake), True
    session = formats.day(console.view.session) if console.view else formats.MISSING
    read = f"{console.read_at:%H:%M:%S}Z" if console.read_at else formats.MISSING
    return (Cell(f"nextgen   session {session}   ● live, read {read}   "), lake), False


def numbers(pages: Sequence[Page[Any]], here: str, width: int) -> Content:
    """The screens by number; the one in front stands out. Narrow terminals get only its name."""
    whole = sum(len(page.name) + 5 for page in pages) <= width
    parts: list[Content] = []
    for page in pages:
        mine = page.name.lower() == here
        words = f" {page.number} {page.name} " if whole or mine else f" {page.number} "
        style = "bold $text-primary reverse" if mine else "$foreground 70%"
        parts += [Content.styled(words, style), Content(" ")]
    return Content.assemble(*parts)


def clicked_page(pages: Sequence[Page[Any]], here: str, width: int, x: int) -> str | None:
    """Which screen's number stands at a place of that line."""
    whole = sum(len(page.name) + 5 for page in pages) <= width
    left = 0
    for page in pages:
        mine = page.name.lower() == here
        span = len(f" {page.number} {page.name} ") if whole or mine else 3
        if left <= x < left + span:
            return page.name.lower()
        left += span + 1
    return None


class Numbers(Static):
    """The line of screens; a click goes there."""

    here = ""

    def on_click(self, event: Any) -> None:
        """Go to the screen whose name was clicked."""
        console: Any = self.app
        name = clicked_page(list(console.pages.values()), self.here, self.size.width, event.x)
        if name:
            console.command(f"go {name}")


def whole(screen: Screen[Any]) -> list[str]:
    """What stands on the screen, line by line."""
    width, height = screen.size
    strips = screen._compositor.render_strips()
    assert Region(0, 0, width, height)
    return ["".join(segment.text for segment in strip).rstrip() for strip in strips]
