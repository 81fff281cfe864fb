"""`:doctor` opens what `nextgen doctor` finds; the help page can be searched."""

from __future__ import annotations

from pathlib import Path

from textual.widgets import Static

from nextgen_tui.console.app import ConsoleApp
from nextgen_tui.console.detail_screen import DetailScreen
from nextgen_tui.console.dialogs import HelpScreen
from nextgen_tui.console.operator.doctor_page import describe
from nextgen_tui.console.runtime.screenshots import wait_until_loaded
from pipeline.reading.doctor.finding import TOPICS, Finding
from tests.nextgen_tui.console.test_app import until


def test_what_is_wrong_comes_first_with_what_mends_it_and_each_topic_has_its_lines() -> None:
    found = [
        Finding("machine", "ok", "2 cores"),
        Finding("machine", "warn", "little memory", "end something"),
        Finding("keys", "fail", "a key is missing", "set it"),
    ]
    page = describe(found)
    first, *topics = page.sections
    assert page.title == "doctor: 2 problems, 3 findings"
    assert [section.heading for section in topics] == ["machine", "keys"]
    words = ["".join(cell.text for cell in line) for line in first.lines]
    assert words == ["! little memory", "  → end something", "✗ a key is missing", "  → set it"]
    assert "nothing is wrong" in describe(found[:1]).sections[0].lines[0][0].text


async def test_the_console_opens_the_same_page(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(140, 40)) as pilot:
        await wait_until_loaded(pilot)
        await pilot.press("colon", *"doctor", "enter")
        await until(pilot, lambda: isinstance(app.screen, DetailScreen))
        assert isinstance(app.screen, DetailScreen)
        headings = [section.heading for section in app.screen.detail.sections][1:]
        assert headings == [topic for topic in TOPICS if topic in headings] and "terminal" in headings


async def test_the_help_page_is_searched_as_one_types(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(140, 40)) as pilot:
        await wait_until_loaded(pilot)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen) and bool(app.screen.query("#help-text")))
        shown = app.screen.query_one("#help-text", Static)
        whole = str(shown.visual)
        await pilot.press("slash", *"lineage")
        await until(pilot, lambda: str(shown.visual) != whole)
        lines = str(shown.visual).splitlines()
        assert 0 < len(lines) < 10 and all("ineage" in line for line in lines)
        await pilot.press(*"zzz")
        await until(pilot, lambda: "Nothing here shows that." in str(shown.visual))
        await pilot.press("enter", "q")
        await until(pilot, lambda: not isinstance(app.screen, HelpScreen))
