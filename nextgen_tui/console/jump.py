"""Jump mode: a letter on everything in sight that can be gone to; typing it goes there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from string import ascii_lowercase
from typing import Any

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.geometry import Offset
from textual.screen import ModalScreen, Screen
from textual.strip import Strip
from textual.widget import Widget

LETTERS = "asdfghjkl" + "".join(letter for letter in ascii_lowercase if letter not in "asdfghjkl")
"""Those of the middle row first."""

Place = tuple[Offset, Callable[[], object]]
"""Where on the screen something stands, and what goes to it."""


def label_places(count: int) -> list[str]:
    """So many labels, none the beginning of another: single letters first, as many as leave enough for the rest.

    Raises:
        ValueError: if there are more than two letters can tell apart.
    """
    several = len(LETTERS)
    if count > several * several:
        raise ValueError(f"{count} places, and two letters tell {several * several} apart")
    pairs = 0 if count <= several else -(-(count - several) // (several - 1))
    singles = LETTERS[: several - pairs]
    doubled = [first + second for first in LETTERS[several - pairs :] for second in LETTERS]
    return [*singles, *doubled][:count]


class JumpScreen(ModalScreen["Callable[[], object] | None"]):
    """What stood on the screen with the labels on it; gives what goes to the place whose label was typed."""

    def __init__(self, below: Screen[Any], places: Sequence[Place]) -> None:
        super().__init__()
        labels = label_places(len(places))
        self._goes = {label: go for label, (_, go) in zip(labels, places, strict=True)}
        self._labels = {label: at for label, (at, _) in zip(labels, places, strict=True)}
        self._strips = below._compositor.render_strips()
        self._typed = ""

    def compose(self) -> ComposeResult:
        """The picture, and nothing else."""
        yield LabelledPicture(self._strips, self._labels)

    def on_key(self, event: events.Key) -> None:
        """Go to the label once it is typed; any key that continues none leaves."""
        event.stop()
        event.prevent_default()
        self._typed += event.character or " "
        left = {label: at for label, at in self._labels.items() if label.startswith(self._typed)}
        if self._typed in self._goes or not left:
            self.dismiss(self._goes.get(self._typed))
        else:
            self.query_one(LabelledPicture).show(left, len(self._typed))

    def on_click(self) -> None:
        """Leave."""
        self.dismiss(None)

    def on_resize(self) -> None:
        """What the labels stood on has moved."""
        if self.size.height != len(self._strips):
            self.dismiss(None)


class LabelledPicture(Widget):
    """Rows of a screen, with labels on them."""

    COMPONENT_CLASSES = {"jump--label"}

    def __init__(self, strips: Sequence[Strip], labels: dict[str, Offset]) -> None:
        super().__init__()
        self._strips = strips
        self._labels, self._typed = labels, 0

    def show(self, labels: dict[str, Offset], typed: int) -> None:
        """Leave only these labels, without the letters that were typed."""
        self._labels, self._typed = labels, typed
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """A row as it was, with the labels that stand there."""
        if y >= len(self._strips):
            return Strip.blank(self.size.width)
        style = self.get_component_rich_style("jump--label")
        strip, width = self._strips[y], self.size.width
        for label, at in self._labels.items():
            if at.y == y:
                strip = _print_over(strip, at.x, label[self._typed :], style, width)
        return strip


def _print_over(strip: Strip, x: int, words: str, style: Style, width: int) -> Strip:
    """The strip with words over what stood in their place."""
    parts = [strip.crop(0, x), Strip([Segment(words, style)]), strip.crop(x + len(words), width)]
    return Strip.join(parts)
