"""What the console once answered wrongly, each as a test; the rest of that list is tested where its part is.

One verdict everywhere: `test_one_verdict.py`. Moments: `test_lake_view.py` and `lake/test_queries.py`. Who is champion
after a rollback: `pipeline/reading/test_consequences.py`. A filter finds what is shown: `sheet/test_sheet.py`. Answers
whole and in numbers: `test_ten_questions.py`.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from lake.store import Lake
from lake.tables.control import RUNS
from lake.tables.trading import TRADE_PLANS
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.main import outcome
from nextgen_tui.console.app import ConsoleApp
from nextgen_tui.console.detail_screen import DetailScreen
from nextgen_tui.console.dialogs import ConfirmScreen
from nextgen_tui.console.lake_view import LakeView, read_runs
from nextgen_tui.console.notes import plain_text
from nextgen_tui.console.pages.plan import PlanPage, _edge
from nextgen_tui.console.pages.runs import RunsPage
from nextgen_tui.console.runtime.screenshots import wait_until_loaded, wait_until_settled
from nextgen_tui.console.screen_frame import NotesWidget, screen_lines
from tests.nextgen_tui.console.desk import FIRST, LAST
from tests.nextgen_tui.console.test_app import page, until
from tests.nextgen_tui.lakes import land, rows, run_row


async def test_a_dialog_tells_the_consequence_before_it_is_sent(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_until_loaded(pilot)
        app.command("rollback")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen) and bool(app.screen.query("#effect-lines")))
        told = app.screen.query_one("#effect-lines", NotesWidget)
        await until(pilot, lambda: "champion now: m-1" in plain_text(told.lines))
        assert "champion after it: nobody: the naive forecast decides" in plain_text(told.lines)


def test_a_cycle_that_fails_by_hand_is_told_by_the_runs(own_desk: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    (own_desk.path / "nextgen.toml").write_text(
        '[source]\nname = "files"\n[source.files]\nprices = ["/nowhere/at/all.csv"]\n'
    )
    assert outcome(["cycle", "--session", "2022-03-02", "--lake", str(own_desk.path)]) != exit_codes.DONE
    capsys.readouterr()
    view = LakeView(Lake.open(own_desk.path), read_runs(Lake.open(own_desk.path)))
    told = RunsPage().sheet(RunsPage().load(view), "failed").frame
    assert told["session"].max() == date(2022, 3, 2)


async def test_time_changes_the_date_and_the_body_together(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(140, 40)) as pilot:
        await wait_until_loaded(pilot)
        await pilot.press("6")
        await wait_until_loaded(pilot)
        live = page(app).answer
        await pilot.press("less_than_sign")
        seen = set()
        for _ in range(200):
            lines = screen_lines(app.screen)
            seen.add((f"AS OF {FIRST}" in lines[0], page(app).answer == live))
            if (True, False) in seen:
                break
            await pilot.pause(0.01)
        assert seen <= {(False, True), (True, False)}, "the date of one session over the figures of another"
        assert (True, False) in seen


async def test_in_the_past_the_schedule_is_not_todays(desk_path: Path) -> None:
    app = ConsoleApp(desk_path, at=str(FIRST))
    async with app.run_test(size=(140, 40)) as pilot:
        await wait_until_loaded(pilot)
        await pilot.press("8")
        await wait_until_loaded(pilot)
        assert page(app).answer.startswith(f"As of {FIRST}, tasks as they were attempted by then.")
        assert "What is due is known of now only" in "\n".join(screen_lines(app.screen))


async def test_columns_out_of_sight_are_told_and_can_be_scrolled_to(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until_loaded(pilot)
        await pilot.press("9", "tab", "tab")
        await wait_until_loaded(pilot)
        assert " columns ← →" in "\n".join(screen_lines(app.screen))
        heading = page(app).view.text()[0]
        for _ in range(20):
            await pilot.press("right")
        scrolled = page(app).view.text()[0]
        assert scrolled.split()[0] == heading.split()[0] == "status"
        assert "error" in scrolled and "error" not in heading
        await pilot.press(*["left"] * 20)
        assert page(app).view.text()[0] == heading


async def test_at_80_columns_each_screen_is_named_on_the_first_one(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until_loaded(pilot)
        await wait_until_settled(pilot)
        text = "\n".join(screen_lines(app.screen))
        assert [one.name for one in app.pages.values() if one.name not in text] == []


async def test_what_was_opened_takes_commands_filters_and_moments(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_until_loaded(pilot)
        await pilot.press("3")
        await wait_until_loaded(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, DetailScreen))
        shown = app.screen.query_one("#sections", NotesWidget)
        whole = len(shown.lines)
        await pilot.press("slash", *"naive", "enter")
        await until(pilot, lambda: 0 < len(shown.lines) < whole)
        await pilot.press("escape")
        assert len(shown.lines) == whole and isinstance(app.screen, DetailScreen)
        await pilot.press("colon", *"theme", "enter")
        assert app.theme == "textual-light"
        await pilot.press("t", *str(FIRST), "enter")
        await until(pilot, lambda: not isinstance(app.screen, DetailScreen))
        await until(pilot, lambda: f"AS OF {FIRST}" in screen_lines(app.screen)[0])


async def test_a_click_on_a_sheets_name_turns_to_it(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_until_loaded(pilot)
        bar = next(line for line in screen_lines(app.screen) if line.startswith(" [cockpit]"))
        await pilot.click("#sheets", offset=(bar.index("cycles") + 1, 0))
        await pilot.pause()
        assert "[cycles]" in "\n".join(screen_lines(app.screen))


async def test_notes_and_pictures_have_the_whole_screen_by_one_key_and_the_sheet_by_two(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_until_loaded(pilot)
        await pilot.press("3")
        await wait_until_loaded(pilot)
        main, side, halves = (page(app).query_one(name) for name in ("#main", "#side", "#halves"))
        assert main.display and side.display
        await pilot.press("z")
        await pilot.pause()
        assert not main.display and side.size.width == halves.size.width
        await pilot.press("z")
        await pilot.pause()
        assert not side.display and main.size.width == halves.size.width
        await pilot.press("z")
        await pilot.pause()
        assert main.display and side.display


async def test_the_newest_row_is_in_sight_where_the_cursor_was_on_the_newest(own_desk: Lake) -> None:
    app = ConsoleApp(own_desk.path)
    async with app.run_test(size=(100, 24)) as pilot:
        await wait_until_loaded(pilot)
        await pilot.press("9", "tab", "tab")
        await wait_until_loaded(pilot)
        later = datetime(2022, 3, 2, tzinfo=UTC)
        land(own_desk, RUNS, rows(RUNS, run_row("prices", session=LAST, run_id="newest", started_at=later)), "newest")
        await until(pilot, lambda: (page(app).row or {}).get("run_id") == "newest")


def test_orders_refusals_and_what_is_kept_add_up_to_the_names_of_the_plan(desk_path: Path) -> None:
    lake = Lake.open(desk_path)
    data = PlanPage().load(LakeView(lake, read_runs(lake)))
    said = PlanPage().sentence(data)
    orders, vetoed, stopped, refused, kept, names = (
        sum(map(int, re.findall(rf"(\d+) {word}", said)))
        for word in ("order", "vetoed", "stopped", "refused", "kept", "name")
    )
    assert names == lake.read(TRADE_PLANS, since=LAST, until=LAST).height
    assert orders + vetoed + stopped + refused + kept == names


def test_an_edge_is_what_is_expected_less_its_cost_as_it_is_read(desk_path: Path) -> None:
    row = {"expected_return": 0.010374, "expected_cost": 0.003031, "edge": 0.007343}
    (line,) = _edge(row)
    total, gain, cost = (Decimal(one) for one in re.findall(r"[+-]?\d+\.\d+", plain_text([line])))
    assert gain - cost == total
