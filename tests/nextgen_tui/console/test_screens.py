"""A screen that is added has a key of its own, is reached by it, and stands in the bar and the help."""

from __future__ import annotations

from functools import partial
from inspect import getfile
from pathlib import Path

import pytest

from nextgen_tui.console.app import ConsoleApp, bind_pages, open_screen
from nextgen_tui.console.detail_screen import DetailScreen
from nextgen_tui.console.dialogs import HelpScreen
from nextgen_tui.console.notes import plain_text
from nextgen_tui.console.page import PAGE_KEYS
from nextgen_tui.console.page_screen import PageScreen
from nextgen_tui.console.pages.runs import RunsPage
from nextgen_tui.console.runtime.screenshots import wait_until_loaded
from nextgen_tui.console.screen_frame import screen_lines, tab_at
from nextgen_tui.console.screens import PAGES, PageEntry, check_keys
from nextgen_tui.console.sheet.sheet_widget import SheetWidget

FREE = [key for key in PAGE_KEYS if key not in {page.number for page in PAGES}]


class OneMorePage(RunsPage):
    number, name = FREE[0], "Onemore"
    question = "Is there room for one more?"


class LetteredPage(RunsPage):
    number, name = "Z", "Lettered"


FURTHER = (OneMorePage, LetteredPage)
WIDER = (*PAGES, *(PageEntry(one.number, one.name, one.question, one) for one in FURTHER))


class WiderConsole(ConsoleApp):
    """The console with two screens more."""

    CSS_PATH = Path(getfile(ConsoleApp)).with_name("console.tcss")
    MODES = {page.name.lower(): partial(open_screen, page) for page in WIDER}
    BINDINGS = bind_pages(WIDER)

    def __init__(self, lake_path: Path) -> None:
        super().__init__(lake_path)
        self.pages = {page.name.lower(): page for page in WIDER}


async def test_a_screen_beyond_the_ninth_is_reached_by_its_key_and_stands_in_bar_and_help(desk_path: Path) -> None:
    app = WiderConsole(desk_path)
    async with app.run_test(size=(180, 40)) as pilot:
        await wait_until_loaded(pilot)
        for page in WIDER[-2:]:
            await pilot.press(page.number)
            await wait_until_loaded(pilot)
            assert app.current_mode == page.name.lower()
            bar = "\n".join(screen_lines(app.screen))
            assert all(f" {one.number} {one.name}" in bar for one in WIDER[-2:])
        await pilot.press("slash", *"0Z", "enter")
        assert app.current_mode == "lettered", "what is typed leads nowhere"
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        told = plain_text(app.screen.lines())
        assert OneMorePage.question in told
        assert told.count("Lettered") == 1, "it stands among the screens, not among the keys"


def test_what_is_said_of_a_screen_before_it_is_imported_is_what_it_says_itself() -> None:
    told = [(entry.number, entry.name, entry.question) for entry in PAGES]
    assert told == [(entry.page.number, entry.page.name, entry.page.question) for entry in PAGES]


def test_a_narrow_bar_still_leads_to_the_screen_that_was_clicked() -> None:
    assert [tab_at(WIDER, "", 60, 4 * number) for number in range(len(WIDER))] == [page.name.lower() for page in WIDER]


def test_no_key_of_a_screen_does_anything_else() -> None:
    bound = {
        key
        for place in (ConsoleApp, PageScreen, DetailScreen, SheetWidget)
        for binding in place.BINDINGS
        if not binding.action.startswith("page(")
        for key in binding.key.split(",")
    }
    assert not bound & set(PAGE_KEYS)


@pytest.mark.parametrize(
    ("number", "name", "complaint"),
    [
        ("9", "More", rf"screen More has the number '9', which leads to Runs; the next free one is {FREE[0]!r}"),
        ("q", "More", "screen More has the number 'q', which cannot lead to a screen"),
        ("12", "More", "screen More has the number '12', which cannot lead to a screen"),
        (FREE[0], "Runs", "two screens are named 'Runs'; rename one of them"),
    ],
)
def test_a_screen_without_a_key_or_name_of_its_own_is_refused(number: str, name: str, complaint: str) -> None:
    page = PageEntry(number, name, OneMorePage.question, OneMorePage)
    with pytest.raises(TypeError, match=complaint):
        check_keys((*PAGES, page))
