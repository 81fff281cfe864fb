"""Jump mode: letters on what is in sight, and where typing one leads."""

from __future__ import annotations

from pathlib import Path

import pytest

from nextgen_tui.console.app import ConsoleApp
from nextgen_tui.console.detail_screen import DetailScreen
from nextgen_tui.console.jump import LETTERS, JumpScreen, label_places
from nextgen_tui.console.runtime.screenshots import wait_until_loaded
from nextgen_tui.console.screen_frame import screen_lines
from nextgen_tui.console.typed_line import TypingScreen
from tests.nextgen_tui.console.test_app import page, until


def test_no_label_begins_another_and_single_letters_come_first() -> None:
    for count in (0, 1, 26, 27, 80, 676):
        labels = label_places(count)
        assert len(set(labels)) == count
        assert labels == sorted(labels, key=len)
        singles = {label for label in labels if len(label) == 1}
        assert not any(label[0] in singles for label in labels if len(label) == 2)
    assert label_places(26) == list(LETTERS)


def test_more_than_two_letters_tell_apart_is_refused() -> None:
    with pytest.raises(ValueError, match="677 places"):
        label_places(677)


async def test_a_letter_leads_to_a_sheet_a_heading_and_a_row(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(140, 40)) as pilot:
        await wait_until_loaded(pilot)
        await pilot.press("3")
        await wait_until_loaded(pilot)
        sheets, headings = len(page(app).query_one("#sheets").sheet_places()), len(page(app).view.heading_places())  # type: ignore[attr-defined]
        rows = page(app).view.row_places()
        labels = label_places(sheets + headings + len(rows))
        for where, reached in (
            (sheets + headings + len(rows) - 1, lambda: page(app).view.cursor == rows[-1][1]),
            (sheets, lambda: page(app).here.order is not None),
            (1, lambda: page(app)._memory.sheet == page(app).page.sheets(page(app)._state.data)[1]),
        ):
            await pilot.press("f")
            await until(pilot, lambda: isinstance(app.screen, JumpScreen))
            await pilot.press(*labels[where])
            await until(pilot, lambda: not isinstance(app.screen, JumpScreen))
            await until(pilot, reached)


async def test_labels_stand_on_the_screen_as_it_was_until_another_key(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(140, 40)) as pilot:
        await wait_until_loaded(pilot)
        await pilot.press("3")
        await wait_until_loaded(pilot)
        before = screen_lines(app.screen)
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, JumpScreen))
        await pilot.pause()
        shown = screen_lines(app.screen)
        assert len(shown) == len(before) and shown[-1] == before[-1]
        bar = next(number for number, line in enumerate(before) if line.startswith(" [1 session]"))
        assert shown[bar] != before[bar] and shown[bar].startswith(f" {LETTERS[0]}1 session]")
        await pilot.press("1")
        await until(pilot, lambda: not isinstance(app.screen, JumpScreen))
        assert page(app).page.name == "Predictions", "a key that is no label leads nowhere"


async def test_a_letter_follows_a_way_on(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(140, 40)) as pilot:
        await wait_until_loaded(pilot)
        await pilot.press("3")
        await wait_until_loaded(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, DetailScreen))
        first = app.screen
        assert isinstance(first, TypingScreen) and first.jump_places()
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, JumpScreen))
        await pilot.press(LETTERS[0])
        await until(pilot, lambda: isinstance(app.screen, DetailScreen) and app.screen is not first)
