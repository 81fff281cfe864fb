"""Every word on every screen stands out from its ground, from the first paint on."""

from __future__ import annotations

from itertools import product
from pathlib import Path

from nextgen_tui.console.app import ConsoleApp
from nextgen_tui.console.runtime.screenshots import wait_until_loaded
from nextgen_tui.console.screens import PAGES
from tests.nextgen_tui.console.painted import BLANK, contrast, painted

LEAST = 2.5
"""Contrast below which a word is missed at a glance; the web's guidelines ask 3 of large text."""


async def test_every_word_on_every_screen_can_be_read_in_both_themes(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(140, 40)) as pilot:
        for page, key in product(PAGES, ("", "d")):
            await pilot.press(key or page.number)
            await wait_until_loaded(pilot)
            words = [segment for segment in painted(app.screen) if not set(segment.text) <= BLANK]
            assert len(words) > 20
            faint = {
                segment.text.strip(): round(contrast(segment), 1) for segment in words if contrast(segment) < LEAST
            }
            assert not faint, page.name
