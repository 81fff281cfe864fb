"""The widget that shows a sheet: only the rows in sight are formatted, so a hundred thousand cost as little as ten."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding
from textual.geometry import Offset, Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from nextgen_tui.console.sheet.sheet import GAP, Cell, Col, Sheet
from nextgen_tui.text.safe_text import remove_unsafe

STYLES = ("good", "warn", "bad", "dim", "accent", "title", "trend")
RISING, FALLING = " ▲", " ▼"


class SheetWidget(ScrollView, can_focus=True):
    """Rows under a heading, one of them chosen."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"sheet--{style}" for style in STYLES),
        "sheet--heading",
        "sheet--cursor",
        "sheet--odd",
    }
    BINDINGS = [
        Binding("up,k", "move(-1)", "Up", show=False, id="up"),
        Binding("down,j", "move(1)", "Down", show=False, id="down"),
        Binding("pageup", "page(-1)", "Page up", show=False, id="page-up"),
        Binding("pagedown", "page(1)", "Page down", show=False, id="page-down"),
        Binding("home,g", "edge(0)", "First", show=False, id="first"),
        Binding("end,G", "edge(1)", "Last", show=False, id="last"),
        Binding("left", "columns(-1)", "Columns to the left", show=False, id="columns-left"),
        Binding("right", "columns(1)", "Columns to the right", show=False, id="columns-right"),
        Binding("enter", "choose", "Open", id="open"),
    ]

    shows_lines: ClassVar[bool] = True
    """Whether a row is a line, so that several can be marked."""

    @dataclass
    class Moved(Message):
        """The cursor stands on another row, or on none."""

        row: int | None

    @dataclass
    class Chosen(Message):
        """A row was opened."""

        row: int

    @dataclass
    class HeadingClicked(Message):
        """A heading was clicked."""

        heading: str

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.sheet: Sheet | None = None
        self.cursor = 0
        self.order: tuple[str, bool] | None = None
        """Heading and whether descending."""
        self._marked: set[tuple[Any, ...]] = set()
        self._columns: list[tuple[int, int]] = []
        self._skip = 0
        """Columns after the first that were scrolled out of sight."""
        self._lines: dict[int, list[tuple[str, str]]] = {}
        self._strips: dict[int, Strip] = {}
        self._styles: dict[str, Style] = {}

    def show(self, sheet: Sheet, cursor: int, order: tuple[str, bool] | None) -> None:
        """Show a sheet with the cursor on a row."""
        if self.sheet is None or self.sheet.cols != sheet.cols:
            self._skip = 0
        self.sheet, self.order = sheet, order
        self.cursor = min(max(cursor, 0), max(sheet.height - 1, 0))
        self._lay_out()
        self._follow()
        self.post_message(self.Moved(self.row))

    def mark(self, keys: Iterable[tuple[Any, ...]]) -> None:
        """Mark the rows of these keys, which were chosen together."""
        if set(keys) != self._marked:
            self._marked = set(keys)
            self._lines.clear()
            self._strips.clear()
            self.refresh()

    @property
    def row(self) -> int | None:
        """The chosen row's number; None where there are none."""
        return self.cursor if self.sheet is not None and self.sheet.height else None

    def text(self) -> list[str]:
        """The heading and every row as shown, for tests."""
        if self.sheet is None:
            return []
        rows = ("".join(words for words, _ in self._cells(number)).rstrip() for number in range(self.sheet.height))
        return ["".join(words for words, _ in self._heading()).rstrip(), *rows]

    def on_resize(self) -> None:
        """Choose again which columns and legends fit, and say so where others do."""
        before = self.hidden_columns, self.untold_legends
        self._lay_out()
        if (self.hidden_columns, self.untold_legends) != before:
            self.post_message(self.Moved(self.row))

    def render_line(self, y: int) -> Strip:
        """The heading, then the rows that are scrolled into sight."""
        width = self.size.width
        if self.sheet is None:
            return Strip.blank(width, self._style(""))
        if y == 0:
            return self._strip(self._heading(), self._style("sheet--heading"), width)
        number = y - 1 + self.scroll_offset.y
        if self.sheet.height == 0 and y == 2:
            return self._strip([(" " + self.sheet.empty, "dim")], self._style(""), width)
        if number >= self.sheet.height:
            return Strip.blank(width, self._style(""))
        if number not in self._strips:
            ground = "sheet--cursor" if number == self.cursor else "sheet--odd" if number % 2 else ""
            self._strips[number] = self._strip(self._cells(number), self._style(ground), width)
        return self._strips[number]

    def notify_style_update(self) -> None:
        """Another theme, other colours."""
        super().notify_style_update()
        self._styles.clear()
        self._strips.clear()

    def _style(self, name: str) -> Style:
        """A component's style, or the widget's own: asking the stylesheet costs more than drawing a row."""
        if name not in self._styles:
            self._styles[name] = self.get_component_rich_style(name) if name else self.rich_style
        return self._styles[name]

    def _strip(self, parts: Sequence[tuple[str, str]], ground: Style, width: int) -> Strip:
        segments = [
            Segment(remove_unsafe(words), ground + self._ink(style) if style else ground) for words, style in parts
        ]
        return Strip(segments).adjust_cell_length(width, ground)

    def _ink(self, style: str) -> Style:
        if f"ink {style}" not in self._styles:
            own = self.get_component_rich_style(f"sheet--{style}")
            self._styles[f"ink {style}"] = Style(color=own.color, bold=own.bold)
        return self._styles[f"ink {style}"]

    def _heading(self) -> list[tuple[str, str]]:
        assert self.sheet is not None
        parts = []
        for number, width in self._columns:
            col = self.sheet.cols[number]
            arrow = (FALLING if self.order[1] else RISING) if self.order and self.order[0] == col.heading else ""
            parts.append((_fit(col.heading_within(width - len(arrow)) + arrow, width, col.right) + " " * GAP, ""))
        return [(" ", ""), *parts]

    def _cells(self, number: int) -> list[tuple[str, str]]:
        if number not in self._lines:
            assert self.sheet is not None
            cells = self.sheet.cells(number)
            shown = [piece for n, width in self._columns for piece in _pieces(cells[n], self.sheet.cols[n], width)]
            marked = bool(self._marked) and self.sheet.key_of(number) in self._marked
            mark = "◆" if marked else "▌" if number == self.cursor else " "
            self._lines[number] = [(mark, "accent"), *shown]
        return self._lines[number]

    def _lay_out(self) -> None:
        self._lines.clear()
        self._strips.clear()
        if self.sheet is not None:
            self._columns = self.sheet.layout(max(self.size.width - 2, 1), self._skip)
            self.virtual_size = Size(self.size.width, self.sheet.height + 1)
        self.refresh()

    def _follow(self) -> None:
        """Bring the chosen row into sight."""
        rows = max(self.size.height - 1, 1)
        top = self.scroll_offset.y
        if not top <= self.cursor < top + rows:
            self.scroll_to(
                y=self.cursor if self.cursor < top else self.cursor - rows + 1, animate=False, immediate=True
            )

    def _go(self, row: int) -> None:
        if self.sheet is None or not self.sheet.height:
            return
        row = min(max(row, 0), self.sheet.height - 1)
        if row != self.cursor:
            changed, top = (self.cursor, row), self.scroll_offset.y
            for number in changed:
                self._lines.pop(number, None)
                self._strips.pop(number, None)
            self.cursor = row
            self._follow()
            if self.scroll_offset.y == top:
                self.refresh(*(Region(0, number - top + 1, self.size.width, 1) for number in changed))
            else:
                self.refresh()
            self.post_message(self.Moved(row))

    def action_move(self, step: int) -> None:
        """Choose the row so many further down."""
        self._go(self.cursor + step)

    def action_page(self, pages: int) -> None:
        """Choose the row a page further."""
        self._go(self.cursor + pages * max(self.size.height - 2, 1))

    def action_edge(self, last: int) -> None:
        """Choose the first or the last row."""
        self._go(self.sheet.height - 1 if last and self.sheet else 0)

    @property
    def hidden_columns(self) -> int:
        """How many columns there is no room for now."""
        return len(self.sheet.cols) - len(self._columns) if self.sheet is not None and self._columns else 0

    @property
    def untold_legends(self) -> list[str]:
        """What signs in sight mean whose columns are too narrow to say it in their headings."""
        shown = [(self.sheet.cols[number], width) for number, width in self._columns] if self.sheet is not None else []
        return [col.legend for col, width in shown if col.legend and col.legend not in col.heading_within(width - 2)]

    def action_columns(self, step: int) -> None:
        """Scroll the columns after the first; back at the first ones, those that matter most are shown again."""
        if self.sheet is None or (step > 0 and not self._hides_more):
            return
        self._skip = min(max(self._skip + step, 0), max(len(self.sheet.cols) - 2, 0))
        self._lay_out()
        self.post_message(self.Moved(self.row))

    @property
    def _hides_more(self) -> bool:
        """Whether a column further right is out of sight."""
        assert self.sheet is not None
        return self.hidden_columns > 0 and (not self._skip or self._columns[-1][0] < len(self.sheet.cols) - 1)

    def action_choose(self) -> None:
        """Open the chosen row."""
        if self.row is not None:
            self.post_message(self.Chosen(self.row))

    def on_click(self, event: events.Click) -> None:
        """A heading sorts; a row is chosen, and opened by a second click."""
        if self.sheet is None:
            return
        if event.y == 0:
            self._click_heading(event.x)
            return
        row = event.y - 1 + self.scroll_offset.y
        if row < self.sheet.height:
            again = row == self.cursor and event.chain > 1
            self._go(row)
            if again:
                self.action_choose()

    def _click_heading(self, x: int) -> None:
        found = [heading for place, heading in self.heading_places() if place.x <= x]
        if found and x <= sum(width + GAP for _, width in self._columns):
            self.post_message(self.HeadingClicked(found[-1]))

    def heading_places(self) -> list[tuple[Offset, str]]:
        """Where each heading in sight begins, in the widget."""
        places, left = [], 1
        for number, width in self._columns if self.sheet is not None else ():
            places.append((Offset(left, 0), self.sheet.cols[number].heading))  # type: ignore[union-attr]
            left += width + GAP
        return places

    def row_places(self) -> list[tuple[Offset, int]]:
        """Where each row in sight begins, in the widget."""
        top = self.scroll_offset.y
        rows = range(top, min(top + self.size.height - 1, self.sheet.height if self.sheet is not None else 0))
        return [(Offset(0, row - top + 1), row) for row in rows]

    def go_to(self, row: int) -> None:
        """Choose a row."""
        self._go(row)

    def watch_scroll_y(self, old: float, new: float) -> None:
        """Repaint what came into sight."""
        super().watch_scroll_y(old, new)
        self.refresh()

    def get_selection(self, _selection: Any) -> None:
        """Nothing here is selected by dragging; `y` copies."""
        return

    @property
    def cursor_region(self) -> Region:
        """Where the chosen row stands, in the widget."""
        return Region(0, self.cursor - self.scroll_offset.y + 1, self.size.width, 1)


def _pieces(cell: Cell, col: Col, width: int) -> list[tuple[str, str]]:
    """A cell and the gap after it; of pieces that are too many for the width, the first or the last are left out."""
    if not cell.parts:
        return [(_fit(cell.text, width, col.right) + " " * GAP, cell.style)]
    over = len(cell.text) - width
    kept: list[tuple[str, str]] = []
    for text, style in reversed(cell.parts) if col.stretch else cell.parts:
        room = width - sum(len(piece) for piece, _ in kept)
        kept.append((text[-room:] if col.stretch else text[:room], style)) if room > 0 else None
    kept = kept[::-1] if col.stretch else kept
    return [*kept, (" " * (max(-over, 0) + GAP), "")]


def _fit(words: str, width: int, right: bool) -> str:
    """The words in exactly so many characters; what is cut ends in an ellipsis."""
    from rich.cells import cell_len, set_cell_size

    if cell_len(words) > width:
        return set_cell_size(words, max(width - 1, 0)) + "…" if width else ""
    spare = " " * (width - cell_len(words))
    return spare + words if right else words + spare
