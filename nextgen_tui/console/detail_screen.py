"""The screen a row opens: charts, sections and links to follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import polars as pl
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.widgets import Static

from nextgen_tui.console.charts.chart_widget import ChartWidget
from nextgen_tui.console.jump import Place
from nextgen_tui.console.notes import plain_text
from nextgen_tui.console.page import ACTION_KEYS, Detail
from nextgen_tui.console.screen_frame import KeyBar, NotesWidget, top_bar
from nextgen_tui.console.sheet.sheet import Cell, Col, Sheet, dim, matches
from nextgen_tui.console.sheet.sheet_widget import SheetWidget
from nextgen_tui.console.styles import content, section_lines
from nextgen_tui.console.typed_line import TypingScreen
from nextgen_tui.text.safe_text import remove_unsafe, safe_text

COLS = (
    Col("based on", "table"),
    Col("row", "words", max_width=70),
    Col("content", "about", dim, max_width=160),
)


class DetailScreen(TypingScreen):
    """Opened over a page; backspace goes back to where one came from."""

    BINDINGS = [
        Binding("backspace", "back", "Back", id="back"),
        Binding("y", "copy", "Copy", id="copy"),
        Binding("L", "unfold", "Tree", key_display="L", id="tree"),
        *(
            Binding(key, f"act('{name}')", label, key_display=key, id=name)
            for name, (key, label) in ACTION_KEYS.items()
        ),
        Binding("tab", "app.focus_next", "Switch between text and links", show=False, id="text-or-links"),
        Binding("pagedown", "scroll(1)", "Page down", show=False, id="page-down"),
        Binding("pageup", "scroll(-1)", "Page up", show=False, id="page-up"),
    ]

    def __init__(self, detail: Detail, trail: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.detail = detail
        self.trail = (*trail, detail.title)
        self._filter = ""

    def compose(self) -> ComposeResult:
        """The bar, the way here, pictures, sections, ways on, keys."""
        top, past = top_bar(self.console, self.app.size.width - 2)
        yield Static(content([top]), id="top", markup=False, classes="past" if past else "")
        way = " › ".join(safe_text(words, 60) for words in self.trail[-3:])
        yield Static(content([(Cell(way, "accent"),)]), id="trail", markup=False)
        charts = [chart for chart in self.detail.charts if not chart.blank]
        if charts:
            chart = ChartWidget(id="detail-chart")
            chart.show(charts)
            yield chart
        with VerticalScroll(id="detail"):
            yield NotesWidget("sections", section_lines(self.detail.sections))
        if self.detail.links:
            yield SheetWidget(id="links")
        yield self.typed_line()
        yield KeyBar()

    def begin(self) -> None:
        """The ways on have the keys, if there are any."""
        self.query_one(KeyBar).show()
        if self.detail.links:
            self._show_links()
        self.take_keys()

    def _show_links(self) -> None:
        rows = [{"table": link.table, "words": link.text, "about": link.about} for link in self.detail.links]
        schema = {"table": pl.String, "words": pl.String, "about": pl.String, "number": pl.Int64}
        frame = pl.DataFrame([row | {"number": number} for number, row in enumerate(rows)], schema=schema)
        links = self.query_one("#links", SheetWidget)
        links.styles.height = min(len(rows) + 1, 12)
        links.show(Sheet(frame, COLS, ("number",), noun="link").filter(self._filter), 0, None)

    @property
    def can_jump(self) -> bool:
        """Where there are ways on."""
        return bool(self.detail.links)

    def jump_places(self) -> Sequence[Place]:
        """The ways on in sight."""
        if not self.detail.links:
            return []
        links = self.query_one("#links", SheetWidget)
        return [(links.region.offset + at, partial(self._follow_row, row)) for at, row in links.row_places()]

    def _follow_row(self, row: int) -> None:
        links = self.query_one("#links", SheetWidget).sheet
        if links is not None:
            self.console.follow(self.detail.links[links.row(row)["number"]])

    # ---- the line at the bottom

    @property
    def filter_words(self) -> str:
        """What lines and ways on are filtered by."""
        return self._filter

    def filtered(self, words: str) -> None:
        """Show the lines and the ways on that contain the words."""
        self._filter = words
        kept = [
            replace(one, lines=tuple(line for line in one.lines if matches(plain_text([line]), words)))
            for one in self.detail.sections
        ]
        self.query_one("#sections", NotesWidget).show(section_lines([one for one in kept if one.lines or not words]))
        if self.detail.links:
            self._show_links()

    def take_keys(self) -> None:
        """The ways on have the keys, or the text where there are none."""
        self.set_focus(self.query_one("#links" if self.detail.links else "#detail"))

    def run_back(self) -> None:
        """Show every line again, or go back."""
        if self._filter:
            self.filtered("")
        else:
            self.action_back()

    def on_sheet_widget_chosen(self, message: SheetWidget.Chosen) -> None:
        """Go on."""
        self._follow_row(message.row)

    def action_back(self) -> None:
        """Back to where one came from, filter and cursor as they were."""
        self.dismiss()

    def action_unfold(self) -> None:
        """Open the tree of the row that it tells of."""
        if self.detail.origin is not None:
            self.console.unfold(self.detail.origin)

    def action_scroll(self, pages: int) -> None:
        """Turn the text's pages, whichever part has the keys."""
        text = self.query_one("#detail", VerticalScroll)
        text.scroll_relative(y=pages * max(text.size.height - 1, 1), animate=False)

    def action_copy(self) -> None:
        """Copy the name, or the command that leads here."""
        words = remove_unsafe(self.detail.copies)  # on one line: pasted into a shell, a second one would be run
        self.app.copy_to_clipboard(words or plain_text([line for s in self.detail.sections for line in s.lines]))
        self.notify(f"Copied: {safe_text(self.detail.copies or self.detail.title, 80)}", markup=False, timeout=3)

    def action_act(self, name: str) -> None:
        """Ask for what can be done about it, after showing what that does."""
        self.console.act(next(act for act in self.detail.actions if act.name == name))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what can be done here has a key."""
        if action == "act":
            return parameters[0] in {act.name for act in self.detail.actions}
        if action == "unfold":
            return self.detail.origin is not None
        return super().check_action(action, parameters)

    def write(self, name: str) -> None:
        """Details are copied, not exported."""
        del name
        self.app.bell()

    def text(self) -> str:
        """Title, sections and ways on as text, for tests."""
        lines = [line for section in self.detail.sections for line in ((Cell(section.heading),), *section.lines)]
        links = [f"{link.table} {link.text} {link.about}" for link in self.detail.links]
        return "\n".join([self.detail.title, plain_text(lines), *links])
