"""The operator's ten questions, each answered from a cold start by at most two keys, and the same to a script."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.main import outcome
from nextgen_tui.console.app import ConsoleApp
from nextgen_tui.console.daily_questions import DAILY_QUESTIONS, DailyQuestion
from nextgen_tui.console.detail_screen import DetailScreen
from nextgen_tui.console.page_screen import PageScreen
from nextgen_tui.console.runtime.screenshots import wait_until_loaded

SIZES = ((80, 24), (140, 40))
WIDE = (320, 24)
"""Room for every column and every word of a row."""
ANSWERS = (
    ["The last cycle (2022-03-01) failed: a disk was full", "✗ fail"],
    ["a disk was full", "R", "run the cycle of 2022-03-01 again"],
    ["1 of 2 members have a bar for 2022-03-01, 1 late", "1 row set aside", "ZETA"],
    ["2 tickers at the close of 2022-03-01", "highest ACME +1.00 %", "1 could not be"],
    ["Who forecasts what", "naive", "ACME beats estimates", "realised   +2.00 %"],
    ["5 sessions better than naive (+2.0 % quantile skill)", "80 % intervals held 79 % over 5 sessions"],
    ["1 order (buy ACME), 1 refused, most often by cost awareness (1)", "0.21 %"],
    ["1,010,000.00 at 2022-03-01: +1.00 %", "equal weight +0.30 %", "balances to the cent"],
    ["1 insight (1 measured); 1 helped, 0 hurt", "champion m-1", "forecasts are too low"],
    ["Next: ", "cycle", "nothing overdue", "No daemon is running"],
)


async def asked(pilot: Pilot[None], question: DailyQuestion) -> PageScreen | DetailScreen:
    """Press the question's keys, and give the screen that answers."""
    assert len(question.keys) <= 2
    await wait_until_loaded(pilot)
    for key in question.keys:
        await pilot.press(key)
        await wait_until_loaded(pilot)
    for _ in range(200):
        if isinstance(pilot.app.screen, DetailScreen) or "enter" not in question.keys:
            break
        await pilot.pause(0.05)
    screen = pilot.app.screen
    assert isinstance(screen, DetailScreen if "enter" in question.keys else PageScreen)
    return screen


@pytest.mark.parametrize(("size", "first"), [(SIZES[0], 0), pytest.param(SIZES[1], 1, marks=pytest.mark.slow)])
async def test_each_is_answered_by_at_most_two_keys_from_the_first_screen(
    desk_path: Path, size: tuple[int, int], first: int
) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=size) as pilot:
        for number in range(first, len(DAILY_QUESTIONS), len(SIZES)):
            screen = await asked(pilot, DAILY_QUESTIONS[number])
            text = screen.text()
            assert [answer for answer in ANSWERS[number] if answer not in text] == [], text
            if isinstance(screen, DetailScreen):
                await pilot.press("backspace")
            await pilot.press("1")


async def test_status_gives_a_script_what_the_console_shows_to_each_question(
    desk_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome(["status", "--json", "--lake", str(desk_path)]) == exit_codes.DEGRADED
    told = json.loads(capsys.readouterr().out)["answers"]
    assert [one["question"] for one in told] == [question.question for question in DAILY_QUESTIONS]
    app = ConsoleApp(desk_path)
    async with app.run_test(size=WIDE) as pilot:
        for question, answer in zip(DAILY_QUESTIONS, told, strict=True):
            screen = await asked(pilot, question)
            same(screen, answer)
            if isinstance(screen, DetailScreen):
                await pilot.press("backspace")


def same(screen: PageScreen | DetailScreen, answer: dict[str, Any]) -> None:
    """Hold a script's answer against what stands on the screen."""
    assert not answer["error"]
    if isinstance(screen, DetailScreen):
        assert answer["sentence"] == screen.detail.title
        shown = [line.rstrip() for line in screen.text().splitlines()[1:] if line.strip()]
        assert shown[: len(answer["details"])] == answer["details"]
        assert len(answer["rows"]) == 1
        return
    assert answer["sentence"] == screen.answer
    _heading, *rows = screen.view.text()
    assert len(rows) == len(answer["rows"]), "every row"
    for line, row in zip(rows, answer["rows"], strict=True):
        assert [value for value in row.values() if isinstance(value, str) and value and value in line], (line, row)
    assert not [value for row in answer["rows"] for value in row.values() if str(value).endswith("…")], "nothing is cut"


def test_the_figures_in_an_answer_are_numbers(desk_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(["status", "--json", "--lake", str(desk_path)]) == exit_codes.DEGRADED
    told = json.loads(capsys.readouterr().out)["answers"]
    expected = told[3]["rows"][0]
    assert isinstance(expected["point"], float), expected
