"""`:sql` asks the tables of the moment shown; the answer is a sheet like any other, and what was asked comes back."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from lake.store import Lake
from lake.tables.books import PORTFOLIO_VALUE
from nextgen_tui.console.answers.answer_page import AnswerPage, SqlAnswer, draw_course
from nextgen_tui.console.answers.answer_screen import AnswerScreen
from nextgen_tui.console.app import ConsoleApp
from nextgen_tui.console.detail_screen import DetailScreen
from nextgen_tui.console.page_screen import PageScreen
from nextgen_tui.console.runtime.screenshots import wait_until_loaded, wait_until_settled
from nextgen_tui.console.screen_frame import screen_lines
from nextgen_tui.console.sheet.columns_screen import ColumnsScreen
from nextgen_tui.remembered.preferences import Preferences
from tests.nextgen_tui.console.desk import FIRST, LAST
from tests.nextgen_tui.console.painted import steering
from tests.nextgen_tui.console.test_app import page, until
from tests.nextgen_tui.hostile import HOSTILE

NAV = "SELECT session, nav FROM portfolio_value ORDER BY session DESC"


def is_answer(app: ConsoleApp) -> bool:
    return isinstance(app.screen, AnswerScreen) and app.screen.is_mounted and bool(app.screen.answer)


async def test_an_answer_is_a_sheet_that_is_filtered_opened_and_left(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(140, 40)) as pilot:
        await wait_until_loaded(pilot)
        await pilot.press("colon", *f"sql {NAV}", "enter")
        await until(pilot, lambda: is_answer(app))
        await wait_until_settled(pilot)
        values = Lake.open(desk_path).read(PORTFOLIO_VALUE)
        assert page(app).answer.startswith(f"{values.height} rows: SELECT session")
        assert [line.split()[-1] for line in page(app).view.text()[1:]] == ["1,010,000.00", "1,000,000.00"]
        await pilot.press("slash", *str(FIRST), "enter")
        await pilot.pause()
        assert len(page(app).view.text()) == 2
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, DetailScreen))
        assert isinstance(app.screen, DetailScreen) and "1,000,000.00" in app.screen.text() and NAV in app.screen.text()
        await pilot.press("backspace")
        await until(pilot, lambda: is_answer(app))
        await pilot.press("backspace")
        await pilot.pause()
        assert is_answer(app) and len(page(app).view.text()) == 3, "the first takes the filter away"
        await pilot.press("backspace")
        await until(pilot, lambda: not is_answer(app))


async def test_a_question_of_the_past_is_answered_by_the_past(desk_path: Path) -> None:
    app = ConsoleApp(desk_path, at=str(FIRST))
    async with app.run_test(size=(140, 40)) as pilot:
        await wait_until_loaded(pilot)
        app.command(f"sql {NAV}")
        await until(pilot, lambda: is_answer(app))
        assert page(app).answer.startswith(f"1 row as of {FIRST}:")
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: not is_answer(app) and app.at is None)
        app.command(f"sql {NAV}")
        await until(pilot, lambda: is_answer(app))
        assert page(app).answer.startswith("2 rows: ")


async def test_what_was_asked_comes_back_by_the_arrow_and_as_a_list_that_asks_again(
    desk_path: Path, tmp_path: Path
) -> None:
    preferences = Preferences(tmp_path)
    preferences.history.add("sql SELECT 1 AS one")
    app = ConsoleApp(desk_path, preferences=preferences)
    async with app.run_test(size=(140, 40)) as pilot:
        await wait_until_loaded(pilot)
        await pilot.press("colon", *"theme", "enter", "colon", "up", "up")
        line = app.screen.query_one("#line")
        assert getattr(line, "value", "") == "sql SELECT 1 AS one"
        await pilot.press("down")
        assert getattr(line, "value", "") == "theme"
        await pilot.press("down", *"sql", "enter")
        await until(pilot, lambda: is_answer(app))
        await wait_until_settled(pilot)
        assert "SELECT 1 AS one" in page(app).view.text()[1]
        await pilot.press("enter")
        await until(pilot, lambda: page(app).answer == "1 row: SELECT 1 AS one")
    assert Preferences(tmp_path).history.texts() == ["sql SELECT 1 AS one", "theme", "sql"]


@pytest.mark.parametrize(
    "question",
    [
        "SELECT clse FROM market_prices",
        "SELECT * FROM read_csv('/etc/passwd')",
        pytest.param("DROP x", marks=pytest.mark.slow),
    ],
)
async def test_a_question_that_is_refused_is_told_and_opens_nothing(desk_path: Path, question: str) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(140, 40)) as pilot:
        await wait_until_loaded(pilot)
        app.command(f"sql {question}")
        await until(pilot, lambda: any(one.severity == "warning" for one in app._notifications))
        assert not is_answer(app)


async def test_spaces_in_a_text_stay_as_they_were_typed(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(140, 40)) as pilot:
        await wait_until_loaded(pilot)
        app.command("sql SELECT length('a  b') AS n")
        await until(pilot, lambda: is_answer(app))
        shown = page(app)
        assert isinstance(shown, PageScreen) and shown.view.text()[1].strip().endswith("4")


async def test_hostile_values_are_shown_as_harmless_text(desk_path: Path) -> None:
    texts = [one.encode("utf-8", "ignore").decode() for one in HOSTILE]
    rows = pl.DataFrame({"text": texts, "list": [[one] for one in texts]})
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_until_loaded(pilot)
        answer = SqlAnswer("SELECT 1", rows, asked=tuple(texts))
        app.push_screen(AnswerScreen(AnswerPage(answer), answer, None))
        await until(pilot, lambda: is_answer(app))
        await wait_until_settled(pilot)
        assert all(line.isprintable() for line in screen_lines(app.screen))


def test_a_course_in_time_is_drawn_and_other_rows_are_not() -> None:
    days = [date(2022, 3, 1), date(2022, 2, 28)]
    (chart,) = draw_course(pl.DataFrame({"session": days, "nav": [2.0, 1.0], "ticker": ["a", "b"]}))
    assert chart.lines[0].ys == (1.0, 2.0) and [text for _, text in chart.ticks] == ["Feb 28", "Mar 01"]
    assert draw_course(pl.DataFrame({"session": [LAST, LAST], "nav": [1.0, 2.0]})) == ()
    assert draw_course(pl.DataFrame({"ticker": ["a", "b"], "nav": [1.0, 2.0]})) == ()
    assert draw_course(pl.DataFrame()) == ()


async def test_hostile_names_of_columns_steer_nothing_anywhere(desk_path: Path) -> None:
    names = [one.encode("utf-8", "ignore").decode() for one in HOSTILE]
    rows = pl.DataFrame([pl.Series(f"{name}{number}", [number]) for number, name in enumerate(names)])
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_until_loaded(pilot)
        answer = SqlAnswer("SELECT 1", rows, asked=tuple(names))
        app.push_screen(AnswerScreen(AnswerPage(answer), answer, None))
        await until(pilot, lambda: is_answer(app))
        await wait_until_settled(pilot)
        assert steering(app.screen) == []
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, ColumnsScreen))
        await pilot.pause()
        assert steering(app.screen) == []
        await pilot.press("escape", "enter")
        await until(pilot, lambda: isinstance(app.screen, DetailScreen))
        await pilot.pause()
        assert steering(app.screen) == []
