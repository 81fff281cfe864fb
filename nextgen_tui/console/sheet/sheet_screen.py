"""What can be done with the sheet in front: sorted, filtered, chosen from, copied, exported."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import work

from nextgen_tui.console.jump import Place
from nextgen_tui.console.page import Row
from nextgen_tui.console.screen_frame import SheetTabs
from nextgen_tui.console.sheet.columns_screen import ColumnsScreen
from nextgen_tui.console.sheet.export import ExportError, export, file_name
from nextgen_tui.console.sheet.sheet import Col, Sheet
from nextgen_tui.console.sheet.sheet_state import PageMemory, SheetState
from nextgen_tui.console.sheet.sheet_widget import SheetWidget
from nextgen_tui.console.typed_line import TypingScreen
from nextgen_tui.remembered.preferences import ColumnChoice
from nextgen_tui.text import formats
from nextgen_tui.text.safe_text import safe_text


class SheetScreen(TypingScreen):
    """A screen with sheets, one of them in front; what is shown beside it is the business of its kind."""

    page_name: str
    _memory: PageMemory

    if TYPE_CHECKING:

        @property
        def view(self) -> SheetWidget: ...
        def fill(self) -> None: ...
        def turn_to(self, name: str) -> None: ...
        def front_sheet(self) -> Sheet | None: ...
        def every_column(self) -> tuple[Col, ...]: ...
        def columns_chosen(self) -> None: ...

    @property
    def here(self) -> SheetState:
        """Where the operator stands in the sheet in front."""
        return self._memory.states.setdefault(self._memory.sheet, SheetState())

    # ---- by a letter

    @property
    def can_jump(self) -> bool:
        """There are sheets, if nothing else."""
        return True

    def jump_places(self) -> Sequence[Place]:
        """The sheets, the headings, which sort, and the rows in sight."""
        tabs, view = self.query_one("#sheets", SheetTabs), self.view
        corner, origin = tabs.region.offset, view.region.offset
        sheets = [(corner + at, partial(self.turn_to, name)) for at, name in tabs.sheet_places()]
        if not view.display:
            return sheets
        headings = [(origin + at, partial(self.sort_by, heading)) for at, heading in view.heading_places()]
        rows = [(origin + at, partial(view.go_to, row)) for at, row in view.row_places()]
        return [*sheets, *headings, *rows]

    # ---- with other columns

    def action_columns(self) -> None:
        """Choose which columns are shown, and how wide."""
        cols = self.every_column()
        if len(cols) < 2 or not self.view.shows_lines:
            self.app.bell()
            return
        chosen = self.console.preferences.columns(self._sheet_name)
        self.app.push_screen(ColumnsScreen(cols, chosen), self._keep_columns)

    def _keep_columns(self, choice: ColumnChoice | None) -> None:
        if choice is not None:
            self.console.preferences.choose_columns(self._sheet_name, choice)
            self.columns_chosen()

    @property
    def _sheet_name(self) -> str:
        return f"{self.page_name}/{self._memory.sheet}"

    # ---- in another order

    def on_sheet_widget_heading_clicked(self, message: SheetWidget.HeadingClicked) -> None:
        """Sort by the heading."""
        self.sort_by(message.heading)

    def sort_by(self, heading: str) -> None:
        """Sort by a heading, the highest first; where it is sorted so already, the other way round."""
        order = self.here.order
        turned = order is not None and order[0] == heading and order[1]
        self._sort(heading, not turned)

    def action_sort(self) -> None:
        """Sort by the next column; after the last, as at first."""
        sheet = self.view.sheet
        if sheet is None:
            return
        headings = [col.heading for col in sheet.cols]
        at = headings.index(self.here.order[0]) + 1 if self.here.order else 0
        if at < len(headings):
            self._sort(headings[at], sheet.cols[at].right)
        else:
            self.here.order = None
            self.fill()

    def action_turn(self) -> None:
        """Sort the other way round."""
        if self.here.order:
            self._sort(self.here.order[0], not self.here.order[1])

    def _sort(self, heading: str, descending: bool) -> None:
        self.here.order = (heading, descending)
        self.fill()

    # ---- taken elsewhere

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
        self.action_line("export", file_name(self.page_name, self._memory.sheet, session))

    def write(self, name: str) -> None:
        """Write the sheet as it is shown to a file, in the folder the console was started in."""
        if (sheet := self.front_sheet()) is not None:
            self._write_export(sheet, Path(name).expanduser())

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

    # ---- fewer rows

    @property
    def filter_words(self) -> str:
        """What the sheet is filtered by."""
        return self.here.filter

    def filtered(self, words: str) -> None:
        """Show the rows that meet the filter."""
        if self.front_sheet() is not None:
            self.here.filter = words
            self.fill()

    # ---- several rows

    def chosen_rows(self) -> list[Row]:
        """The rows that were chosen together and are still there, in the order they stand in."""
        sheet = self.view.sheet
        if sheet is None:
            return []
        return [sheet.row(n) for n in range(sheet.height) if sheet.key_of(n) in self.here.marked]

    def action_mark(self) -> None:
        """Choose the row together with others, or no longer; the next one follows."""
        view = self.view
        if view.sheet is not None and view.row is not None and view.shows_lines:
            self.here.marked ^= {view.sheet.key_of(view.row)}
            view.mark(self.here.marked)
            view.action_move(1)
