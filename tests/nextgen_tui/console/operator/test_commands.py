"""What is done from the console is shown first, needs a second step, is sent once, and never from the past."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Input

from lake.store import Lake
from lake.tables.control import TASK_REQUESTS, TRADE_DECISIONS, TRADING_SWITCHES
from nextgen_tui.console.app import ConsoleApp
from nextgen_tui.console.dialogs import ConfirmScreen
from nextgen_tui.console.page_screen import PageScreen
from nextgen_tui.console.runtime.screenshots import wait_until_loaded, wait_until_still
from nextgen_tui.console.screen_frame import screen_lines
from tests.nextgen_tui.console.desk import FIRST, LAST
from tests.nextgen_tui.console.test_app import until

ORDER = f"{LAST}:ACME"


def words(app: ConsoleApp) -> str:
    """What stands on the screen, as if on one line."""
    return " ".join(" ".join(screen_lines(app.screen)).replace("│", " ").split())


def told(app: ConsoleApp) -> str:
    """Everything the console said beside its screens."""
    return " ".join(str(one.message) for one in app._notifications)


async def dialog(pilot: Pilot[None], *keys: str) -> ConfirmScreen:
    """Press keys that lead to a question."""
    await wait_until_loaded(pilot)
    for key in keys:
        await pilot.press(key)
        await wait_until_loaded(pilot)
    await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
    screen = pilot.app.screen
    assert isinstance(screen, ConfirmScreen)
    assert pilot.app.focused is screen.query_one("#cancel"), "nothing happens by pressing enter too fast"
    return screen


def market(lake: Lake, name: str) -> None:
    """Say which market the lake is of: a simulated one stands at its last cycle, when its plan can still be vetoed."""
    (lake.path / "nextgen.toml").write_text(f'[source]\nname = "{name}"\n')


async def test_a_veto_needs_a_reason_and_is_on_record_at_once(own_desk: Lake) -> None:
    market(own_desk, "simulated")
    app = ConsoleApp(own_desk.path)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await dialog(pilot, "5", "x")
        shown = words(app)
        assert f"Record: veto {ORDER}" in shown
        assert "buy 10 ACME at the open of 2022-03-02" in shown
        assert "writes one row of trade_decisions" in shown
        send = screen.query_one("#send", Button)
        send.press()
        await until(pilot, lambda: "Enter a reason first." in told(app))
        assert own_desk.read(TRADE_DECISIONS).is_empty()
        assert app.focused is screen.query_one("#why")
        await pilot.press(*"too hot", "enter")
        assert app.focused is send
        assert own_desk.read(TRADE_DECISIONS).is_empty()
        send.press()
        send.press()
        await until(pilot, lambda: "is vetoed for the open of 2022-03-02" in told(app))
        said = own_desk.read(TRADE_DECISIONS)
        assert said.select("plan_id", "decision", "reason", "origin").rows() == [(ORDER, "veto", "too hot", "console")]
        await until(pilot, lambda: isinstance(app.screen, PageScreen) and "0 orders, 1 vetoed" in words(app))
        assert "▌✗ vetoed ACME" in words(app)
        await pilot.press("enter")
        await until(pilot, lambda: "too hot" in words(app))


async def test_a_word_after_the_open_is_refused_in_words(own_desk: Lake) -> None:
    market(own_desk, "yahoo")
    app = ConsoleApp(own_desk.path)
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await dialog(pilot, "5", "a")
        screen.query_one("#send", Button).press()
        await until(pilot, lambda: f"{ORDER} was an order for the open" in told(app))
        assert own_desk.read(TRADE_DECISIONS).is_empty()


async def test_a_kill_asks_for_a_reason_and_stands_in_the_bar_of_every_screen(own_desk: Lake) -> None:
    market(own_desk, "simulated")
    app = ConsoleApp(own_desk.path)
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_until_loaded(pilot)
        app.command("kill close")
        screen = await dialog(pilot)
        assert "everything that is held is sold at the next open" in words(app)
        screen.query_one("#send", Button).press()
        await until(pilot, lambda: "Enter a reason first." in told(app))
        await pilot.press(*"fire", "enter")
        screen.query_one("#send", Button).press()
        await until(pilot, lambda: "Trading was killed" in told(app))
        said = own_desk.read(TRADING_SWITCHES)
        assert said.select("switch", "closes_positions", "reason", "origin").rows() == [
            ("kill", True, "fire", "console")
        ]
        for screen in ("1", "5"):
            await pilot.press(screen)
            await until(pilot, lambda: "■ TRADING KILLED" in words(app))
        await until(pilot, lambda: "0 orders, 1 stopped" in words(app))
        assert "▌✗ stopped ACME" in words(app)
        await pilot.press("enter")
        await until(pilot, lambda: "Trading was killed at" in words(app) and "fire" in words(app))


async def test_one_key_asks_for_a_pause_which_lets_stand_what_was_planned(own_desk: Lake) -> None:
    market(own_desk, "simulated")
    app = ConsoleApp(own_desk.path)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await dialog(pilot, "5", "exclamation_mark")
        assert "Record: pause" in words(app)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, PageScreen))
        assert own_desk.read(TRADING_SWITCHES).is_empty(), "enter was Cancel"
        screen = await dialog(pilot, "exclamation_mark")
        screen.query_one("#why").focus()
        await pilot.press(*"odd", "enter")
        screen.query_one("#send", Button).press()
        await until(pilot, lambda: "■ TRADING PAUSED" in words(app))
        assert own_desk.read(TRADING_SWITCHES)["switch"].to_list() == ["pause"]
        assert "1 order (buy ACME)" in words(app) and "stopped" not in words(app)


KEYS = (
    (("7", "tab", "tab", "tab", "b"), "champion now: m-1", "rollback", "m-1"),
    (("9", "tab", "down", "v"), "writes nothing; the answer is IDENTICAL", "reproduce", "cycle-20220228"),
    (("9", "tab", "R"), "runs cycle/2022-03-01 again", "retry", "cycle/2022-03-01"),
)
"""Keys that lead to a question; the newest cycle failed, so the one before it can be verified, and the run retried."""


async def test_a_key_on_a_row_asks_the_daemon_once_it_is_confirmed(own_desk: Lake) -> None:
    app = ConsoleApp(own_desk.path)
    async with app.run_test(size=(100, 30)) as pilot:
        for number, (keys, shown, action, target) in enumerate(KEYS):
            await dialog(pilot, *keys)
            assert shown in words(app)
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, PageScreen))
            assert own_desk.read(TASK_REQUESTS).height == number, "enter was Cancel"
            screen = await dialog(pilot, keys[-1])
            screen.query_one("#send", Button).press()
            await until(pilot, lambda number=number: own_desk.read(TASK_REQUESTS).height == number + 1)  # type: ignore[misc]
            asked = own_desk.read(TASK_REQUESTS).sort("requested_at").row(-1, named=True)
            assert (asked["action"], asked["target"], asked["origin"]) == (action, target, "console")


async def test_on_the_smallest_terminal_a_dialog_shows_what_is_read_and_written_and_its_buttons(
    desk_path: Path,
) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until_loaded(pilot)
        for command in ("cycle", "train", "maintain", "reproduce cycle-20220301"):
            await pilot.press("colon", *command, "enter")
            await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
            await wait_until_still(pilot)
            shown = "\n".join(screen_lines(app.screen))
            expected = (command.split()[0], "reads", "writes", "reason", "Cancel", "Send")
            assert all(part in shown for part in expected), shown
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, PageScreen))


@pytest.mark.parametrize("why", ["--read-only", pytest.param("the past", marks=pytest.mark.slow)])
async def test_where_one_may_only_look_no_key_and_no_command_asks_for_anything(desk_path: Path, why: str) -> None:
    app = ConsoleApp(desk_path, read_only=why == "--read-only", at="" if why == "--read-only" else "2022-02-28")
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_until_loaded(pilot)
        assert ("READ ONLY" if app.read_only else "AS OF") in words(app)
        for key in ("5", "a", "x", "9", "v"):
            await pilot.press(key)
            await wait_until_loaded(pilot)
            assert isinstance(app.screen, PageScreen)
            assert "Approve" not in words(app)
        for command in (f"veto {ORDER}", "cycle", "daemon"):
            app.clear_notifications()
            await pilot.press("colon", *command, "enter")
            await until(pilot, lambda: refusal(app) in told(app))
            assert isinstance(app.screen, PageScreen)


async def test_a_screen_or_sheet_that_is_none_is_answered_with_those_there_are(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_until_loaded(pilot)
        app.command("go plan nosuch")
        await until(pilot, lambda: "there is no sheet 'nosuch'; choose from plan, rules" in told(app))
        assert app.current_mode == "plan"
        app.command("go BOOK led")
        await until(pilot, lambda: "[ledger]" in words(app))
        app.command("go boook")
        await until(pilot, lambda: "did you mean 'book'" in told(app))


def refusal(app: ConsoleApp) -> str:
    """How the console says no."""
    return "This console is read-only" if app.read_only else "Requests cannot be made from the past"


async def test_w_asks_what_the_book_would_have_been_and_says_what_cannot_be_asked(own_desk: Lake) -> None:
    app = ConsoleApp(own_desk.path)
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_until_loaded(pilot)
        await pilot.press("5")
        await wait_until_loaded(pilot)
        await pilot.press("w")
        line = app.screen.query_one("#line", Input)
        assert (line.display, line.value) == (True, "what-if trading.")
        await pilot.press("escape")
        app.command("what-if trading.costs.impact=0.5")
        await until(pilot, lambda: "what if trading.costs.impact=0.5" in words(app))
        assert "return" in words(app)
        app.command("what-if")
        await until(pilot, lambda: "needs a setting that differs" in told(app))
        app.command("what-if trading.costs.impct=0.5")
        await until(pilot, lambda: "did you mean trading.costs.impact" in told(app))
        app.command(f"at {FIRST}")
        await wait_until_loaded(pilot)
        app.command("what-if trading.costs.impact=0.5")
        await until(pilot, lambda: "cannot be made from the past" in told(app))
