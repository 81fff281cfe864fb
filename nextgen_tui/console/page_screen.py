"""The one screen that shows any page: sheet, notes and picture, filtered, sorted, opened, copied, exported."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Vertical

from nextgen_tui.console.board.banner import Banner
from nextgen_tui.console.board.board_widget import BoardWidget
from nextgen_tui.console.charts.chart_widget import ChartWidget
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.notes import note, plain_text
from nextgen_tui.console.operator.command_parser import CommandError, find_name
from nextgen_tui.console.operator.own_notes import find_target, note_section
from nextgen_tui.console.page import ACTION_KEYS, Action, Detail, Link, Page, PageState, Row
from nextgen_tui.console.screen_frame import (
    KeyBar,
    NotesWidget,
    ScreenTabs,
    SheetTabs,
    TextLine,
    render_tabs,
    top_bar,
)
from nextgen_tui.console.sheet.sheet import Col, Sheet
from nextgen_tui.console.sheet.sheet_screen import SheetScreen
from nextgen_tui.console.sheet.sheet_state import PageMemory
from nextgen_tui.console.sheet.sheet_widget import SheetWidget
from nextgen_tui.console.styles import content
from nextgen_tui.text import formats
from nextgen_tui.text.safe_text import safe_text

DETAIL_DELAY = 0.03
"""Seconds before notes and picture follow the cursor, so that a held key moves it without a stutter."""
FEW_ROWS, ROOM_BELOW = 10, 24
"""Rows of a sheet that stands above its notes and pictures, and those of the screen from which on it does."""
LEAST_SIDE = 9
"""Rows below a board with which notes and pictures are worth showing."""


class PageScreen(SheetScreen):
    """Shows a page and keeps where the operator stands in it."""

    BINDINGS = [
        Binding("tab", "sheet(1)", "Sheet", id="sheet"),
        Binding("shift+tab", "sheet(-1)", "Previous sheet", show=False, id="previous-sheet"),
        Binding("s", "sort", "Sort", id="sort"),
        Binding("z", "zoom", "Zoom", id="zoom"),
        Binding("left_square_bracket", "cross(-1)", "Crosshair left", show=False, key_display="[", id="cross-left"),
        Binding("right_square_bracket", "cross(1)", "Crosshair right", show=False, key_display="]", id="cross-right"),
        Binding("c", "columns", "Columns", show=False, id="columns"),
        Binding("space", "mark", "Choose", show=False, key_display="space", id="choose"),
        Binding("S", "turn", "Reverse the order", show=False, key_display="S", id="reverse"),
        Binding("l", "lineage", "Lineage", id="lineage"),
        Binding("L", "unfold", "Lineage as a tree", show=False, key_display="L", id="tree"),
        Binding("n", "note", "Note", show=False, id="note"),
        Binding("e", "export", "Export", id="export"),
        Binding("y", "copy", "Copy", id="copy"),
        *(
            Binding(key, f"act('{name}')", label, key_display=key, id=name)
            for name, (key, label) in ACTION_KEYS.items()
        ),
        Binding("escape,backspace", "back", "Clear the filter", show=False, id="clear"),
    ]

    def __init__(self, page: Page[Any]) -> None:
        # Told its width only once it is styled, it would be styled again before its first paint.
        widths = reversed(self.app.HORIZONTAL_BREAKPOINTS or [])
        super().__init__(classes=next((name for least, name in widths if self.app.size.width >= least), None))
        # It is styled as it is mounted; taken for stale, it would have every style parsed again, twice.
        self._css_update_count = self.app._css_update_count
        self.page, self.page_name = page, page.name
        self._state = PageState()
        self._memory = PageMemory()
        self._wanted = ""
        """The sheet to turn to once the page is read."""
        self._detail_due = False
        self._sheets: dict[tuple[str, tuple[str, bool] | None], Sheet] = {}
        """The sheets of the data on screen, in each order, unfiltered; made when first shown."""
        self._zoom = 0
        """0 shows sheet and pictures, 1 notes and pictures alone, 2 the sheet alone."""
        self._cards = False
        """Whether the rows of the sheet in front are cards."""
        self._noting = ""
        """What a note is being written about."""
        self._can: tuple[str, ...] = ()
        """What could be done about the row when the footer was last drawn."""

    # ---- made of

    def compose(self) -> ComposeResult:
        """The bar, the screens, the answer, the sheet with what belongs to it, the line, the keys."""
        yield TextLine("top")
        yield ScreenTabs("numbers")
        yield Banner("sentence")
        yield Container(
            Vertical(
                SheetTabs("sheets"),
                *([BoardWidget(id="board")] if self.page.has_cards else []),
                SheetWidget(id="sheet"),
                id="main",
            ),
            Container(NotesWidget("notes"), ChartWidget(id="chart"), id="side"),
            id="halves",
        )
        yield self.typed_line()
        yield KeyBar()

    def begin(self) -> None:
        """The sheet has the keys; the line at the bottom waits out of sight."""
        for board in self.query(BoardWidget):
            board.display = False
        self.view.focus()

    def on_screen_resume(self) -> None:
        """Show what was read while another screen was in front."""
        self.update_from_app()

    def on_resize(self) -> None:
        """Names of screens need room."""
        if self.is_mounted and self.query("#numbers"):
            self.show_frame()

    # ---- shown

    @property
    def view(self) -> SheetWidget:
        """The widget of the sheet in front: its rows as lines, or as cards."""
        return self.query_one("#board" if self._cards else "#sheet", SheetWidget)

    @property
    def known(self) -> PageState:
        """What is known of the page."""
        return self.console.page_state(self.page.name.lower())

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
        state = self.known
        fresh = state.data is not self._state.data
        self._state = state
        if fresh and state.data is not None:
            self._sheets = {(name, None): self._choose(name, sheet) for name, sheet in state.sheets.items()}
        trouble = self.console.trouble or state.trouble
        words = trouble or state.answer or "Reading the lake ..."
        sentence = self.query_one("#sentence", Banner)
        band = self.page.band(state.data) if state.data is not None and not trouble else None
        sentence.show_verdict(band, (note(words, max_length=600),))
        sentence.set_class(bool(trouble), "trouble")
        if fresh and state.data is not None:
            self._turn()
            self.fill()

    def fill(self) -> None:
        """Show the sheet as filtered and sorted, the cursor on the row it stood on."""
        sheet = self._sheet()
        self._choose_view()
        number = sheet.find(self.here.key)
        cursor = number if number is not None else (self.view.cursor if self.here.key is not None else 0)
        self.view.show(sheet, cursor, self.here.order)
        self.view.mark(self.here.marked)
        self._sheet_bar(sheet)
        self._make_room()

    def _choose_view(self) -> None:
        """Show rows as cards where they are, as lines of a table otherwise."""
        if not self.page.has_cards:
            return
        card = self.page.spec(self._state.data, self._memory.sheet).card
        board, table = self.query_one("#board", BoardWidget), self.query_one("#sheet", SheetWidget)
        board.card = card
        if self._cards != (card is not None):
            had_keys = self.focused is self.view
            self._cards = card is not None
            board.display, table.display = self._cards, not self._cards
            if had_keys:
                self.set_focus(self.view)

    def _make_room(self) -> None:
        """A board, or a sheet of few rows, takes the rows it needs; notes and pictures have what is left below it.

        Where that is too little to read them, the board or sheet has the whole screen.
        """
        main, side = self.query_one("#main"), self.query_one("#side")
        whole = self._sheets.get((self._memory.sheet, None))
        few = whole is not None and whole.height <= FEW_ROWS and self.query_one("#halves").size.height >= ROOM_BELOW
        self.set_class(self._cards or few, "-board")
        if self._zoom or not (self._cards or few):
            main.styles.height, side.display = None, self._zoom != 2
            return
        table_rows = max(whole.height, 2) + 2 if whole is not None else 0
        needed = 1 + (self.query_one("#board", BoardWidget).needed if self._cards else table_rows)
        left = self.query_one("#halves").size.height - needed
        side.display = left >= LEAST_SIDE
        main.styles.height = needed if side.display else "1fr"

    def _choose(self, name: str, sheet: Sheet) -> Sheet:
        return sheet.choose(self.console.preferences.columns(f"{self.page.name}/{name}"))

    def every_column(self) -> tuple[Col, ...]:
        """The columns of the sheet in front, before any choice."""
        return self.page.spec(self._state.data, self._memory.sheet).cols if self._state.data is not None else ()

    def columns_chosen(self) -> None:
        """Make the sheets again with the columns that are chosen now."""
        self._sheets.clear()
        self.fill()

    def front_sheet(self) -> Sheet | None:
        """The sheet in front as filtered and sorted; None until there is one."""
        return self._sheet() if self._state.data is not None else None

    def _sheet(self) -> Sheet:
        name, order = self._memory.sheet, self.here.order
        if (name, None) not in self._sheets:
            self._sheets[name, None] = self._choose(name, self.page.sheet(self._state.data, name))
        if order and (name, order) not in self._sheets:
            self._sheets[name, order] = self._sheets[name, None].sort(*order)
        return self._sheets[name, order].filter(self.here.filter)

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
        words = f"   {formats.counted(sheet.height, sheet.noun)}"
        if self.here.filter:
            words += f" showing {safe_text(self.here.filter, 40)!r}"
        if self.here.order:
            words += f", by {self.here.order[0]}"
        if hidden := self.view.hidden_columns:
            words += f"   +{formats.counted(hidden, 'column')} ← →"
        words += "".join(f"   {legend}" for legend in self.view.untold_legends)
        self.query_one("#sheets", SheetTabs).show_sheets(self.page.sheets(self._state.data), self._memory.sheet, words)

    def on_sheet_widget_moved(self) -> None:
        """Remember the row; notes and picture follow when the cursor rests."""
        if self._state.data is None:
            return
        view = self.view
        if view.sheet is not None and view.row is not None:
            # On the first row of all it stays there: what is newer comes above it, and is what one came for.
            first = not (view.row or self.here.filter or self.here.order)
            self.here.key = None if first else view.sheet.key_of(view.row)
        if self._cards:
            self._make_room()
        elif view.sheet is not None:
            self._sheet_bar(view.sheet)
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
        return not self._detail_due and self._state.data is self.known.data

    # ---- done

    def _detail_of(self, view: LakeView, data: Any, name: str, row: Row) -> Detail | None:
        """What opening the row shows; lineage goes on from there as it does from the row."""
        found = self.page.detail(view, data, name, row)
        if found is None:
            return None
        own = note_section(view, row)
        return replace(
            found,
            origin=found.origin or self.page.origin(data, name, row),
            sections=(*found.sections, *([own] if own else [])),
        )

    def on_sheet_widget_chosen(self) -> None:
        """Open the row."""
        row = self.row
        if row is not None:
            data, name = self._state.data, self._memory.sheet
            leads = self.page.spec(data, name).leads
            if leads is not None and (command := leads(row)):
                self.console.command(command)
                return
            self.console.open_detail(lambda view: self._detail_of(view, data, name, row))

    def action_sheet(self, step: int) -> None:
        """Show the next sheet."""
        if self._state.data is None:
            return
        names = self.page.sheets(self._state.data)
        self._memory.sheet = names[(names.index(self._memory.sheet) + step) % len(names)]
        self.fill()

    def turn_to(self, name: str) -> None:
        """Show the sheet of that name or beginning: at once, or as soon as the screen is read."""
        self._wanted = name
        if self._state.data is not None:
            self._turn()
            self.fill()

    def _turn(self) -> None:
        """Put the sheet in front that was asked for; the first one where none is there, or no longer."""
        names, wanted = self.page.sheets(self._state.data), self._wanted
        self._wanted = ""
        try:
            self._memory.sheet = find_name(wanted, names, "sheet") if wanted else self._memory.sheet
        except CommandError as error:
            self.notify(str(error), severity="warning", markup=False)
        if self._memory.sheet not in names:
            self._memory.sheet = names[0]

    def action_zoom(self) -> None:
        """Give the whole screen to notes and pictures, then to the sheet, then to both again."""
        self._zoom = (self._zoom + 1) % 3
        self.query_one("#main").display = self._zoom != 1
        self._make_room()
        self.query_one("#side").display = self._zoom == 1 or (self._zoom == 0 and self.query_one("#side").display)
        self.set_class(self._zoom == 1, "-zoomed")

    def action_cross(self, step: int) -> None:
        """Move the crosshair of the pictures, which tells their values."""
        self.query_one(ChartWidget).move_cross(step)

    def action_back(self) -> None:
        """Take the crosshair away, choose no rows together, or show every row again."""
        if self.query_one(ChartWidget).cross is not None:
            self.query_one(ChartWidget).move_cross(None)
        elif self.here.marked:
            self.here.marked.clear()
            self.view.mark(self.here.marked)
        elif self.here.filter:
            self.here.filter = ""
            self.fill()

    def _origin(self) -> Link | None:
        return self.page.origin(self._state.data, self._memory.sheet, self.row) if self.row is not None else None

    def action_lineage(self) -> None:
        """Walk from the row to what it rests on."""
        if (link := self._origin()) is None:
            self.app.bell()
        else:
            self.console.follow(link)

    def action_unfold(self) -> None:
        """Open the tree of the row."""
        if (link := self._origin()) is None:
            self.app.bell()
        else:
            self.console.unfold(link)

    def action_note(self) -> None:
        """Write a note about what the row is about."""
        target = find_target(self.row) if self.row is not None else ""
        if self._state.data is None:
            self.notify("This screen is still being read.", severity="warning")
        elif not target:
            self.notify("A note is about a ticker, a trade or a run, and this row is about none.", severity="warning")
        elif self.console.may_write():
            self._noting = target
            self.action_line("note")

    def noted(self, words: str) -> None:
        """Put the note on record."""
        self.console.write_note(self._noting, words)

    # ---- the line at the bottom

    def take_keys(self) -> None:
        """The sheet has the keys again."""
        self.set_focus(self.view)

    def run_back(self) -> None:
        """Show every row again."""
        self.action_back()

    @property
    def actions(self) -> tuple[Action, ...]:
        """What can be done about the chosen row, if anything can be done now."""
        return self._actions_on(self.row) if self.row is not None else ()

    def _actions_on(self, row: Row) -> tuple[Action, ...]:
        if self._state.data is None:
            return ()
        acts = self.page.actions(self._state.data, self._memory.sheet, row)
        asks = self.console.at is None and not self.console.read_only
        return tuple(act for act in acts if asks or act.command.startswith("go "))

    def action_act(self, name: str) -> None:
        """Ask for what can be done about the row, or all that were chosen, after showing what that does."""
        found = [act for row in self.chosen_rows() for act in self._actions_on(row) if act.name == name]
        self.console.act_on(found or [act for act in self.actions if act.name == name])
        self.here.marked.clear()
        self.view.mark(self.here.marked)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what can be done here has a key."""
        if action == "act":
            return self.is_mounted and parameters[0] in {act.name for act in self.actions}
        return super().check_action(action, parameters)

    # ---- for tests

    @property
    def answer(self) -> str:
        """What the screen says in a sentence."""
        return plain_text(self.query_one("#sentence", NotesWidget).lines)

    def text(self) -> str:
        """Sentence, sheet and notes as text, for tests."""
        notes = self.page.notes(self._state.data, self._memory.sheet, self.row) if self._state.data is not None else ()
        return "\n".join([self.answer, *self.view.text(), plain_text(notes)])
