"""The console's application: which screens there are, and how they follow the lake."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import ClassVar

from textual import work
from textual.app import App
from textual.binding import Binding
from textual.message import Message
from textual.screen import Screen

from lake.store import Lake
from lake.watch import publication_mark
from nextgen_tui.console.health_screen import HealthScreen
from nextgen_tui.console.help_screen import HelpScreen
from nextgen_tui.console.predictions_screen import PredictionsScreen
from nextgen_tui.console.screens import ConsoleScreen
from nextgen_tui.console.snapshot import Snapshot, read_snapshot
from nextgen_tui.failures import explained

SECONDS_BETWEEN_LOOKS = 1.0
"""How often the lake is asked for something new; asking costs one listing of a folder."""

Mark = tuple[int, int]


@dataclass(eq=False)
class Looked(Message):
    """A look at the lake is over; with what was found, if anything is new, or what went wrong."""

    mark: Mark | None
    snapshot: Snapshot | None = None
    trouble: str = ""


class ConsoleApp(App[None]):
    """Reads the lake in a thread, when something new is published, and shows it."""

    TITLE = "nextgen"
    CSS_PATH = "console.tcss"
    MODES: ClassVar[dict[str, type[Screen[None]]]] = {  # type: ignore[assignment]
        "health": HealthScreen,
        "predictions": PredictionsScreen,
    }
    DEFAULT_MODE = "health"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (130, "-wide")]
    BINDINGS = [
        Binding("1", "switch_mode('health')", "Health"),
        Binding("3", "switch_mode('predictions')", "Predictions"),
        Binding("r", "look_again", "Refresh"),
        Binding("d", "other_theme", "Dark/light", show=False),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("q", "quit", "Quit"),
    ]

    def __init__(self, lake_path: Path, *, light: bool = False) -> None:
        super().__init__()
        self.lake_path = lake_path
        self.snapshot: Snapshot | None = None
        self.trouble = ""
        self.theme = "textual-light" if light else "textual-dark"
        self._lake: Lake | None = None
        self._mark: Mark | None = None
        self._looking_since: float | None = None

    def on_mount(self) -> None:
        """Look now, and then every second."""
        self.set_interval(SECONDS_BETWEEN_LOOKS, self.look)
        self.look()

    def look(self) -> None:
        """Look for something new, unless the last look is still under way."""
        if self._looking_since is None:
            self._looking_since = monotonic()
            self._look(self._mark)

    @work(thread=True, exit_on_error=False)
    def _look(self, known: Mark | None) -> None:
        try:
            mark = publication_mark(self.lake_path)
            if mark == known:
                self.post_message(Looked(mark))
                return
            self._lake = self._lake or Lake.open(self.lake_path)
            self.post_message(Looked(mark, read_snapshot(self._lake)))
        except BaseException as error:  # whatever it is has to become a sentence, or the screen would just stand still
            self._lake = None
            self.post_message(Looked(None, trouble=explained(error)[1]))

    def on_looked(self, message: Looked) -> None:
        """Take what was found to the screen in front."""
        self._looking_since = None
        self._mark = message.mark
        if message.snapshot is None and message.trouble in ("", self.trouble):
            return  # nothing new
        self.snapshot = message.snapshot or self.snapshot
        self.trouble = message.trouble
        if isinstance(self.screen, ConsoleScreen):
            self.screen.update_from_app()

    def action_look_again(self) -> None:
        """Read the lake again, whether or not anything is new."""
        self._mark = None
        self.look()

    def action_other_theme(self) -> None:
        """Swap dark and light."""
        self.theme = "textual-dark" if self.theme == "textual-light" else "textual-light"

    def action_help(self) -> None:
        """Say which keys do what."""
        self.push_screen(HelpScreen())
