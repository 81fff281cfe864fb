"""Pictures of every screen, taken without a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from textual.pilot import Pilot

from lake.access import make_private_folder, write_output
from nextgen_tui.console.app import ConsoleApp
from nextgen_tui.console.page_screen import DETAIL_DELAY, PageScreen
from nextgen_tui.console.screen_frame import screen_lines

PATIENCE = 30.0
"""Seconds that a screen may take to be read."""


def terminal_size(words: str) -> tuple[int, int]:
    """Read a size such as 140x40.

    Raises:
        click.BadParameter: if it is written otherwise, or too small to show anything.
    """
    width, _, height = words.lower().partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) >= 40 and int(height) >= 12):
        raise click.BadParameter(f"{words!r} is not a size; write it as 140x40, at least 40x12", param_hint="--size")
    return int(width), int(height)


def take_screenshots(app: ConsoleApp, folder: Path, size: tuple[int, int]) -> list[Path]:
    """Write one SVG per screen; return their paths."""
    make_private_folder(folder)
    taken: list[Path] = []

    async def visit(pilot: Pilot[Any]) -> None:
        for name, page in app.pages.items():
            await pilot.press(page.number)
            await wait_until_loaded(pilot)
            await wait_until_still(pilot)
            path = folder / f"{page.number}-{name}.svg"
            title = f"nextgen: {page.question}"
            write_output(path, app.export_screenshot(title=title, simplify=True))
            taken.append(path)
        app.exit()

    app.run(headless=True, size=size, auto_pilot=visit)
    return taken


async def wait_until_loaded(pilot: Pilot[Any]) -> None:
    """Wait until the page in front has been read and shown, or said why it cannot be."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    for _ in range(int(PATIENCE / 0.05)):
        await pilot.pause(0.05)
        shown = app.page_state(app.current_mode)
        if app.trouble or shown.trouble or (shown.data is not None and not shown.incomplete):
            break
    await wait_until_settled(pilot)


async def wait_until_settled(pilot: Pilot[Any]) -> None:
    """Wait until notes and charts have followed the sheet of the screen in front, and what they moved is laid out."""
    for _ in range(int(PATIENCE / DETAIL_DELAY)):
        screen = pilot.app.screen
        if not isinstance(screen, PageScreen) or screen.settled:
            break
        await pilot.pause(DETAIL_DELAY)
    for _ in range(2):  # the first lets widgets draw, the second those that were moved by it
        await pilot.pause()


async def wait_until_still(pilot: Pilot[Any]) -> None:
    """Wait until two looks at the whole screen are the same."""
    before: list[str] = []
    for _ in range(int(PATIENCE / 0.1)):
        shown = screen_lines(pilot.app.screen)
        if shown == before:
            return
        before = shown
        await pilot.pause(0.1)
