"""Cards fill exactly their room at any size, stand beside each other where there is room, and are walked by arrows."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from nextgen_tui.console.app import ConsoleApp
from nextgen_tui.console.board.banner import SYMBOLS, fit_clauses
from nextgen_tui.console.board.board import Place, board_height, find_neighbour, lay_out
from nextgen_tui.console.board.board_widget import BoardWidget
from nextgen_tui.console.board.card import Card, draw_card, trend_lines
from nextgen_tui.console.page_screen import PageScreen
from nextgen_tui.console.pages.health import ORDER
from nextgen_tui.console.runtime.screenshots import wait_until_loaded, wait_until_still
from nextgen_tui.console.screen_frame import screen_lines
from nextgen_tui.console.sheet.sheet import Cell

PROBLEM = Card(
    "daemon", Cell("✗ failed", "bad"), (Cell("It crashed"), Cell("start it")), (("m", "start"),), group="problem"
)
TILE = Card("6 Book", Cell("✓ ok", "good"), (Cell("1,010,000.00"), Cell("+1.00 % today")), trend=(1.0, 3.0, 2.0))


@settings(max_examples=30)
@given(st.text(max_size=60), st.integers(30, 120), st.sampled_from([1, 3, 5, 6, 7]), st.booleans())
def test_a_card_fills_exactly_its_room(words: str, width: int, height: int, chosen: bool) -> None:
    card = Card("title", Cell("! look", "warn"), (Cell(words), Cell(words)), (("m", words),), (1.0, 2.0), "a trend")
    drawn = draw_card(card, width, height, chosen)
    assert len(drawn) == height
    assert {sum(cell_len(text) for text, _ in row) for row in drawn} == {width}


def test_the_chosen_card_is_told_without_colour() -> None:
    plain, chosen = ("".join(text for text, _ in draw_card(TILE, 30, 5, on)[0]) for on in (False, True))
    assert plain.startswith("╭─ 6 Book") and chosen.startswith("┏━ 6 Book")


def test_a_trend_spans_from_the_lowest_to_the_highest_value() -> None:
    assert trend_lines((0.0, 1.0), 4, 1) == ["  ▁█"]
    assert trend_lines((0.0, 0.5, 1.0), 3, 2) == [" ▁█", "▁██"]
    assert trend_lines((), 4, 1) == []


def test_tiles_stand_beside_each_other_and_below_each_other_where_it_is_narrow() -> None:
    cards = [PROBLEM, PROBLEM, *[TILE] * 10]
    wide, narrow = lay_out(cards, 140, 40), lay_out(cards, 80, 24)
    assert wide[:2] == [Place(0, 0, 70, 7), Place(70, 0, 70, 7)]
    assert {place.y for place in wide[2:]} == {7, 13} and board_height(wide) == 19
    assert {place.x for place in narrow} == {0} and board_height(narrow) == 2 * 3 + 10


def test_arrows_go_to_the_nearest_card() -> None:
    places = lay_out([PROBLEM, *[TILE] * 10], 140, 40)
    assert find_neighbour(places, 0, 0, 1) == 1
    assert find_neighbour(places, 3, 0, 1) == 8
    assert find_neighbour(places, 8, 0, -1) == 3
    assert find_neighbour(places, 3, 1, 0) == 4
    assert find_neighbour(places, 0, 0, -1) == 0


@pytest.mark.parametrize("size", [(80, 24), (140, 40), pytest.param((200, 60), marks=pytest.mark.slow)])
async def test_the_verdict_is_a_band_with_a_symbol_and_each_screen_has_its_tile(
    desk_path: Path, size: tuple[int, int]
) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=size) as pilot:
        await wait_until_loaded(pilot)
        await wait_until_still(pilot)
        lines = screen_lines(app.screen)
        for row, part in zip(lines[2:5], SYMBOLS["fail"], strict=True):
            assert f"{row:<8}"[1:7] == part
        assert "FAILED" in lines[2]
        text = "\n".join(lines)
        assert "The last cycle (2022-03-01) failed: a disk was full" in text
        for tile in ("2 Data", "3 Predictions", "6 Book", "9 Runs", "A Research"):
            assert tile in text
        assert "1,010,000.00" in text


async def test_a_tile_leads_to_its_screen(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(140, 40)) as pilot:
        await wait_until_loaded(pilot)
        screen = app.screen
        assert isinstance(screen, PageScreen)
        board = screen.query_one(BoardWidget)
        assert board.sheet is not None
        titles = [board.sheet.row(number)["title"] for number in range(board.sheet.height)]
        assert titles[-10:] == [*ORDER]
        for _ in range(titles.index("plan")):
            await pilot.press("right")
        assert screen.row is not None and screen.row["title"] == "plan"
        await pilot.press("enter")
        await wait_until_loaded(pilot)
        assert app.current_mode == "plan"


async def test_the_mending_key_leads_to_the_sheet_that_lists_the_cases(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(140, 40)) as pilot:
        await wait_until_loaded(pilot)
        screen = app.screen
        assert isinstance(screen, PageScreen)
        while screen.row is not None and screen.row["mend"] != "go data tickers":
            await pilot.press("right")
        await pilot.press("m")
        await wait_until_loaded(pilot)
        assert app.current_mode == "data" and "[tickers]" in "\n".join(screen_lines(app.screen))


@given(st.text(max_size=300), st.integers(20, 100))
def test_a_sentence_takes_no_more_rows_or_columns_than_it_has(words: str, width: int) -> None:
    lines = fit_clauses(words, width)
    assert len(lines) <= 3 and all(len(line) <= width for line in lines)


def test_clauses_are_told_whole_or_left_out_with_a_sign_that_they_are() -> None:
    words = "One order was sent. Two were refused, most often by cost awareness; the market is calm."
    assert fit_clauses(words, 100) == [words]
    assert fit_clauses(words, 30, 2) == ["One order was sent. …"]
    assert fit_clauses("not one word less of this", 20, 1) == ["not one word less o…"]
