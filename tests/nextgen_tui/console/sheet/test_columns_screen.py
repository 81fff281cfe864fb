"""Columns are chosen, widened and remembered; the first one always stays."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from nextgen_tui.console.app import ConsoleApp
from nextgen_tui.console.runtime.screenshots import wait_until_loaded
from nextgen_tui.console.sheet.columns_screen import ColumnsScreen
from nextgen_tui.console.sheet.sheet import Col, Sheet
from nextgen_tui.remembered.preferences import ColumnChoice, Preferences
from tests.nextgen_tui.console.test_app import page, until

FRAME = pl.DataFrame({"a": ["x"], "b": ["yy"], "c": ["long" * 10]})
COLS = (Col("one", "a"), Col("two", "b", rank=1), Col("three", "c", rank=2, stretch=True))


def headings(sheet: Sheet, width: int) -> list[str]:
    return [sheet.cols[number].heading for number, _ in sheet.layout(width)]


def test_what_is_hidden_is_left_out_but_for_the_first_column() -> None:
    sheet = Sheet(FRAME, COLS, ("a",))
    chosen = sheet.choose(ColumnChoice(hidden=("one", "two")))
    assert headings(chosen, 100) == ["one", "three"] and sheet.choose(ColumnChoice()) is sheet


def test_what_is_always_shown_stays_where_there_is_little_room() -> None:
    sheet = Sheet(FRAME, COLS, ("a",))
    assert "three" not in headings(sheet, 14)
    assert "three" in headings(sheet.choose(ColumnChoice(always=("three",))), 30)


def test_a_width_that_was_chosen_is_kept_also_when_filtered_and_sorted() -> None:
    chosen = Sheet(FRAME, COLS, ("a",)).choose(ColumnChoice(widths={"two": 21}))
    assert dict(chosen.layout(100))[1] == 21
    assert dict(chosen.sort("two", False).filter("yy").layout(100))[1] == 21


async def test_columns_are_chosen_by_keys_and_there_again_in_the_next_session(desk_path: Path, tmp_path: Path) -> None:
    app = ConsoleApp(desk_path, preferences=Preferences(tmp_path))
    async with app.run_test(size=(160, 40)) as pilot:
        await wait_until_loaded(pilot)
        await pilot.press("9", "tab", "tab")
        await wait_until_loaded(pilot)
        before = page(app).view.text()[0].split()
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, ColumnsScreen))
        await pilot.press("down", "space", "space", "down", *["plus"] * 6, "enter")
        await until(pilot, lambda: not isinstance(app.screen, ColumnsScreen))
        after = page(app).view.text()[0]
        assert before[1] not in after.split() and before[0] in after.split()
    again = ConsoleApp(desk_path, preferences=Preferences(tmp_path))
    async with again.run_test(size=(160, 40)) as pilot:
        await wait_until_loaded(pilot)
        await pilot.press("9", "tab", "tab")
        await wait_until_loaded(pilot)
        assert page(again).view.text()[0] == after
        await pilot.press("c", "0", "enter")
        await until(pilot, lambda: page(again).view.text()[0].split() == before)


async def test_leaving_the_dialog_changes_nothing(desk_path: Path, tmp_path: Path) -> None:
    app = ConsoleApp(desk_path, preferences=Preferences(tmp_path))
    async with app.run_test(size=(160, 40)) as pilot:
        await wait_until_loaded(pilot)
        await pilot.press("9", "tab", "tab")
        await wait_until_loaded(pilot)
        before = page(app).view.text()[0]
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, ColumnsScreen))
        await pilot.press("down", "space", "space", "escape")
        await pilot.pause()
        assert page(app).view.text()[0] == before and not list(tmp_path.iterdir())
