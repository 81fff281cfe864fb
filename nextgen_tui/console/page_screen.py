"""The one screen that shows any page: sheet, notes and picture, filtered, sorted, opened, copied, exported."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Vertical
from textual.screen import Screen
from textual.widgets import Input

from nextgen_tui.console.charts.chart_widget import ChartWidget
from nextgen_tui.console.notes import note, plain_text
from nextgen_tui.console.page import ACTION_KEYS, Action, Page, PageState, Row
from nextgen_tui.console.screen_frame import (
    Console,
    KeyBar,
    NotesWidget,
    SafeInput,
    ScreenTabs,
    TextLine,
    render_tabs,
    top_bar,
)
from nextgen_tui.console.sheet.export import ExportError, export, file_name
from nextgen_tui.console.sheet.sheet import Cell, Sheet
from nextgen_tui.console.sheet.sheet_widget import SheetWidget
from nextgen_tui.console.styles import content
from nextgen_tui.text import formats
from nextgen_tui.text.safe_text import safe_text

DETAIL_DELAY = 0.03
"""Seconds before notes and picture follow the cursor, so that a held key moves it without a stutter."""
PROMPTS = {"filter": "/", "command": ":", "time": "as of", "export": "export to"}
"""What the line at the bottom is for -> what stands before it."""
HINTS = {
    "filter": "show the rows that contain every word",
    "command": "cycle, train, maintain, at, live, daemon ... (? lists them all)",
    "time": "a session as 2026-01-05, a UTC time as 2026-01-05T21:00, or a run's id",
    "export": "a file name ending in .csv or .parquet",
}
"""What it is for -> what can be typed."""


@dataclass
class SheetState:
    """Where the operator stands in one sheet: kept while he is elsewhere."""

    filter: str = ""
    order: tuple[str, bool] | None = None
    key: tuple[Any, ...] | None = None


@dataclass
class PageMemory:
    """The sheets of one screen."""

    sheet: str = ""
    states: dict[str, SheetState] = field(default_factory=dict)


class PageScreen(Screen[None]):
    """Shows a page and keeps where the operator stands in it."""

    BINDINGS = [
        Binding("tab", "sheet(1)", "Sheet"),
        Binding("shift+tab", "sheet(-1)", "Previous sheet", show=False),
        Binding("slash", "line('filter')", "Filter", key_display="/", priority=True),
        Binding("s", "sort", "Sort"),
        Binding("S", "turn", "Reverse the order", show=False, key_display="S"),
        Binding("l", "lineage", "Lineage"),
        Binding("t", "line('time')", "Time", priority=True),
        Binding("colon", "line('command')", "Command", key_display=":", priority=True),
        Binding("e", "export", "Export"),
        Binding("y", "copy", "Copy"),
        *(Binding(key, f"act('{name}')", label, key_display=key) for name, (key, label) in ACTION_KEYS.items()),
        Binding("escape,backspace", "back", "Clear the filter", show=False),
    ]

    def __init__(self, page: Page[Any]) -> None:
        # Told its width only once it is styled, it would be styled again before its first paint.
        widths = reversed(self.app.HORIZONTAL_BREAKPOINTS or [])
        super().__init__(classes=next((name for least, name in widths if self.app.size.width >= least), None))
        # It is styled as it is mounted; taken for stale, it would have every style parsed again, twice.
        self._css_update_count = self.app._css_update_count
        self.page = page
        self._state = PageState()
        self._memory = PageMemory()
        self._purpose = ""
        self._detail_due = False
        self._sheets: dict[tuple[str, tuple[str, bool] | None], Sheet] = {}
        """The sheets of the data on screen, in each order, unfiltered; made when first shown."""
        self._can: tuple[str, ...] = ()
        """What could be done about the row when the footer was last drawn."""

    # ---- made of

    def compose(self) -> ComposeResult:
        """The bar, the screens, the answer, the sheet with what belongs to it, the line, the keys."""
        yield TextLine("top")
        yield ScreenTabs("numbers")
        yield NotesWidget("sentence")
        yield Container(
            Vertical(TextLine("sheets"), SheetWidget(id="sheet"), id="main"),
            Container(NotesWidget("notes"), ChartWidget(id="chart"), id="side"),
            id="halves",
        )
        yield SafeInput(id="line", select_on_focus=False)
        yield KeyBar()

    def on_mount(self) -> None:
        """The sheet has the keys; the line at the bottom waits out of sight."""
        self.query_one("#line", Input).display = False
        self.query_one(SheetWidget).focus()

    def on_screen_resume(self) -> None:
        """Show what was read while another screen was in front."""
        self.update_from_app()

    def on_resize(self) -> None:
        """Names of screens need room."""
        if self.is_mounted and self.query("#numbers"):
            self.show_frame()

    # ---- shown

    @property
    def console(self) -> Console:
        """The app."""
        return cast(Console, self.app)

    @property
    def view(self) -> SheetWidget:
        """The sheet's widget."""
        return self.query_one(SheetWidget)

    @property
    def _here(self) -> SheetState:
        return self._memory.states.setdefault(self._memory.sheet, SheetState())

    @property
    def row(self) -> Row | None:
        """The chosen row's values."""
        view = self.view
        return view.sheet.row(view.row) if view.sheet is not None and view.row is not None else None

    def update_from_app(self) -> None:
        """Show what is known now."""
        if not self.is_mounted or not self.query("#top"):
            return
        self.show_frame()
        state = self.console.page_state(self.page.name.lower())
        fresh = state.data is not self._state.data
        self._state = state
        if fresh and state.data is not None:
            self._sheets = {(name, None): sheet for name, sheet in state.sheets.items()}
        trouble = self.console.trouble or state.trouble
        words = trouble or state.answer or "Reading the lake ..."
        sentence = self.query_one("#sentence", NotesWidget)
        sentence.show((note(words, max_length=600),))
        sentence.set_class(bool(trouble), "trouble")
        if fresh and state.data is not None:
            names = self.page.sheets(state.data)
            if self._memory.sheet not in names:
                self._memory.sheet = names[0]
            self.fill()

    def fill(self) -> None:
        """Show the sheet as filtered and sorted, the cursor on the row it stood on."""
        sheet = self._sheet()
        number = sheet.find(self._here.key)
        cursor = number if number is not None else (self.view.cursor if self._here.key is not None else 0)
        self.view.show(sheet, cursor, self._here.order)
        self._sheet_bar(sheet)

    def _sheet(self) -> Sheet:
        name, order = self._memory.sheet, self._here.order
        if (name, None) not in self._sheets:
            self._sheets[name, None] = self.page.sheet(self._state.data, name)
        if order and (name, order) not in self._sheets:
            self._sheets[name, order] = self._sheets[name, None].sort(*order)
        return self._sheets[name, order].filter(self._here.filter)

    def show_frame(self) -> None:
        """Show where the console stands and what the daemon does."""
        top, past = top_bar(self.console, self.app.size.width - 2)
        bar = self.query_one("#top", TextLine)
        bar.show(content([top]))
        bar.set_class(past, "past")
        line = self.query_one("#numbers", ScreenTabs)
        line.here = self.page.name.lower()
        line.show(render_tabs(list(self.console.pages.values()), line.here, max(self.size.width, 1)))
        self.query_one(KeyBar).show()

    def _sheet_bar(self, sheet: Sheet) -> None:
        parts: list[Cell] = []
        for name in self.page.sheets(self._state.data):
            mine = name == self._memory.sheet
            parts += [Cell(f"[{name}]" if mine else f" {name} ", "accent" if mine else "dim")]
        words = f"   {formats.counted(sheet.height, sheet.noun)}"
        if self._here.filter:
            words += f" containing {safe_text(self._here.filter, 40)!r}"
        self.query_one("#sheets", TextLine).show(content([(*parts, Cell(words, "dim"))]))

    def on_sheet_widget_moved(self) -> None:
        """Remember the row; notes and picture follow when the cursor rests."""
        if self._state.data is None:
            return
        view = self.view
        if view.sheet is not None and view.row is not None:
            self._here.key = view.sheet.key_of(view.row)
        if not self._detail_due:
            self._detail_due = True
            # A timer of the library whose first look comes late never fires, and the notes would stand still.
            asyncio.get_running_loop().call_later(DETAIL_DELAY, self.call_later, self._detail)

    def _detail(self) -> None:
        """Show notes and picture of the chosen row."""
        self._detail_due = False
        if self._state.data is None or not self.is_attached:
            return
        if (can := tuple(act.name for act in self.actions)) != self._can:
            self._can = can
            self.query_one(KeyBar).show()
        row, name = self.row, self._memory.sheet
        notes = self.page.notes(self._state.data, name, row)
        charts = [one for one in self.page.charts(self._state.data, name, row) if not one.blank]
        self.query_one("#notes", NotesWidget).show(notes)
        chart = self.query_one(ChartWidget)
        chart.show(charts)
        chart.display = bool(charts)
        self.query_one("#notes").set_class(not charts, "alone")

    @property
    def settled(self) -> bool:
        """Whether what the app knows of the page is shown, and notes and charts are those of the chosen row."""
        return not self._detail_due and self._state.data is self.console.page_state(self.page.name.lower()).data

    # ---- done

    def on_sheet_widget_chosen(self) -> None:
        """Open the row."""
        row = self.row
        if row is not None:
            data, name = self._state.data, self._memory.sheet
            self.console.open_detail(lambda view: self.page.detail(view, data, name, row))

    def on_sheet_widget_heading_clicked(self, message: SheetWidget.HeadingClicked) -> None:
        """Sort by the heading; a second click turns the order."""
        order = self._here.order
        turned = order is not None and order[0] == message.heading and order[1]
        self._sort(message.heading, not turned)

    def action_sheet(self, step: int) -> None:
        """Show the next sheet."""
        if self._state.data is None:
            return
        names = self.page.sheets(self._state.data)
        self._memory.sheet = names[(names.index(self._memory.sheet) + step) % len(names)]
        self.fill()

    def action_sort(self) -> None:
        """Sort by the next column; after the last, as at first."""
        sheet = self.view.sheet
        if sheet is None:
            return
        headings = [col.heading for col in sheet.cols]
        at = headings.index(self._here.order[0]) + 1 if self._here.order else 0
        if at < len(headings):
            self._sort(headings[at], sheet.cols[at].right)
        else:
            self._here.order = None
            self.fill()

    def action_turn(self) -> None:
        """Sort the other way round."""
        if self._here.order:
            self._sort(self._here.order[0], not self._here.order[1])

    def _sort(self, heading: str, descending: bool) -> None:
        self._here.order = (heading, descending)
        self.fill()

    def action_back(self) -> None:
        """Show every row again."""
        if self._here.filter:
            self._here.filter = ""
            self.fill()

    def action_lineage(self) -> None:
        """Walk from the row to what it rests on."""
        link = self.page.origin(self._state.data, self._memory.sheet, self.row) if self.row is not None else None
        if link is None:
            self.app.bell()
        else:
            self.console.follow(link)

    def action_copy(self) -> None:
        """Copy the row, its columns apart by tabs."""
        view = self.view
        if view.sheet is not None and view.row is not None:
            words = "\t".join(cell.text for cell in view.sheet.cells(view.row))
            self.app.copy_to_clipboard(words)
            self.notify("Copied the row.", markup=False, timeout=2)

    def action_export(self) -> None:
        """Ask for the file to write to, with a name to begin with."""
        session = self.console.view.session if self.console.view else None
        self.action_line("export", file_name(self.page.name, self._memory.sheet, session))

    def write(self, name: str) -> None:
        """Write the sheet as it is shown to a file, in the folder the console was started in."""
        if self._state.data is not None:
            self._write_export(self._sheet(), Path(name).expanduser())

    @work(thread=True, exit_on_error=False, group="export")
    def _write_export(self, sheet: Sheet, path: Path) -> None:
        """By a thread of its own: the disk may take its time."""
        tell = partial(self.app.call_from_thread, self.notify, markup=False)
        try:
            rows = export(sheet, path)
        except ExportError as error:
            tell(safe_text(error), severity="error")
        else:
            tell(f"{formats.counted(rows, 'row')} written to {safe_text(path.absolute())}")

    # ---- the line at the bottom

    def action_line(self, purpose: str, words: str = "") -> None:
        """Open the line for something to be typed."""
        self._purpose = purpose
        line = self.query_one("#line", Input)
        line.display = True
        line.border_title = PROMPTS[purpose]
        line.placeholder = HINTS[purpose]
        line.value = self._here.filter if purpose == "filter" else words
        line.cursor_position = len(line.value)
        self.set_focus(line)  # at once: `focus()` would let keys typed fast go astray
        self.query_one(KeyBar).show()

    @property
    def actions(self) -> tuple[Action, ...]:
        """What can be done about the chosen row, if anything can be done now."""
        row = self.row
        if row is None or self._state.data is None or self.console.at is not None or self.console.read_only:
            return ()
        return self.page.actions(self._state.data, self._memory.sheet, row)

    def action_act(self, name: str) -> None:
        """Ask for what can be done about the row, after showing what that does."""
        self.console.act(next(act for act in self.actions if act.name == name))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what can be done here has a key; what opens the line is a letter like any other once it is open.

        Until then it goes before the sheet's own keys, or a command typed fast would lose its first letters to them.
        """
        if action == "act":
            return self.is_mounted and parameters[0] in {act.name for act in self.actions}
        return not (action == "line" and self._purpose)

    def on_input_changed(self, message: Input.Changed) -> None:
        """A filter works while it is typed."""
        if self._purpose == "filter" and self._state.data is not None and message.value != self._here.filter:
            self._here.filter = message.value
            self.fill()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Do what was typed."""
        purpose, words = self._purpose, message.value.strip()
        self.close_line()
        if purpose == "time" and words:
            self.console.command(f"at {words}")
        elif purpose == "command" and words:
            self.console.command(words)
        elif purpose == "export" and words:
            self.write(words)

    def close_line(self) -> None:
        """Put the line away; the sheet has the keys again."""
        self._purpose = ""
        self.query_one("#line", Input).display = False
        self.set_focus(self.view)
        self.query_one(KeyBar).show()

    def key_escape(self) -> None:
        """Leave the line; what a filter found so far stays."""
        if self._purpose:
            self.close_line()
        else:
            self.action_back()

    # ---- for tests

    def keys_here(self) -> Iterable[tuple[str, str]]:
        """Every key valid here, with what it does."""
        for key, (_node, binding, enabled, _tip) in self.active_bindings.items():
            if enabled and binding.description:
                yield binding.key_display or self.app.get_key_display(binding) or key, binding.description

    @property
    def answer(self) -> str:
        """What the screen says in a sentence."""
        return plain_text(self.query_one("#sentence", NotesWidget).lines)

    def text(self) -> str:
        """Sentence, sheet and notes as text, for tests."""
        notes = self.page.notes(self._state.data, self._memory.sheet, self.row) if self._state.data is not None else ()
        return "\n".join([self.answer, *self.view.text(), plain_text(notes)])
