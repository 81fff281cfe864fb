"""What every full screen shares: the bar at the top, the screens by number, and what it needs of the app."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from rich.cells import cell_len
from textual.content import Content
from textual.geometry import Offset, Region, Size
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Static

from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.notes import Line, wrap_hanging
from nextgen_tui.console.page import Action, Detail, Link, PageState
from nextgen_tui.console.screens import PageEntry
from nextgen_tui.console.sheet.sheet import Cell, Style
from nextgen_tui.console.styles import content
from nextgen_tui.console.time_travel import AsOf
from nextgen_tui.remembered.preferences import Preferences
from nextgen_tui.text import formats
from nextgen_tui.text.safe_text import remove_unsafe, safe_text
from pipeline.reading.daemon import Activity
from pipeline.reading.health_verdict import Health

MAX_TYPED = 1_000
"""Characters that a line takes; a megabyte pasted by mistake would stop the console for seconds."""


class Console(Protocol):
    """What screens ask of the app."""

    lake_path: Path
    lake_name: str
    pages: dict[str, PageEntry]
    view: LakeView | None
    at: AsOf | None
    """Where it was asked to stand."""
    shown_at: AsOf | None
    """Where that is from which the screen in front shows."""
    read_only: bool
    """Whether it was started with --read-only."""
    trouble: str
    """What went wrong at the last look, in a sentence; empty if nothing."""
    read_at: datetime | None
    playing: bool
    """Whether time runs."""
    activity: Activity
    """What the daemon does now."""
    health: Health | None
    """The verdict of now; None until it was judged."""
    preferences: Preferences
    """What is kept for the operator."""

    def page_state(self, name: str) -> PageState:
        """What is known of a page."""

    def open_detail(self, job: Callable[[LakeView], Detail | None]) -> None:
        """Read a story in the background and open it."""

    def follow(self, link: Link) -> None:
        """Open what a link leads to."""

    def unfold(self, link: Link) -> None:
        """Open the tree of a row."""

    def read_beside(self, job: Callable[[LakeView], Any], then: Callable[[Any], None]) -> None:
        """Read in the background, and hand on what was read."""

    def command(self, words: str) -> None:
        """Carry out what was typed."""

    def may_write(self) -> bool:
        """Whether anything can be put on record from here; says why not."""

    def write_note(self, target: str, words: str) -> None:
        """Put a note on record."""

    def act(self, act: Action) -> None:
        """Show what an act would do, and let the operator send it."""

    def act_on(self, acts: Sequence[Action]) -> None:
        """Show what an act on several rows would do, and let the operator send it to all of them."""


@dataclass(frozen=True)
class BarPiece:
    """A piece of the bar at the top, and how it is written where there is less room."""

    texts: tuple[str, ...]
    """From the longest to the shortest; an empty one leaves the piece out."""
    style: Style = ""
    order: int = 0
    """Pieces of the lowest order give way first."""


def top_bar(console: Console, width: int) -> tuple[Line, bool]:
    """The bar at the top, as much of it as fits the width, and whether it speaks of the past."""
    name = console.lake_name
    lake = BarPiece((safe_text(name, 60), safe_text(name.rpartition("/")[2], 24)), order=0)
    reading = () if console.at == console.shown_at else (BarPiece((f"▸ reading {_moment(console.at)}", "▸"), "accent"),)
    if console.shown_at is not None:
        play = "p pause" if console.playing else "p play"
        steps = BarPiece(("< earlier   > later", "< >"), order=2)
        live = BarPiece((":live for now", ":live"), order=1)
        pieces = [
            BarPiece((f"◀ AS OF {console.shown_at.words}",)),
            *reading,
            *_trading(console.health),
            steps,
            BarPiece((play,)),
            live,
            lake,
        ]
        return fit_pieces(pieces, width), True
    session = formats.day(console.view.session) if console.view else formats.MISSING
    read = f"{console.read_at:%H:%M:%S}Z" if console.read_at else formats.MISSING
    doing = [safe_text(words, 100) for words in console.activity.doing]
    pieces = [
        BarPiece((f"nextgen  session {session}", f"session {session}", session), order=3),
        BarPiece((f"● live, read {read}", "● live"), order=2),
        *reading,
        *_trading(console.health),
        *([BarPiece(("READ ONLY",))] if console.read_only else []),
        *([] if console.activity.daemon or console.read_at is None else [BarPiece(("○ no daemon",), "warn")]),
        *(BarPiece((f"▸ {words}", f"▸ {safe_text(words, 20)}", ""), "accent", 1) for words in doing),
        *_verdict(console.health),
        lake,
    ]
    return fit_pieces(pieces, width), False


def _moment(at: AsOf | None) -> str:
    return at.words if at is not None else "now"


def fit_pieces(pieces: Sequence[BarPiece], width: int) -> Line:
    """The pieces, two spaces apart, those of the lowest order shortened until all fit the width."""
    shown = [0] * len(pieces)

    def texts() -> list[str]:
        return [piece.texts[number] for piece, number in zip(pieces, shown, strict=True)]

    while sum(cell_len(text) + 2 for text in texts() if text) - 2 > width:
        shrinking = [at for at, piece in enumerate(pieces) if shown[at] + 1 < len(piece.texts)]
        if not shrinking:
            break
        shown[min(shrinking, key=lambda at: pieces[at].order)] += 1
    fitting = [(text, piece.style) for text, piece in zip(texts(), pieces, strict=True) if text]
    return tuple(
        Cell(f"{text}  " if at < len(fitting) - 1 else text, style) for at, (text, style) in enumerate(fitting)
    )


def _trading(health: Health | None) -> tuple[BarPiece, ...]:
    """That trading is paused or killed now, on every screen and at any width."""
    parts = health.parts if health is not None else ()
    state = next((str(part.facts["state"]) for part in parts if part.service == "trading"), "running")
    return () if state == "running" else (BarPiece((f"■ TRADING {state.upper()}", f"■ {state.upper()}"), "bad", 5),)


def _verdict(health: Health | None) -> tuple[BarPiece, ...]:
    """The verdict in short, where there is something to see to; screen 1 says it whole."""
    if health is None or health.status == "ok":
        return ()
    sign: tuple[str, Style] = ("✗", "bad") if health.status == "fail" else ("!", "warn")
    texts = (safe_text(f"{sign[0]} {health.describe_briefly(count)}", 60) for count in (3, 1))
    return (BarPiece((*texts, f"{sign[0]} {health.status}"), sign[1], order=4),)


SHORT = 3
"""Letters of a screen's name where there is no room for all of them."""


def tab_words(pages: Sequence[PageEntry], here: str, width: int) -> list[str]:
    """What stands for each screen: number and name, or as much of the names as there is room for."""

    def words(letters: int) -> list[str]:
        gap = " " if letters > SHORT else ""
        return [
            f" {page.number} {page.name} "
            if page.name.lower() == here
            else f" {page.number}{gap}{page.name[:letters]}{gap}"
            for page in pages
        ]

    longest = max((len(page.name) for page in pages), default=0)
    fitting = (found for letters in (longest, SHORT) if sum(map(len, found := words(letters))) + len(found) <= width)
    bare = [f" {page.number} {page.name} " if page.name.lower() == here else f" {page.number} " for page in pages]
    return next(fitting, bare)


def render_tabs(pages: Sequence[PageEntry], here: str, width: int) -> Content:
    """The screens by number; the one in front stands out."""
    parts: list[Content] = []
    for page, words in zip(pages, tab_words(pages, here, width), strict=True):
        style = "bold $text-primary reverse" if page.name.lower() == here else "$foreground 70%"
        parts += [Content.styled(words, style), Content(" ")]
    return Content.assemble(*parts)


def tab_at(pages: Sequence[PageEntry], here: str, width: int, x: int) -> str | None:
    """Which screen stands at a place of that line."""
    left = 0
    for page, words in zip(pages, tab_words(pages, here, width), strict=True):
        if left <= x < left + len(words):
            return page.name.lower()
        left += len(words) + 1
    return None


class TextLine(Static):
    """Text that is drawn again only where it is another, and moves what is around it only where its height is."""

    _text = Content()

    def __init__(self, id: str) -> None:
        super().__init__(id=id, markup=False)

    def show(self, words: Content) -> None:
        """Show other words."""
        before, self._text = self._text, words
        if not words.is_same(before):
            width = self.content_size.width
            grown = width == 0 or words.get_height({}, width) != before.get_height({}, width)
            self.update(words, layout=grown)


class NotesWidget(Widget):
    """Lines of notes, long ones broken to the room there is when they are laid out."""

    def __init__(self, id: str, lines: Sequence[Line] = ()) -> None:
        super().__init__(id=id)
        self.lines = tuple(lines)

    def show(self, lines: Sequence[Line]) -> None:
        """Show other lines; what is around them moves only where there are more or fewer."""
        before, self.lines = self.lines, tuple(lines)
        if self.lines != before:
            width = self.content_size.width
            self.refresh(layout=width == 0 or _height(before, width) != _height(self.lines, width))

    def render(self) -> Content:
        """The lines as they are broken."""
        return _broken(self.lines, self.content_size.width)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """How many there are at a width."""
        del container, viewport
        return _height(self.lines, width)


def _broken(lines: Sequence[Line], width: int) -> Content:
    return content([part for line in lines for part in wrap_hanging(line, width)])


def _height(lines: Sequence[Line], width: int) -> int:
    return _broken(lines, width).get_height({}, width) if lines else 0


class SafeInput(Input):
    """A line to type on; what is pasted into it can steer the terminal as little as what is read."""

    def validate_value(self, value: str) -> str:
        """What stays of what was typed or pasted."""
        return remove_unsafe(value[: 4 * MAX_TYPED])[:MAX_TYPED]


class ScreenTabs(TextLine):
    """The line of screens; a click goes there."""

    here = ""

    def on_click(self, event: Any) -> None:
        """Go to the screen whose name was clicked."""
        console: Any = self.app
        name = tab_at(list(console.pages.values()), self.here, self.size.width, event.x)
        if name:
            console.command(f"go {name}")


class SheetTabs(TextLine):
    """The line of a screen's sheets; a click turns to one."""

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self._spans: list[tuple[int, int, str]] = []

    def show_sheets(self, names: Sequence[str], here: str, words: str) -> None:
        """Show the sheets, the one in front in brackets, and what is said about it."""
        parts: list[Cell] = []
        self._spans, left = [], 1
        for name in names:
            parts.append(Cell(f"[{name}]" if name == here else f" {name} ", "accent" if name == here else "dim"))
            self._spans.append((left, left + cell_len(name) + 2, name))
            left += cell_len(name) + 2
        self.show(content([(*parts, Cell(words, "dim"))]))

    def sheet_places(self) -> list[tuple[Offset, str]]:
        """Where each sheet's name begins, in the widget."""
        return [(Offset(left, 0), name) for left, _, name in self._spans]

    def on_click(self, event: Any) -> None:
        """Turn to the sheet whose name was clicked."""
        screen: Any = self.screen
        for left, right, name in self._spans:
            if left <= event.x < right:
                screen.turn_to(name)


TYPING = (("⏎", "Accept", "enter"), ("esc", "Cancel", "escape"))
"""The keys of the line one types on: every other is a letter there."""


class KeyBar(Static):
    """The line of keys valid here; a click presses one. A footer of many widgets would cost a tenth of a second."""

    def __init__(self) -> None:
        super().__init__(id="keys", markup=False)
        self._spans: list[tuple[int, int, str]] = []
        self._shown: tuple[object, ...] = ()

    def show(self) -> None:
        """Show what is valid now: first what can be done, always help and the way out; the rest as far as it fits."""
        entries = tuple(visible_keys(self.screen))
        if (entries, self.size.width) == self._shown:
            return
        self._shown = entries, self.size.width
        kept = fit_entries(entries, self.size.width)
        self._spans, parts, left = [], list[Content](), 1
        for shown, words, key in kept:
            parts += [Content.styled(f" {shown}", "bold $text-accent"), Content.styled(f" {words}", "$foreground 80%")]
            width = cell_len(shown) + cell_len(words) + 2
            self._spans.append((left, left + width, key))
            left += width
        self.update(Content.assemble(*parts))

    def on_resize(self) -> None:
        """Another width, other keys that fit."""
        self.show()

    def on_click(self, event: Any) -> None:
        """Press the key that was clicked."""
        for left, right, key in self._spans:
            if left <= event.x < right:
                self.app.simulate_key(key)


def visible_keys(screen: Screen[Any]) -> Iterable[tuple[str, str, str]]:
    """Every key that is shown: how it is written, what it does, its name; what can be done about a row first."""
    if isinstance(screen.focused, SafeInput):
        yield from TYPING
        return
    found = [
        (binding.key_display or screen.app.get_key_display(binding), binding.description, key, binding.action)
        for key, (_node, binding, enabled, _tip) in screen.active_bindings.items()
        if enabled and binding.show and binding.description
    ]
    seen: set[str] = set()
    for shown, words, key, action in sorted(found, key=lambda one: not one[3].startswith("act(")):
        if action not in seen:  # a second key for it is in the help
            seen.add(action)
            yield shown, words, key


def fit_entries(entries: Sequence[tuple[str, str, str]], width: int) -> list[tuple[str, str, str]]:
    """The entries that fit a line whole, in their order; the last two, help and quit, before any other."""
    room = width - 2
    kept: set[int] = set()
    for number in (*range(len(entries))[-2:], *range(len(entries))[:-2]):
        shown, words, _ = entries[number]
        needed = cell_len(shown) + cell_len(words) + 2
        if needed > room:
            break
        kept.add(number)
        room -= needed
    return [entries[number] for number in sorted(kept)]


def screen_lines(screen: Screen[Any]) -> list[str]:
    """What stands on the screen, line by line."""
    width, height = screen.size
    strips = screen._compositor.render_strips()
    assert Region(0, 0, width, height)
    return ["".join(segment.text for segment in strip).rstrip() for strip in strips]
