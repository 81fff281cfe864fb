"""What lies over a screen for a moment: the keys, and the question before anything is asked of the daemon."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.scroll_view import ScrollView
from textual.widgets import Button, Input, Static

from nextgen_tui.cli.error_messages import describe_error
from nextgen_tui.console.notes import LABEL, Line, fact, heading, note, plain_text
from nextgen_tui.console.operator.command_parser import (
    LOCAL_COMMANDS,
    REQUEST_COMMANDS,
    WAITS_FOR_DAEMON,
    PendingRequest,
)
from nextgen_tui.console.screen_frame import NotesWidget, SafeInput
from nextgen_tui.console.sheet.sheet import Cell, matches
from nextgen_tui.console.styles import content
from nextgen_tui.text.safe_text import safe_text

CHART_HELP = (
    "In the fan, the solid line is the past with dividends and splits taken out, the dotted one the forecast's median; "
    "the grounds hold the outcome in 50, 80 and 90 % of cases if the forecasts are honest, which screen 4 measures."
)


UNLISTED = ("Copy selected text", "Scroll Left", "Scroll Right", "Page Left", "Page Right")
"""Built-in key bindings that have no use here."""


class HelpScreen(ModalScreen[None]):
    """The keys valid where it was called, the screens, the commands."""

    BINDINGS = [
        Binding("escape,question_mark,q,enter,backspace", "dismiss", "Close"),
        Binding("slash", "search", "Search", key_display="/"),
    ]

    def __init__(self, keys: Sequence[tuple[str, str]], screens: Sequence[tuple[str, str, str]]) -> None:
        super().__init__()
        self._keys = keys
        self._screens = screens

    def compose(self) -> ComposeResult:
        """One page that scrolls, with a line to search it by."""
        with Vertical(id="help"):
            yield SafeInput(placeholder="/ searches keys and commands", id="sought")
            with VerticalScroll(id="help-lines"):
                yield Static(content(self.lines()), markup=False, id="help-text")

    def on_mount(self) -> None:
        """The page has the keys until somebody searches."""
        self.query_one("#help-lines").focus()

    def action_search(self) -> None:
        """Let the operator type what he looks for."""
        self.query_one("#sought", Input).focus()

    def on_input_changed(self, message: Input.Changed) -> None:
        """Show the lines that show every word."""
        words = message.value
        kept = [line for line in self.lines() if not words or matches(plain_text([line]), words)]
        found = kept or [note("Nothing here shows that.", "dim")]
        self.query_one("#help-text", Static).update(content(found))

    def on_input_submitted(self) -> None:
        """What was found is there to be read; the page has the keys again."""
        self.query_one("#help-lines").focus()

    def lines(self) -> list[Line]:
        """What it says."""
        lines: list[Line] = [heading("Keys here")]
        lines += [(Cell(f"{key:>12}  ", "accent"), Cell(words)) for key, words in self._keys]
        lines += [note(""), heading("Screens")]
        lines += [
            (Cell(f"{number:>12}  ", "accent"), Cell(f"{name:<12}"), Cell(question, "dim"))
            for number, name, question in self._screens
        ]
        lines += [note(""), heading("Commands, after :")]
        lines += [(Cell("  " + words),) for words in (*REQUEST_COMMANDS.values(), *LOCAL_COMMANDS.values())]
        lines += [note(""), note(CHART_HELP, "dim"), note(""), note("escape closes this page.", "dim")]
        return lines


class ConfirmScreen(ModalScreen[PendingRequest | None]):
    """Shows what a request does; sends it at most once. Cancel has the keys at first."""

    BINDINGS = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(
        self,
        pending: PendingRequest,
        daemon: bool,
        rehearse: Callable[[], tuple[str, ...]] | None = None,
        also: Sequence[PendingRequest] = (),
    ) -> None:
        """Ask about a request, and others that are sent with it for the same reason.

        `rehearse` reads what will be true after it, while the dialog is shown already.
        """
        super().__init__()
        self._rehearse = rehearse
        self._also = tuple(also)
        self._pending = pending
        self._daemon = daemon
        self._sent = False

    def compose(self) -> ComposeResult:
        """What, with what consequence and effect, why, and two buttons."""
        with Vertical(id="confirm"):
            with VerticalScroll(id="effects", can_focus=False):
                told = (note("working out what will be true ...", "dim"),) if self._rehearse else ()
                yield NotesWidget("effect-lines", self._lines(told))
            why = (
                "reason (required; recorded with the decision)"
                if self._pending.requires_reason
                else "reason (optional; recorded with it)"
            )
            yield SafeInput(placeholder=why, id="why", max_length=1_000)
            with Horizontal(id="buttons"):
                yield Button(Content("Cancel"), id="cancel", variant="default")
                yield Button(Content("Record" if self._pending.immediate else "Send"), id="send", variant="primary")

    def on_mount(self) -> None:
        """Nothing happens by pressing enter too fast."""
        self.query_one("#cancel", Button).focus()
        if self._rehearse is not None:
            self._tell(self._rehearse)

    def _lines(self, told: Sequence[Line]) -> list[Line]:
        """What is asked, what will be true after it, and what it reads and writes."""
        request = self._pending.request
        what = " ".join(str(part) for part in (request.action, request.target, request.session or "") if part)
        title = "Record" if self._pending.immediate else "Request to the daemon"
        lines: list[Line] = [(Cell(f"{title}: {safe_text(what, 120)}", "accent"),)]
        lines += [(Cell(f"and: {safe_text(one.request.target, 120)}", "accent"),) for one in self._also]
        lines += [note("")]
        lines += [*((heading("afterwards"),) if told else ()), *told, *([note("")] if told else [])]
        lines += [_effect(line) for line in self._pending.lines]
        lines += [note("")]
        lines += [] if self._daemon or self._pending.immediate else [note(WAITS_FOR_DAEMON, "warn")]
        return [*lines, fact("request", request.request_id)]

    @work(thread=True, exit_on_error=False, group="rehearse")
    def _tell(self, rehearse: Callable[[], tuple[str, ...]]) -> None:
        """Read what will be true; where it cannot be read, the dialog says so and asks all the same."""
        try:
            told = [note(f"· {sentence}", max_length=300) for sentence in rehearse()]
        except BaseException as error:  # whatever it is has to become a sentence, or one would wait for it
            told = [note(f"not known: {describe_error(error)[1]}", "warn")]
        self.app.call_from_thread(self._show, told)

    def _show(self, told: Sequence[Line]) -> None:
        if self.is_attached:
            self.query_one("#effect-lines", NotesWidget).show(self._lines(told))

    def on_button_pressed(self, message: Button.Pressed) -> None:
        """Send, or do not."""
        if message.button.id == "send":
            self._send()
        elif not self._sent:
            self.dismiss(None)

    def on_input_submitted(self) -> None:
        """A reason that is there leads on to the buttons; nothing is sent by it."""
        self.query_one("#send", Button).focus()

    def _send(self) -> None:
        why = self.query_one("#why", Input)
        if self._pending.requires_reason and not why.value.strip():
            self.notify("Enter a reason first.", severity="warning", markup=False)
            why.focus()
        elif not self._sent:
            self._sent = True
            self.dismiss(self._pending.with_reason(why.value.strip()))


def _effect(line: str) -> Line:
    """What it reads or writes, under its label where it has one."""
    label, gap, rest = line.partition("  ")
    return fact(label, rest, max_length=900) if gap and len(label) < LABEL else note(line, max_length=900)


def list_keys(screen: Screen[Any]) -> Iterable[tuple[str, str]]:
    """What is done here, each with all its keys: what the line at the bottom shows first, what moves about last."""
    keys: dict[str, list[str]] = {}
    found = [one for one in screen.active_bindings.items() if one[1].enabled and one[1].binding.description]
    for key, active in sorted(found, key=lambda one: (not one[1].binding.show, isinstance(one[1].node, ScrollView))):
        binding = active.binding
        if not binding.action.startswith("page(") and binding.description not in UNLISTED:
            keys.setdefault(binding.description, []).append(binding.key_display or key.replace("_", " "))
    return ((" ".join(dict.fromkeys(names)), words) for words, names in keys.items())
