"""The line at the bottom that one types on: filter, command, moment or file name, on every full screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Input

from nextgen_tui.console.jump import JumpScreen, Place
from nextgen_tui.console.screen_frame import Console, KeyBar, SafeInput

PROMPTS = {"filter": "/", "command": ":", "time": "as of", "export": "export to", "note": "note"}
"""What the line at the bottom is for -> what stands before it."""
HINTS = {
    "filter": "rows that show every word or pattern; !word those that do not",
    "command": "cycle, train, maintain, at, live, daemon ... (? lists them all)",
    "time": "a session as 2026-01-05, a moment as 2026-01-05T14:00 (UTC), or a run's id",
    "export": "a file name ending in .csv or .parquet",
    "note": "what you think of it; `up 5: why` or `down 20: why` is judged when it is due",
}
"""What it is for -> what can be typed."""


class CommandLine(SafeInput):
    """The line at the bottom; what was typed after the colon comes back by the arrow keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "recall(-1)", "Typed before", show=False),
        Binding("down", "recall(1)", "Typed after that", show=False),
    ]

    def action_recall(self, step: int) -> None:
        """Bring back what was typed before, or after that."""
        screen = self.screen
        if isinstance(screen, TypingScreen):
            screen.recall(step)


class TypingScreen(Screen[None]):
    """A screen with such a line; what it declares here is what each kind does in its own way."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "line('filter')", "Filter", key_display="/", priority=True, id="filter"),
        Binding("t", "line('time')", "Time", priority=True, id="time"),
        Binding("colon", "line('command')", "Command", key_display=":", priority=True, id="command"),
        Binding("f", "jump", "Jump", id="jump"),
    ]
    _purpose = ""
    """What the line is open for; empty while it is closed."""
    _recalled = 0
    """How far back what stands on the line was typed; 0 is now."""

    if TYPE_CHECKING:

        @property
        def filter_words(self) -> str:
            """What is filtered by now."""

        def begin(self) -> None:
            """What is done once it is made of its parts."""

        def filtered(self, words: str) -> None:
            """Show what meets the filter as it is typed."""

        def take_keys(self) -> None:
            """Give the keys back to what is shown."""

        def run_back(self) -> None:
            """What escape does where nothing is typed."""

        def write(self, name: str) -> None:
            """Write what is shown to a file of that name."""

        def noted(self, words: str) -> None:
            """Put a note on record."""

    def on_mount(self) -> None:
        """Begin, unless it was closed before it was shown: nothing of it is left then."""
        if self.children:
            self.begin()

    @property
    def can_jump(self) -> bool:
        """Whether anything here can be gone to by a letter."""
        return False

    def jump_places(self) -> Sequence[Place]:
        """Everything in sight that can be gone to."""
        return ()

    def action_jump(self) -> None:
        """Put a letter on everything that can be gone to, and go where one is typed."""
        if places := self.jump_places():
            self.app.push_screen(JumpScreen(self, places), _go)
        else:
            self.app.bell()

    def typed_line(self) -> CommandLine:
        """The line, out of sight until it is asked for."""
        line = CommandLine(id="line", select_on_focus=False)
        line.display = False
        return line

    @property
    def console(self) -> Console:
        """The app."""
        return cast(Console, self.app)

    def action_line(self, purpose: str, words: str = "") -> None:
        """Open the line for something to be typed."""
        self._purpose, self._recalled = purpose, 0
        line = self.query_one("#line", Input)
        line.display = True
        line.border_title = PROMPTS[purpose]
        line.placeholder = HINTS[purpose]
        line.value = self.filter_words if purpose == "filter" else words
        line.cursor_position = len(line.value)
        self.set_focus(line)  # at once: `focus()` would let keys typed fast go astray
        self.query_one(KeyBar).show()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What opens the line is a letter like any other once it is open; only where there are places is there a jump.

        Until then it goes before the sheet's own keys, or a command typed fast would lose its first letters to them.
        """
        del parameters
        if action == "jump":
            return self.can_jump
        return not (action == "line" and self._purpose)

    def on_input_changed(self, message: Input.Changed) -> None:
        """A filter works while it is typed."""
        if self._purpose == "filter" and message.value != self.filter_words:
            self.filtered(message.value)

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Do what was typed."""
        purpose, words = self._purpose, message.value.strip()
        self.close_line()
        if purpose == "time" and words:
            self.console.command(f"at {words}")
        elif purpose == "command" and words:
            self.console.preferences.history.add(words)
            self.console.command(words)
        elif purpose == "export" and words:
            self.write(words)
        elif purpose == "note" and words:
            self.noted(words)

    def recall(self, step: int) -> None:
        """Bring a command back that was typed before: with a step of -1 an earlier one, with 1 a later one."""
        known = self.console.preferences.history.texts() if self._purpose == "command" else []
        self._recalled = min(max(self._recalled - step, 0), len(known))
        if known:
            line = self.query_one("#line", Input)
            line.value = known[-self._recalled] if self._recalled else ""
            line.cursor_position = len(line.value)

    def close_line(self) -> None:
        """Put the line away; what is shown has the keys again."""
        self._purpose = ""
        self.query_one("#line", Input).display = False
        self.take_keys()
        self.query_one(KeyBar).show()

    def key_escape(self) -> Any:
        """Leave the line; what a filter found so far stays."""
        if self._purpose:
            self.close_line()
        else:
            self.run_back()

    def keys_here(self) -> Iterable[tuple[str, str]]:
        """Every key valid here, with what it does."""
        for key, (_node, binding, enabled, _tip) in self.active_bindings.items():
            if enabled and binding.description:
                yield binding.key_display or self.app.get_key_display(binding) or key, binding.description


def _go(go: Callable[[], object] | None) -> None:
    if go is not None:
        go()
