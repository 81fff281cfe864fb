"""Thousands of hostile texts in every widget: none steers the terminal, leads somewhere or stops the console.

A page is made of a batch of them, as real pages are made of what the lake holds, and what is painted is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.cells import cell_len
from textual import events
from textual.pilot import Pilot

from lake.contract import Table
from lake.store import Lake
from lake.tables.control import RUNS
from nextgen_tui import console
from nextgen_tui.cli.error_messages import describe_error
from nextgen_tui.cli.output import Output
from nextgen_tui.console.app import ConsoleApp
from nextgen_tui.console.charts import charts
from nextgen_tui.console.charts.chart import Chart, Curve
from nextgen_tui.console.detail_screen import DetailScreen
from nextgen_tui.console.dialogs import ConfirmScreen
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.notes import Line, fact, note
from nextgen_tui.console.operator.command_parser import PendingRequest
from nextgen_tui.console.page import Detail, Link, Page, Section, SheetSpec
from nextgen_tui.console.page_screen import PageScreen
from nextgen_tui.console.runtime.screenshots import wait_until_loaded, wait_until_settled
from nextgen_tui.console.screen_frame import SafeInput
from nextgen_tui.console.screens import PAGES, PageEntry
from nextgen_tui.console.sheet.sheet import Cell, Col, dim
from nextgen_tui.text.table_view import frame_grid
from pipeline.control.operator.requests import Request
from pipeline.reading.daemon import Activity
from tests.nextgen_tui.console.desk import LAST, desk
from tests.nextgen_tui.console.painted import steering
from tests.nextgen_tui.console.test_app import until
from tests.nextgen_tui.hostile import HOSTILE, fuzzed
from tests.nextgen_tui.text.test_safe_text import dangerous

BATCH = 150
MANY = [20, pytest.param(10_000, marks=pytest.mark.slow)]
COLS = (
    Col("plain", "plain", max_width=60),
    Col("quiet", "quiet", dim, max_width=60),
    Col("raw", "raw", str, max_width=60),
)


class HostilePage(Page[Sequence[str]]):
    """Everything a page can show, made of whatever texts it is given."""

    number, name, question = "1", "Health", "What if?"
    tables = (RUNS,)
    texts: Sequence[str] = HOSTILE

    def load(self, view: LakeView) -> Sequence[str]:
        del view
        return list(self.texts)

    def sentence(self, data: Sequence[str]) -> str:
        return " ".join(text[:30] for text in data)

    def specs(self, data: Sequence[str]) -> tuple[SheetSpec[Sequence[str]], ...]:
        return tuple(hostile_sheet(name, data[0][:20]) for name in dict.fromkeys(text[:20] for text in data[:5]))


def hostile_sheet(name: str, noun: str) -> SheetSpec[Sequence[str]]:
    """A sheet of whatever name with the texts as its rows, notes, charts and details."""
    return SheetSpec(
        name,
        rows_of,
        COLS,
        ("n",),
        noun,
        notes=lambda data, _: tuple(line for text in data for line in lines_of(text)),
        charts=lambda data, _: tuple(plot(text) for text in data[:3]),
        detail=lambda _view, data, _row: detail_of(data),
    )


def rows_of(texts: Sequence[str]) -> pl.DataFrame:
    stored = [storable(text) for text in texts]
    turned = {"plain": stored, "quiet": stored[1:] + stored[:1], "raw": stored[2:] + stored[:2]}
    return pl.DataFrame(turned).with_row_index("n")


def detail_of(texts: Sequence[str]) -> Detail:
    sections = [Section(text[:100], lines_of(text)) for text in texts]
    links = [Link(storable(text), storable(text)[:40], {}, storable(text)) for text in texts]
    return Detail(texts[0], tuple(sections), tuple(plot(text) for text in texts[:3]), tuple(links), texts[0])


def storable(text: str) -> str:
    """What of a text a table can hold."""
    return text[:4_000].encode("utf-8", "ignore").decode()


def lines_of(text: str) -> tuple[Line, ...]:
    """A text as pages put it into lines: cut to size by them, or as it is."""
    return (
        fact(text[:12], text, max_length=60),
        note(text, max_length=60),
        (Cell(text[:60], "accent"), Cell(text[60:80])),
    )


def plot(text: str) -> Chart:
    """A line with the text wherever a picture has words."""
    ticks = ((0.0, text[:30]), (1.0, text[30:60]))
    return Chart(text, (Curve((0.0, 1.0), (1.0, 2.0), "own"),), ticks=ticks, legend=((text[:1], "own", text[:40]),))


class Fuzzed(ConsoleApp):
    """The console with that page in front."""

    CSS_PATH = Path(console.__file__).parent / "console.tcss"

    def __init__(self, lake: Path) -> None:
        self.page = HostilePage()
        self.MODES = {"health": partial(PageScreen, self.page)}  # type: ignore[assignment]
        super().__init__(lake)
        self.pages = {"health": PageEntry("1", "Health", self.page.question, lambda: self.page)}
        self._modes = self.MODES


def batches(count: int) -> Iterator[list[str]]:
    texts = [*HOSTILE, *fuzzed(count)]
    return (texts[start : start + BATCH] for start in range(0, len(texts), BATCH))


@pytest.mark.parametrize("count", MANY)
async def test_no_text_in_any_widget_steers_the_terminal_or_leads_anywhere(desk_path: Path, count: int) -> None:
    app = Fuzzed(desk_path)
    async with app.run_test(size=(200, 240)) as pilot:
        await wait_until_loaded(pilot)
        assert isinstance(app.screen, PageScreen)
        for texts in batches(count):
            await a_page(pilot, texts)
            await a_story(pilot)
            await a_dialog(pilot, texts)
            await typed_and_told(pilot, texts)


async def a_page(pilot: Pilot[Any], texts: Sequence[str]) -> None:
    """Sheet, sentence, bars, notes and pictures."""
    app = pilot.app
    assert isinstance(app, Fuzzed)
    before, app.page.texts = app.page_state("health").data, texts
    app.activity = Activity(True, doing=(texts[0][:60],))
    app.action_look_again()
    await until(pilot, lambda: app.page_state("health").data is not before)
    await pilot.pause(0.05)
    await wait_until_loaded(pilot)
    assert app.page_state("health").data == texts
    assert steering(app.screen) == []


async def a_story(pilot: Pilot[Any]) -> None:
    """What opening a row tells."""
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, DetailScreen))
    await pilot.pause()
    assert steering(pilot.app.screen) == []
    await pilot.press("y", "backspace")
    await until(pilot, lambda: isinstance(pilot.app.screen, PageScreen))
    assert set(dangerous(pilot.app.clipboard)) <= {"\n", "\t"}


async def a_dialog(pilot: Pilot[Any], texts: Sequence[str]) -> None:
    """The question before anything is asked for."""
    moment = datetime.now(UTC)
    names = {"request_id": texts[0][:60], "target": texts[0], "action": "run"}
    request = Request(**names, requested_at=moment, origin="console", session=LAST)
    pilot.app.push_screen(ConfirmScreen(PendingRequest(request, tuple(text[:300] for text in texts)), daemon=False))
    await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen) and bool(pilot.app.screen.query("#why")))
    pilot.app.screen.query_one("#why", SafeInput).value = texts[-1]
    await pilot.pause()
    assert steering(pilot.app.screen) == []
    await pilot.press("escape")
    await until(pilot, lambda: isinstance(pilot.app.screen, PageScreen))


async def typed_and_told(pilot: Pilot[Any], texts: Sequence[str]) -> None:
    """The line at the bottom, what is said beside the screens, and what went wrong."""
    app, screen = pilot.app, pilot.app.screen
    assert isinstance(app, Fuzzed)
    line = screen.query_one("#line", SafeInput)
    for key, words in (("slash", texts[:5]), ("colon", texts)):
        await pilot.press(key)
        for text in words:
            line.value = text
            assert dangerous(line.value) == []
        line.value = ""
        line.post_message(events.Paste(texts[0][:300]))
        await pilot.pause()
        assert steering(screen) == []
        await pilot.press("enter")
    for text in texts:
        app.notify(text, title=text)
    told = list(app._notifications)
    assert [one for one in told if one.markup or dangerous(one.message + one.title)] == []
    app.clear_notifications()
    for text in texts[:4]:
        app.notify(text, title=text)
        app.command(text)
    app.trouble = describe_error(ValueError(" ".join(text[:100] for text in texts)))[1]
    app.refresh_screen()
    await pilot.pause()
    assert steering(screen) == []
    app.clear_notifications()
    app.trouble = ""


@pytest.mark.parametrize("count", MANY)
def test_no_text_in_a_picture_moves_anything(count: int) -> None:
    for text in (*HOSTILE, *fuzzed(count)):
        rows = ["".join(sign.sign for sign in row) for row in charts.draw(plot(text), 50, 8)]
        assert dangerous("".join(rows)) == []
        assert {sum(map(cell_len, row)) for row in rows} == {50}


@pytest.mark.parametrize("count", MANY)
def test_no_text_on_the_command_lines_streams_steers_the_terminal(
    count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = (*HOSTILE, *fuzzed(count))
    output = Output()
    stored = [storable(text) for text in texts]
    output.show(frame_grid(pl.DataFrame({"text": stored, "list": [[text] for text in stored]})))
    for text in texts:
        output.say(text)
        output.show_error(text)
        output.show_error(describe_error(OSError(5, text, text))[1])
    out, err = capsys.readouterr()
    assert set(dangerous(out + err)) <= {"\n"}
    assert "\x1b" not in out + err


@pytest.mark.slow
async def test_a_lake_full_of_hostile_values_is_harmless_on_every_real_screen(tmp_path: Path) -> None:
    lake = spoiled(tmp_path)
    app = ConsoleApp(lake.path)
    async with app.run_test(size=(160, 50)) as pilot:
        for one in PAGES:
            await pilot.press(one.number)
            await wait_until_loaded(pilot)
            shown = app.page_state(one.name.lower())
            assert not shown.trouble
            for _ in one.page.sheets(shown.data):
                await wait_until_settled(pilot)
                assert steering(app.screen) == []
                await pilot.press("tab")
            await a_row_opened(pilot)


async def a_row_opened(pilot: Pilot[Any]) -> None:
    """The story of the chosen row and the walk from it, where there are any."""
    page = pilot.app.screen
    assert isinstance(page, PageScreen)
    for key in ("enter", "l"):
        if page.row is None or (
            key == "l" and page.page.origin(page._state.data, page._memory.sheet, page.row) is None
        ):
            continue
        await pilot.press(key)
        await until(pilot, lambda: all(one.is_finished for one in pilot.app.workers if one.group == "detail"))
        await pilot.pause()
        assert steering(pilot.app.screen) == []
        if isinstance(pilot.app.screen, DetailScreen):
            await pilot.press("backspace")
            await until(pilot, lambda: pilot.app.screen is page)


NAMES = ("status", "stage", "kind", "side", "intent", "verdict", "decision", "effect", "state", "role", "reason_code")
"""Columns whose values are words of ours: what a program compares is not text from outside."""


def spoiled(folder: Path) -> Lake:
    """The desk with every text that is not a word of ours made hostile, the same text always in the same way."""
    texts = [storable(text)[:100] for text in (*HOSTILE, *fuzzed(100)) if storable(text)]

    def spoil(table: Table, row: dict[str, Any]) -> dict[str, Any]:
        free = [name for name, column in table.columns.items() if column.dtype == pl.String and not column.pattern]
        free = [
            name for name in free if isinstance(row.get(name), str) and name not in NAMES and not name.endswith("_id")
        ]
        return {**row, **{name: (row[name] + texts[(len(name) + len(row[name])) % len(texts)])[:60] for name in free}}

    return desk(folder / "lake", spoil)
