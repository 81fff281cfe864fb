"""The console keeps where the operator stands, goes through time, asks once, and never falls over."""

from __future__ import annotations

import gc
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button

from lake.contract import Table
from lake.store import Lake
from lake.tables.control import SYSTEM_HEALTH, TASK_REQUESTS
from lake.tables.trading import TRADE_PLANS
from nextgen_tui.console.app import ConsoleApp, LakeChecked, PageLoaded
from nextgen_tui.console.charts.chart import Chart, Curve
from nextgen_tui.console.detail_screen import DetailScreen
from nextgen_tui.console.dialogs import ConfirmScreen, HelpScreen
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.notes import note, plain_text
from nextgen_tui.console.operator.opening import DetailRead
from nextgen_tui.console.page import Detail, Link, PageState, Section
from nextgen_tui.console.page_screen import PageScreen
from nextgen_tui.console.runtime.screenshots import take_screenshots, terminal_size, wait_until_loaded, wait_until_still
from nextgen_tui.console.screen_frame import NotesWidget, screen_lines
from nextgen_tui.console.screens import PAGES
from tests.new_lake import new_lake
from tests.nextgen_tui.console.desk import FIRST, LAST, desk
from tests.nextgen_tui.hostile import HOSTILE
from tests.nextgen_tui.lakes import land, rows
from tests.nextgen_tui.text.test_safe_text import dangerous


async def until(pilot: Pilot[None], holds: Callable[[], bool]) -> None:
    for _ in range(400):
        if holds():
            return
        await pilot.pause(0.05)
    raise AssertionError("it never came about:\n" + "\n".join(screen_lines(pilot.app.screen)))


def page(app: ConsoleApp) -> PageScreen:
    assert isinstance(app.screen, PageScreen)
    return app.screen


def sentence(app: ConsoleApp) -> str:
    return page(app).answer


async def test_a_filter_and_the_cursor_are_kept_while_the_operator_is_elsewhere(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_until_loaded(pilot)
        await pilot.press("5")
        await wait_until_loaded(pilot)
        await pilot.press("slash", *"zeta", "enter")
        await pilot.pause()
        assert [line.split()[2] for line in page(app).view.text()[1:]] == ["ZETA"]
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, DetailScreen))
        await pilot.press("backspace")
        await until(pilot, lambda: isinstance(app.screen, PageScreen))
        await pilot.press("1", "5")
        await wait_until_loaded(pilot)
        assert len(page(app).view.text()) == 2
        await pilot.press("escape")
        await pilot.pause()
        assert len(page(app).view.text()) == 3
        assert page(app).row is not None
        assert page(app).row["ticker"] == "ZETA"


async def test_a_heading_sorts_and_turns(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("5")
        await wait_until_loaded(pilot)
        await pilot.press("s", "s")
        assert page(app).view.text()[0].split()[1:3] == ["ticker", "▲"]
        await pilot.press("S")
        assert [line.split()[2] for line in page(app).view.text()[1:]] == ["ZETA", "ACME"]


async def test_the_whole_console_stands_in_the_past_and_steps_back_to_now(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("6")
        await wait_until_loaded(pilot)
        assert sentence(app).startswith("1,010,000.00")
        await pilot.press("less_than_sign")
        await until(pilot, lambda: sentence(app).startswith(f"1,000,000.00 at {FIRST}"))
        assert f"AS OF {FIRST}" in "\n".join(screen_lines(app.screen))
        await pilot.press("3")
        await until(pilot, lambda: f"at the close of {FIRST}" in sentence(app))
        await pilot.press("colon", *"cycle", "enter")
        await pilot.pause()
        assert isinstance(app.screen, PageScreen), "nothing can be asked from the past"
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: f"at the close of {LAST}" in sentence(app))
        assert app.at is None


async def test_lineage_leads_from_a_trade_to_what_the_vendor_sent(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    way = ("trade_plans", "predictions", "feature_windows", "feature_rows", "market_prices", "raw_prices")
    async with app.run_test(size=(140, 40)) as pilot:
        await pilot.press("6")
        await wait_until_loaded(pilot)
        await pilot.press("tab", "l")
        await until(pilot, lambda: isinstance(app.screen, DetailScreen))
        for table in way:
            here = app.screen
            assert isinstance(here, DetailScreen)
            assert here.detail.links[0].table == table
            await pilot.press("enter")
            await until(pilot, lambda here=here: app.screen is not here)
        assert isinstance(app.screen, DetailScreen)
        assert '"close":"104.0"' in app.screen.text()
        await pilot.press(*["backspace"] * 7)
        await until(pilot, lambda: isinstance(app.screen, PageScreen))


async def test_on_the_smallest_terminal_a_story_has_room_for_its_text_beside_chart_and_ways_on(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    lines = tuple(note(f"line {number}") for number in range(9))
    line = Curve((0.0, 1.0), (0.0, 1.0), "own")
    ways = tuple(Link(f"way {number}", "runs", {"run_id": "x"}) for number in range(30))
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until_loaded(pilot)
        await app.push_screen(
            DetailScreen(Detail("a story", (Section("It says", lines),), (Chart("", (line,)),), ways))
        )
        await wait_until_still(pilot)
        shown = "\n".join(screen_lines(app.screen))
        assert all(words in shown for words in ("It says", "line 3", "way 4")), shown


async def test_a_request_is_shown_first_and_sent_once(own_desk: Lake) -> None:
    app = ConsoleApp(own_desk.path)
    async with app.run_test(size=(100, 40)) as pilot:
        await wait_until_loaded(pilot)
        await pilot.press("colon", *"run plan", "enter")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen) and bool(app.screen.query("#effect-lines")))
        shown = plain_text(app.screen.query_one("#effect-lines", NotesWidget).lines)
        assert "writes trade_plans" in " ".join(shown.split())
        assert "No daemon is running on this lake" in " ".join(shown.split())
        assert app.focused is app.screen.query_one("#cancel")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, PageScreen))
        assert own_desk.read(TASK_REQUESTS).is_empty()
        await pilot.press("colon", *"run plan", "enter")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        send = app.screen.query_one("#send", Button)
        send.press()
        send.press()
        await until(pilot, lambda: own_desk.read(TASK_REQUESTS).height == 1)
        await pilot.pause(0.2)
        asked = own_desk.read(TASK_REQUESTS).row(0, named=True)
        assert (asked["action"], asked["target"], asked["origin"]) == ("run", "plan", "console")


async def test_what_is_published_appears_without_a_key(own_desk: Lake) -> None:
    app = ConsoleApp(own_desk.path)
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_until_loaded(pilot)
        check = {"session": LAST, "service": "models", "check": "fresh", "status": "fail", "message": "a new worry"}
        land(own_desk, SYSTEM_HEALTH, rows(SYSTEM_HEALTH, check), "later")
        await until(pilot, lambda: "a new worry" in page(app).text())


async def test_without_a_lake_there_is_a_sentence_and_one_made_later_is_found(tmp_path: Path) -> None:
    app = ConsoleApp(tmp_path / "lake")
    async with app.run_test() as pilot:
        await until(pilot, lambda: "create one with `nextgen init`" in sentence(app))
        new_lake(tmp_path / "made").path.rename(tmp_path / "lake")
        await until(pilot, lambda: sentence(app) == "No session has been run yet.")
        for one in PAGES:
            await pilot.press(one.number)
            await wait_until_loaded(pilot)
            assert not app.page_state(one.name.lower()).trouble
            assert sentence(app)


async def test_help_lists_the_keys_valid_here(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(100, 60)) as pilot:
        await wait_until_loaded(pilot)
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        told = "\n".join("".join(cell.text for cell in line) for line in app.screen.lines())
        assert "Lineage" in told
        assert "retry TASK SLOT" in told
        await pilot.press("escape")
        assert isinstance(app.screen, PageScreen)


async def test_while_one_types_the_line_at_the_bottom_tells_the_keys_that_are_no_letters(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(120, 30)) as pilot:
        await wait_until_loaded(pilot)
        before = screen_lines(app.screen)[-1]
        for key in ("slash", "colon", "t", "e"):
            await pilot.press(key)
            await wait_until_still(pilot)
            assert screen_lines(app.screen)[-1].split() == ["⏎", "Accept", "esc", "Cancel"]
            await pilot.press("escape")
            await wait_until_still(pilot)
            assert screen_lines(app.screen)[-1] == before


async def test_while_time_runs_the_bar_offers_to_stop_it(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(120, 30)) as pilot:
        await wait_until_loaded(pilot)
        await pilot.press("less_than_sign")
        await until(pilot, lambda: "p play" in screen_lines(app.screen)[0])
        await pilot.press("p")
        await until(pilot, lambda: "p pause" in screen_lines(app.screen)[0])
        await pilot.press("p")
        await until(pilot, lambda: "p play" in screen_lines(app.screen)[0])


async def test_hostile_text_is_harmless_in_every_widget(tmp_path: Path) -> None:
    lake = new_lake(tmp_path / "lake")
    texts = [text[:150].encode("utf-8", "ignore").decode() for text in HOSTILE]
    checks = [
        {"service": f"s{n}", "check": text[:50], "status": "warn", "message": text, "session": LAST}
        for n, text in enumerate(texts)
    ]
    land(lake, SYSTEM_HEALTH, rows(SYSTEM_HEALTH, *checks))
    app = ConsoleApp(lake.path)
    async with app.run_test(size=(140, 60)) as pilot:
        await wait_until_loaded(pilot)
        assert [sign for sign in dangerous("\n".join(screen_lines(app.screen))) if sign != "\n"] == []
        await pilot.press("tab")  # the board tells five of them, the sheet behind it all
        assert [sign for sign in dangerous("\n".join(screen_lines(app.screen))) if sign != "\n"] == []
        assert "[@click=app.quit]quit[/]" in page(app).text()
        await pilot.press("slash", *"click", "enter", "enter")
        await until(pilot, lambda: isinstance(app.screen, DetailScreen))
        assert [sign for sign in dangerous("\n".join(screen_lines(app.screen))) if sign != "\n"] == []
        for text in texts:
            app.notify(text, markup=False)
            app.copy_to_clipboard(text)
        await pilot.pause()
        assert app.is_running


async def test_every_screen_stands_resizing(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    small, large = (20, 5), (200, 60)  # the sizes between are those of the other tests
    async with app.run_test(size=small) as pilot:
        for number, one in enumerate(PAGES[:7]):
            await pilot.press(one.number)
            await wait_until_loaded(pilot)
            size = small if number % 2 else large  # the next screen opens at this size, and goes to the other
            await pilot.resize_terminal(*size)
            await until(pilot, lambda size=size: len(screen_lines(app.screen)) == size[1])


def test_every_screen_has_its_picture_without_a_secret_of_the_environment(
    desk_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a-secret-of-the-operator")
    taken = take_screenshots(ConsoleApp(desk_path), tmp_path / "pictures", terminal_size("100x30"))
    assert [path.name for path in taken] == [f"{one.number}-{one.name.lower()}.svg" for one in PAGES]
    charts = [path.read_text() for path in taken]
    assert all("<svg" in chart and "a-secret" not in chart for chart in charts)


async def test_what_arrives_after_the_last_screen_has_closed_is_passed_over(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test() as pilot:
        await wait_until_loaded(pilot)
        view = app.view
        assert view is not None
    app.on_lake_checked(LakeChecked(("later",), view))
    app.on_page_loaded(PageLoaded("health", view, PageState()))
    app.on_detail_read(DetailRead(None, "too late"))


async def test_what_was_read_before_is_let_go_without_a_search_for_rubbish(desk_path: Path) -> None:
    def views() -> int:
        return sum(type(one) is LakeView for one in gc.get_objects())

    app = ConsoleApp(desk_path)
    async with app.run_test(size=(120, 30)) as pilot:
        await wait_until_loaded(pilot)
        gc.collect()
        gc.disable()
        try:
            for _ in range(4):
                before = app.view
                app.action_look_again()
                await until(pilot, lambda before=before: app.view is not before)  # type: ignore[misc]
                await wait_until_loaded(pilot)
            before = None
            assert views() <= 3
        finally:
            gc.enable()


async def test_what_is_to_be_read_again_while_it_looks_is_read_again(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(120, 30)) as pilot:
        await wait_until_loaded(pilot)
        before = app.view
        app.look()
        app.action_look_again()
        await until(pilot, lambda: app.view is not before)


async def test_what_is_published_while_it_looks_is_looked_at_once_that_look_is_over(
    desk_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nextgen_tui.console.app.SECONDS_BETWEEN_LOOKS", 3_600.0)
    looks: list[LakeChecked] = []

    class Counting(ConsoleApp):  # each class that handles a message is told of it
        CSS_PATH = Path(inspect.getfile(ConsoleApp)).with_name("console.tcss")

        def on_lake_checked(self, message: LakeChecked) -> None:
            looks.append(message)

    app = Counting(desk_path)
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_until_loaded(pilot)
        before = len(looks)
        for _ in range(3):
            app.look()
        await until(pilot, lambda: len(looks) >= before + 2)
        await pilot.pause(0.3)
        assert len(looks) == before + 2


async def test_orders_chosen_together_are_vetoed_by_one_dialog_with_one_reason(tmp_path: Path) -> None:
    def both_taken(table: Table, row: dict[str, Any]) -> dict[str, Any]:
        return row | {"taken": True, "shares": 10, "blocked_by": None} if table is TRADE_PLANS else row

    lake = desk(tmp_path / "lake", both_taken)
    app = ConsoleApp(lake.path)
    async with app.run_test(size=(140, 40)) as pilot:
        await wait_until_loaded(pilot)
        await pilot.press("5")
        await wait_until_loaded(pilot)
        await pilot.press("space", "space")
        await pilot.pause()
        assert [line[0] for line in screen_lines(app.screen) if " order " in line and line[0] != " "] == ["◆", "◆"]
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen) and bool(app.screen.query("#effect-lines")))
        told = app.screen.query_one("#effect-lines", NotesWidget)
        await until(pilot, lambda: "0 of 2 orders remain" in plain_text(told.lines))
        assert f"veto {LAST}:" in plain_text(told.lines) and f"and: {LAST}:" in plain_text(told.lines)
        await pilot.press("escape")
        await pilot.pause()
        assert all(line[:1] != "◆" for line in screen_lines(app.screen)), "asked once, and no longer chosen"
