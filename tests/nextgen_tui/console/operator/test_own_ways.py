"""Filters by name, other keys, several lakes and branches in one session."""

from __future__ import annotations

from pathlib import Path

import pytest

from lake.branches.branch import create_branch
from lake.errors import LakeError
from lake.store import Lake
from lake.tables.control import RUNS
from nextgen_tui.console.app import ConsoleApp
from nextgen_tui.console.operator.other_lakes import find_lake
from nextgen_tui.console.runtime.screenshots import wait_until_loaded
from nextgen_tui.console.screen_frame import screen_lines
from nextgen_tui.remembered.preferences import Preferences
from tests.new_lake import new_lake
from tests.nextgen_tui.console.test_app import page, until
from tests.nextgen_tui.lakes import land, rows, run_row


async def test_a_filter_is_saved_by_name_and_set_on_another_sheet(desk_path: Path, tmp_path: Path) -> None:
    app = ConsoleApp(desk_path, preferences=Preferences(tmp_path))
    async with app.run_test(size=(140, 40)) as pilot:
        await wait_until_loaded(pilot)
        await pilot.press("5")
        await wait_until_loaded(pilot)
        await pilot.press("slash", *"zeta", "enter", "colon", *"filter save mine", "enter")
        await pilot.press("3")
        await wait_until_loaded(pilot)
        whole = len(page(app).view.text())
        await pilot.press("colon", *"filter mine", "enter")
        await until(pilot, lambda: len(page(app).view.text()) < whole)
        assert all("ZETA" in line for line in page(app).view.text()[1:])
        app.command("filter min")
        await until(pilot, lambda: any("did you mean 'mine'" in one.message for one in app._notifications))
        app.command("filter")
        await until(pilot, lambda: any(one.message == "mine: zeta" for one in app._notifications))


async def test_an_action_with_another_key_has_that_one_alone_and_says_so(desk_path: Path) -> None:
    app = ConsoleApp(desk_path, keymap={"sort": "o", "filter": "f5"})
    async with app.run_test(size=(140, 40)) as pilot:
        await wait_until_loaded(pilot)
        await pilot.press("5")
        await wait_until_loaded(pilot)
        await pilot.press("s")
        assert "▲" not in page(app).view.text()[0] and "▼" not in page(app).view.text()[0]
        await pilot.press("o")
        assert "▲" in page(app).view.text()[0] or "▼" in page(app).view.text()[0]
        assert " o Sort" in screen_lines(app.screen)[-1]
        await pilot.press("f5", *"zeta", "enter")
        assert len(page(app).view.text()) == 2


async def test_another_lake_is_shown_and_nothing_of_the_first_stays(desk_path: Path, tmp_path: Path) -> None:
    other = new_lake(tmp_path / "other").path
    app = ConsoleApp(desk_path, preferences=Preferences(tmp_path / "state"))
    async with app.run_test(size=(140, 40)) as pilot:
        await wait_until_loaded(pilot)
        await pilot.press("6")
        await wait_until_loaded(pilot)
        first = page(app).answer
        assert first.startswith("1,010,000.00")
        app.command(f"lake {other}")
        await until(pilot, lambda: app.view is not None and app.view.path == other)
        await wait_until_loaded(pilot)
        await until(pilot, lambda: not page(app).answer.startswith("1,010,000.00"))
        await until(pilot, lambda: not app._moved.is_set())
        land(Lake.open(other), RUNS, rows(RUNS, run_row("prices", run_id="newest")), "newest")
        await until(pilot, lambda: app.view is not None and "newest" in app.view.every_run["run_id"])
        app.command(f"lake {desk_path}")
        await until(pilot, lambda: page(app).answer == first)
        assert app.preferences.lakes() == (str(desk_path), str(other))
        app.command(f"lake {tmp_path}")
        await until(pilot, lambda: any("there is no lake at" in one.message for one in app._notifications))
        assert app.lake_path == desk_path


def test_a_branch_leads_to_its_siblings_and_back(own_desk: Lake) -> None:
    main = own_desk.path
    made = [create_branch(own_desk, name, reason="a test").path for name in ("one", "two")]
    assert find_lake(main, "branch", "one") == made[0]
    assert find_lake(made[0], "branch", "two") == made[1]
    assert find_lake(made[1], "branch", "main") == find_lake(made[1], "branch", "") == main
    with pytest.raises(LakeError, match="there is no branch three; choose from one, two"):
        find_lake(made[0], "branch", "three")
