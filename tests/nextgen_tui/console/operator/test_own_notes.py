"""A note is written by a key on a row, and told wherever its ticker is opened."""

from __future__ import annotations

from lake.store import Lake
from lake.tables.market import INSTRUMENTS
from lake.tables.research import NOTES
from nextgen_tui.console.app import ConsoleApp
from nextgen_tui.console.detail_screen import DetailScreen
from nextgen_tui.console.runtime.screenshots import wait_until_loaded, wait_until_settled
from tests.nextgen_tui.console.desk import FIRST
from tests.nextgen_tui.console.test_app import page, until
from tests.nextgen_tui.lakes import listing, publish, rows


async def test_a_note_is_written_by_a_key_and_told_where_its_ticker_is_opened(own_desk: Lake) -> None:
    publish(own_desk, INSTRUMENTS, rows(INSTRUMENTS, listing("ACME")), name="instruments")
    app = ConsoleApp(own_desk.path)
    async with app.run_test(size=(140, 40)) as pilot:
        await wait_until_loaded(pilot)
        await pilot.press("3")
        await wait_until_loaded(pilot)
        await pilot.press("slash", *"acme", "enter", "n")
        await pilot.press(*"up 5: -x is priced in", "enter")
        await until(pilot, lambda: not own_desk.read(NOTES).is_empty())
        (row,) = own_desk.read(NOTES).to_dicts()
        assert (row["target"], row["text"], row["direction"], row["horizon"]) == ("ACME", "-x is priced in", "up", 5)
        assert row["origin"] == "console"
        await pilot.press("A")
        await wait_until_loaded(pilot)
        app.command("go research notes")
        await until(pilot, lambda: "-x is priced in" in "\n".join(page(app).view.text()))
        await pilot.press("3")
        await wait_until_loaded(pilot)
        await wait_until_settled(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, DetailScreen))
        assert isinstance(app.screen, DetailScreen) and "-x is priced in [up 5: open]" in app.screen.text()


async def test_nothing_is_noted_from_the_past_or_where_one_may_only_look(own_desk: Lake) -> None:
    for app in (ConsoleApp(own_desk.path, at=str(FIRST)), ConsoleApp(own_desk.path, read_only=True)):
        async with app.run_test(size=(140, 40)) as pilot:
            await wait_until_loaded(pilot)
            await pilot.press("3")
            await wait_until_loaded(pilot)
            await pilot.press("n")
            await pilot.pause()
            assert not app.screen.query_one("#line").display
            assert [one.severity for one in app._notifications] == ["warning"]
