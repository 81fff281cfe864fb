"""The page that says which keys do what."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

KEYS = (
    ("1", "Health: is everything alright, did the last cycle run?"),
    ("3", "Predictions: what is expected, for whom, how surely?"),
    ("h", "Predictions: next horizon"),
    ("s", "Predictions: next order"),
    ("↑ ↓", "move in a table"),
    ("r", "read the lake again now"),
    ("d", "dark or light"),
    ("?", "this page"),
    ("q", "quit"),
)
_WORDS = """
In the chart the solid line is the past, dividends and splits taken out, and the dotted one the forecast's median.
▓ holds the outcome in 50 % of cases, ▒ in 80 %, ░ in 90 %, if the forecasts are honest: the health page says whether
they were.

The console only reads. It follows the lake by itself and shows a session once it is published as a whole.
"""


class HelpScreen(ModalScreen[None]):
    """Keys, and how to read the chart."""

    BINDINGS = [("escape,question_mark,q", "dismiss", "Close")]

    def compose(self) -> ComposeResult:
        """One scrolling page."""
        keys = "\n".join(f"{key:>8}  {words}" for key, words in KEYS)
        words = "\n\n".join(" ".join(part.split("\n")) for part in _WORDS.strip().split("\n\n"))
        with VerticalScroll(id="help"):
            yield Static(Content(f"{keys}\n\n{words}\n\nescape closes this page."), markup=False)
