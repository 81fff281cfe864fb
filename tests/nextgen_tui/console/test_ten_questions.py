"""The operator's ten questions, each answered from a cold start by at most two keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from nextgen_tui.console.app import ConsoleApp
from nextgen_tui.console.page_screen import PageScreen
from nextgen_tui.console.screenshots import settled
from nextgen_tui.console.story_screen import StoryScreen

SIZES = ((80, 24), (140, 40))
QUESTIONS = {
    "is everything alright": (["1"], ["The last cycle (2022-03-01) failed: a disk was full", "✗ fail"]),
    "what failed, why, what do I press": (
        ["1", "enter"],
        ["a disk was full", "R", "try the cycle of 2022-03-01 again"],
    ),
    "is the data complete": (["2"], ["1 of 2 members have a bar for 2022-03-01, 1 late", "1 row set aside", "ZETA"]),
    "what does it expect": (["3"], ["2 tickers at the close of 2022-03-01", "highest ACME +1.00 %", "1 could not be"]),
    "why this": (["3", "enter"], ["Who said what", "naive", "ACME beats estimates", "happened   +2.00 %"]),
    "how good, calibrated": (["4"], ["better than naive (+2.0 % pinball skill)", "80 % intervals held 79 % 5 ahead"]),
    "what will it trade": (["5"], ["1 order (buy ACME), 1 refused, most often by cost_awareness (1)", "0.0021"]),
    "how is the book": (["6"], ["1,010,000.00 at 2022-03-01: +1.00 %", "equal weight +0.40 %", "balances to the cent"]),
    "what was learned": (["7"], ["1 insight (1 measured); 1 helped, 0 hurt", "champion m-1", "forecasts are too low"]),
    "what next, what changed": (["8"], ["Next: ", "cycle", "0 slots owed", "No daemon runs"]),
}


async def opened(pilot: Pilot[None]) -> None:
    for _ in range(200):
        await pilot.pause(0.05)
        if isinstance(pilot.app.screen, StoryScreen):
            return


async def answered(pilot: Pilot[None]) -> str:
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    await settled(pilot)
    screen = app.screen
    assert isinstance(screen, PageScreen | StoryScreen)
    return screen.text()


@pytest.mark.parametrize("question", QUESTIONS)
async def test_it_is_answered_by_at_most_two_keys(desk_path: Path, question: str) -> None:
    keys, answers = QUESTIONS[question]
    app = ConsoleApp(desk_path)
    async with app.run_test(size=SIZES[len(question) % 2]) as pilot:
        await settled(pilot)
        for key in keys:
            await pilot.press(key)
            await settled(pilot)
        if "enter" in keys:
            await opened(pilot)
        text = await answered(pilot)
        assert [answer for answer in answers if answer not in text] == [], text
