"""The console shows what a real lake holds, follows it, and never falls over."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Static

from lake.store import Lake
from lake.tables.control import SYSTEM_HEALTH
from lake.tables.market import MARKET_PRICES
from lake.tables.predictions import PREDICTIONS
from nextgen_tui.console.app import ConsoleApp
from nextgen_tui.console.fan_chart import FanChart
from nextgen_tui.console.help_screen import HelpScreen
from tests.nextgen_tui.hostile import HOSTILE
from tests.nextgen_tui.lakes import SESSION, bars, forecast, land, new_lake, publish, rows
from tests.nextgen_tui.test_safe_text import dangerous

SIZES = ((80, 24), (140, 40))


async def settled(pilot: Pilot[None]) -> None:
    """Wait until the lake has been read and shown."""
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


def words(app: ConsoleApp, name: str) -> str:
    return str(app.screen.query_one(f"#{name}", Static).render())


def table(app: ConsoleApp, name: str) -> list[list[str]]:
    widget = app.screen.query_one(f"#{name}", DataTable)
    return [[str(cell) for cell in widget.get_row_at(number)] for number in range(widget.row_count)]


@pytest.mark.parametrize("size", SIZES)
async def test_the_health_screen_gives_the_verdict_and_the_last_cycle(lake: Lake, size: tuple[int, int]) -> None:
    app = ConsoleApp(lake.path)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        assert words(app, "sentence") == f"1 remark on {SESSION}, first market_prices: 1 of 2 members have a bar"
        assert words(app, "top").startswith(f"! 1 Health  ·  session {SESSION}  ·  published 2")
        assert table(app, "checks")[0] == ["! warn", "market_prices", "arrived", "1 of 2 members have a bar"]
        assert table(app, "cycles")[0][:4] == [str(SESSION), "cycle-20220301", "2", "0"]


@pytest.mark.parametrize("size", SIZES)
async def test_the_predictions_screen_follows_horizon_order_and_cursor(lake: Lake, size: tuple[int, int]) -> None:
    app = ConsoleApp(lake.path)
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        await pilot.press("3")
        await pilot.pause()
        assert [row[0] for row in table(app, "forecasts")] == ["ZETA", "ACME"]
        assert words(app, "sentence").startswith(f"2 tickers at the close of {SESSION}, 1 session ahead")
        await pilot.press("h")
        await pilot.pause()
        assert table(app, "forecasts")[0][2] == "+3.00 %"
        await pilot.press("s", "down")
        await pilot.pause()
        assert [row[0] for row in table(app, "forecasts")] == ["ACME", "ZETA"]
        assert words(app, "members").startswith("ZETA\nnaive    +0.00 %  weight 100 %")
        chart = app.screen.query_one(FanChart)
        drawn = "".join(chart.render_line(y).text for y in range(chart.size.height))
        assert "▓" in drawn
        assert any(0x2800 < ord(sign) < 0x2900 for sign in drawn)


async def test_a_new_publication_is_shown_without_a_key_and_the_cursor_stays_on_its_ticker(lake: Lake) -> None:
    app = ConsoleApp(lake.path)
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        await pilot.press("3", "down")
        await pilot.pause()
        later = SESSION + timedelta(days=1)
        made = [
            forecast(ticker, session=later, prediction_id=f"{number:016x}", point=0.05 - number / 100)
            for number, ticker in enumerate(("NEWC", "ZETA", "ACME"))
        ]
        publish(lake, PREDICTIONS, rows(PREDICTIONS, *made), name="predict", session=later)
        app.look()
        await settled(pilot)
        assert [row[0] for row in table(app, "forecasts")] == ["NEWC", "ZETA", "ACME"]
        assert words(app, "members").startswith("ACME")
        assert f"session {later}" in words(app, "top")


async def test_nothing_is_read_again_while_nothing_is_published(lake: Lake) -> None:
    app = ConsoleApp(lake.path)
    async with app.run_test() as pilot:
        await settled(pilot)
        before = app.snapshot
        app.look()
        await settled(pilot)
        assert app.snapshot is before
        await pilot.press("r")
        await settled(pilot)
        assert app.snapshot is not before


async def test_without_a_lake_there_is_a_sentence_and_a_lake_made_later_is_found(tmp_path: Path) -> None:
    path = tmp_path / "lake"
    app = ConsoleApp(path)
    async with app.run_test() as pilot:
        await settled(pilot)
        assert "make one with `nextgen init`" in words(app, "sentence")
        await pilot.press("3")
        await pilot.pause()
        assert "make one with `nextgen init`" in words(app, "sentence")
        new_lake(tmp_path)
        app.look()
        await settled(pilot)
        assert words(app, "sentence").startswith("There is no forecast yet")
        await pilot.press("1")
        await pilot.pause()
        assert words(app, "sentence") == "No session has been run yet."


async def test_damage_becomes_a_sentence_and_what_was_read_stays(lake: Lake) -> None:
    app = ConsoleApp(lake.path)
    async with app.run_test() as pilot:
        await settled(pilot)
        shutil.rmtree(lake.path / "tables" / "runs")
        await pilot.press("r")
        await settled(pilot)
        assert words(app, "sentence").startswith("runs ")
        assert app.screen.query_one("#sentence").has_class("trouble")
        assert table(app, "checks")[0][1] == "market_prices"


async def test_help_lists_the_keys_and_closes(lake: Lake) -> None:
    app = ConsoleApp(lake.path)
    async with app.run_test() as pilot:
        await settled(pilot)
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(app.screen, HelpScreen)


async def test_q_quits(lake: Lake) -> None:
    app = ConsoleApp(lake.path)
    async with app.run_test() as pilot:
        await settled(pilot)
        await pilot.press("q")
        await pilot.pause()
        assert app.return_code == 0


async def test_hostile_text_is_shown_harmlessly_on_every_screen(tmp_path: Path) -> None:
    lake = new_lake(tmp_path)
    texts = [text[:150].encode("utf-8", "ignore").decode() for text in HOSTILE]
    checks = [
        {"service": f"s{n}", "check": text[:50], "status": "warn", "message": text} for n, text in enumerate(texts)
    ]
    land(lake, SYSTEM_HEALTH, rows(SYSTEM_HEALTH, *checks))
    publish(lake, MARKET_PRICES, rows(MARKET_PRICES, *bars("ACME", [100.0, 101.0])), name="prices")
    made = forecast("ACME", bounds=[text[:40] for text in texts])
    publish(lake, PREDICTIONS, rows(PREDICTIONS, made), name="predict")
    app = ConsoleApp(lake.path)
    async with app.run_test(size=(120, 60)) as pilot:
        for key in ("1", "3"):
            await pilot.press(key)
            await settled(pilot)
            shown = "\n".join(
                "".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips()
            )
            assert [sign for sign in dangerous(shown) if sign != "\n"] == []
        assert "[@click=app.quit]quit[/]" in "".join(cell for row in table_of_checks(app) for cell in row)


def table_of_checks(app: ConsoleApp) -> list[list[str]]:
    assert app.snapshot is not None
    from nextgen_tui.console.health_screen import check_row

    return [[cell.plain for cell in check_row(check)] for check in app.snapshot.health.checks]


@pytest.mark.parametrize("light", [False, True])
async def test_dark_and_light_are_a_key_apart(lake: Lake, light: bool) -> None:
    app = ConsoleApp(lake.path, light=light)
    async with app.run_test() as pilot:
        await settled(pilot)
        first = app.theme
        assert first == ("textual-light" if light else "textual-dark")
        await pilot.press("d")
        assert app.theme != first
