"""What is opened over a screen: a row's story, or its lineage as a tree; read in the background at the moment shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any

from textual import work
from textual.message import Message
from textual.screen import Screen

from nextgen_tui.cli.error_messages import describe_error
from nextgen_tui.console.detail_screen import DetailScreen
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.lineage.lineage_screen import LineageScreen, find_root
from nextgen_tui.console.lineage.lineage_view import follow
from nextgen_tui.console.operator.commands import CommandApp
from nextgen_tui.console.page import Detail, Link
from nextgen_tui.remembered.preferences import Preferences
from pipeline.reading.provenance.lineage_tree import LineageNode


@dataclass(eq=False)
class DetailRead(Message):
    """A story was read, or could not be."""

    detail: Detail | None
    trouble: str = ""


class OpeningApp(CommandApp):
    """Opens what a row leads to."""

    def __init__(self, *, read_only: bool, preferences: Preferences | None = None) -> None:
        super().__init__(read_only=read_only, preferences=preferences)
        self._reading = Lock()
        """One read of the lake at a time: what a view remembers is not made for two."""

    @property
    def front(self) -> Screen[Any] | None:
        """The screen in front; None once all are closed, when something read before the end can still arrive."""
        return self.screen_stack[-1] if self.screen_stack else None

    def open_detail(self, job: Callable[[LakeView], Detail | None]) -> None:
        """Read a story in the background and open it."""
        if self.view is not None:
            self._read_detail(job, self.view)

    @work(thread=True, exit_on_error=False, group="detail", exclusive=True)
    def _read_detail(self, job: Callable[[LakeView], Detail | None], view: LakeView) -> None:
        try:
            with self._reading:
                self.post_message(DetailRead(job(view)))
        except BaseException as error:  # as above
            self.post_message(DetailRead(None, describe_error(error)[1]))

    def on_detail_read(self, message: DetailRead) -> None:
        """Open the story over the screen in front."""
        if self.front is None:
            return
        if message.trouble:
            self.notify(message.trouble, severity="error", markup=False)
        elif message.detail is not None:
            trail = self.screen.trail if isinstance(self.screen, DetailScreen) else (self.current_mode,)
            self.push_screen(DetailScreen(message.detail, trail))

    def follow(self, link: Link) -> None:
        """Open what a link leads to."""
        self.open_detail(lambda view: follow(view, link))

    def read_beside(self, job: Callable[[LakeView], Any], then: Callable[[Any], None]) -> None:
        """Read in the background, and hand on what was read; what goes wrong is said."""
        if self.view is not None:
            self._read_beside(job, then)

    @work(thread=True, exit_on_error=False, group="beside")
    def _read_beside(self, job: Callable[[LakeView], Any], then: Callable[[Any], None]) -> None:
        try:
            with self._reading:
                found = job(self.view) if self.view is not None else None
        except BaseException as error:  # as above
            self.call_from_thread(self.notify, describe_error(error)[1], severity="error")
        else:
            self.call_from_thread(then, found)

    def unfold(self, link: Link) -> None:
        """Open the tree of a row: what it rests on, and what was made from it."""
        self.read_beside(lambda view: find_root(view, link), self._open_tree)

    def _open_tree(self, root: LineageNode | None) -> None:
        if root is None:
            self.notify("This row no longer exists.", severity="warning")
        else:
            self.push_screen(LineageScreen(root))
