"""What all screens of the console share: the line at the top, the keys at the bottom, and how they are filled."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, cast

from textual.app import ComposeResult
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer, Static

from nextgen_tui import formats
from nextgen_tui.console.snapshot import Snapshot
from nextgen_tui.safe_text import safe_text

SIGNS = {"ok": "✓", "warn": "!", "fail": "✗"}
"""Verdict -> its sign, so that colour is never all there is to tell them apart."""


def top_line(title: str, lake: Path, snapshot: Snapshot | None) -> str:
    """The line at the top: screen, last session, clock of the last publication, lake."""
    if snapshot is None:
        return f"{title}  ·  {safe_text(lake, 60)}"
    verdict = SIGNS[snapshot.health.status]
    return (
        f"{verdict} {title}  ·  session {formats.day(snapshot.last_session)}  ·  "
        f"published {formats.instant(snapshot.published_at)}  ·  {safe_text(lake, 60)}"
    )


class FollowsLake(Protocol):
    """What a screen needs of the app that shows it."""

    lake_path: Path
    snapshot: Snapshot | None
    trouble: str
    """What went wrong at the last look, in a sentence; empty if nothing."""


class ConsoleScreen(Screen[None]):
    """A screen that shows the app's snapshot, and a sentence where there is none."""

    TITLE_WORDS = ""

    def compose(self) -> ComposeResult:
        """The line at the top, the sentence, the screen's own widgets, the keys."""
        yield Static(id="top", markup=False)
        yield Static(id="sentence", markup=False)
        yield from self.body()
        yield Footer()

    @abstractmethod
    def body(self) -> Iterable[Widget]:
        """The screen's own widgets."""

    @abstractmethod
    def fill(self, snapshot: Snapshot) -> None:
        """Show a snapshot."""

    @abstractmethod
    def sentence(self, snapshot: Snapshot) -> str:
        """What the screen has to say about it, in one sentence."""

    def on_screen_resume(self) -> None:
        """Show what was read while another screen was in front."""
        self.update_from_app()

    def update_from_app(self) -> None:
        """Show the app's snapshot and trouble as they are now."""
        app = cast(FollowsLake, self.app)
        snapshot, trouble = app.snapshot, app.trouble
        self.query_one("#top", Static).update(Content(top_line(self.TITLE_WORDS, app.lake_path, snapshot)))
        words = trouble or (self.sentence(snapshot) if snapshot else "Reading the lake ...")
        sentence = self.query_one("#sentence", Static)
        sentence.update(Content(safe_text(words, 400)))
        sentence.set_class(bool(trouble), "trouble")
        if snapshot is not None:
            self.fill(snapshot)
