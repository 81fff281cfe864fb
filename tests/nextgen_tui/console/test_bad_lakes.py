"""Whatever state the lake is in, the console says it in a sentence, goes on, and is back when the lake is."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Button

from lake.storage.manifest import CREATING, MANIFEST
from lake.store import Lake
from lake.tables.control import TASK_REQUESTS
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.main import outcome
from nextgen_tui.console.app import ConsoleApp
from nextgen_tui.console.detail_screen import DetailScreen
from nextgen_tui.console.dialogs import ConfirmScreen
from nextgen_tui.console.page_screen import PageScreen
from nextgen_tui.console.runtime.screenshots import wait_until_loaded
from nextgen_tui.console.screens import PAGES
from tests.copies import copy_lake
from tests.nextgen_tui.console.operator.test_commands import told
from tests.nextgen_tui.console.test_app import page, sentence, until

SIZE = (80, 24)
"""Of the terminal: what is said here does not depend on it, and the smallest is painted soonest."""
HOLDER = "import sys; from pathlib import Path; from lake.storage.lock import writer_lock\n"
HOLDER += "with writer_lock(Path(sys.argv[1]), 'a long cycle'): print('held', flush=True); sys.stdin.read()"


@contextmanager
def written_by_another(lake: Path) -> Iterator[None]:
    """Another process holds the writer lock during the block."""
    command = [sys.executable, "-c", HOLDER, str(lake)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield
        holder.kill()


@contextmanager
def read_only(lake: Path) -> Iterator[Path]:
    """The lake's copy on a disk that cannot be written, as root meets it too."""
    disk = lake.parent / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(disk)], capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        copy_lake(lake, disk / "lake")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        yield disk / "lake"
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


async def every_screen(pilot: Pilot[None]) -> dict[str, str]:
    """Go to each; its name -> what it says first."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    said = {}
    for one in PAGES:
        await pilot.press(one.number)
        await wait_until_loaded(pilot)
        said[one.name] = sentence(app)
    assert all(said.values())
    assert not any("Traceback" in words or "should not happen" in words for words in said.values()), said
    return said


async def asked(pilot: Pilot[None], command: str) -> None:
    """Type a command and confirm it."""
    await pilot.press("colon", *command, "enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen) and bool(pilot.app.screen.query("#send")))
    pilot.app.screen.query_one("#send", Button).press()
    await until(pilot, lambda: isinstance(pilot.app.screen, PageScreen))


async def test_while_another_writes_everything_is_read_and_can_be_asked_for(own_desk: Lake) -> None:
    app = ConsoleApp(own_desk.path)
    async with app.run_test(size=SIZE) as pilot:
        with written_by_another(own_desk.path):
            await wait_until_loaded(pilot)
            await every_screen(pilot)
            assert not app.trouble
            assert not any(app.page_state(one.name.lower()).trouble for one in PAGES)
            await asked(pilot, "maintain")
            await until(pilot, lambda: "Queued: maintain" in told(app))
            assert own_desk.read(TASK_REQUESTS).height == 1
            assert outcome(["request", "maintain", "--lake", str(own_desk.path)]) == exit_codes.DONE


def nothing(lake: Path) -> None:
    shutil.rmtree(lake)


def empty(lake: Path) -> None:
    shutil.rmtree(lake)
    lake.mkdir()


def a_file(lake: Path) -> None:
    shutil.rmtree(lake)
    lake.write_text("not a lake")


def cut_off(lake: Path) -> None:
    """Its making ended before the manifest was written."""
    (lake / MANIFEST).unlink()
    (lake / CREATING).touch()
    for table in sorted((lake / "tables").iterdir())[20:]:
        shutil.rmtree(table)


def unmarked(lake: Path) -> None:
    (lake / MANIFEST).unlink()


def garbled(lake: Path) -> None:
    (lake / MANIFEST).write_bytes(b"\x00\xff{")


def newer(lake: Path) -> None:
    (lake / MANIFEST).write_text(json.dumps({"format": 99}))


def older(lake: Path) -> None:
    (lake / MANIFEST).write_text(json.dumps({"format": 0}))


def without_runs(lake: Path) -> None:
    shutil.rmtree(lake / "tables" / "runs")


HARMS: dict[Callable[[Path], None], str] = {
    nothing: "there is no lake",
    empty: "there is no lake",
    a_file: "there is no lake",
    cut_off: "there is no lake",
    unmarked: "there is no lake",
    garbled: "cannot be read; restore it from a backup",
    newer: "upgrade the program",
    older: "nextgen migrate",
    without_runs: "runs is missing",
}


MORE = ("system_health", "task_requests", "trade_plans")
QUICK = (a_file, cut_off, garbled, newer, without_runs)
"""Those of the default run, one after the other on one console: it starts on the first, and is open at the rest."""


async def test_a_lake_that_is_no_good_is_a_sentence_on_every_screen_until_it_is_good(
    own_desk: Lake, tmp_path: Path
) -> None:
    copies = [copy_lake(own_desk.path, tmp_path / f"good-{harm.__name__}") for harm in QUICK]
    QUICK[0](own_desk.path)
    app = ConsoleApp(own_desk.path)
    async with app.run_test(size=SIZE) as pilot:
        for harm, good in zip(QUICK, copies, strict=True):
            if harm is not QUICK[0]:
                harm(own_desk.path)
            await until(pilot, lambda harm=harm: HARMS[harm] in sentence(app))
            if harm is QUICK[0]:
                assert all(HARMS[harm] in words for words in (await every_screen(pilot)).values())
                await keys_of_all_kinds(pilot)
            else:
                assert len(page(app).view.text()) > 1, "what was read stays"
            assert app.screen.query_one("#sentence").has_class("trouble")
            replaced(own_desk.path, good)
            await until(pilot, lambda: sentence(app).startswith(GOOD) and len(page(app).view.text()) > 1)
            assert not app.screen.query_one("#sentence").has_class("trouble")


GOOD = "The last cycle (2022-03-01) failed: a disk was full"


@pytest.mark.slow
@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
async def test_a_console_that_starts_on_a_lake_that_is_no_good_says_so_on_every_screen(
    own_desk: Lake, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    good = copy_lake(own_desk.path, tmp_path / "good")
    harm(own_desk.path)
    app = ConsoleApp(own_desk.path)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: HARMS[harm] in sentence(app))
        assert all(HARMS[harm] in words for words in (await every_screen(pilot)).values())
        await keys_of_all_kinds(pilot)
        replaced(own_desk.path, good)
        await until(pilot, lambda: sentence(app).startswith(GOOD))


async def keys_of_all_kinds(pilot: Pilot[None]) -> None:
    """Press keys that would read, write or move about; end on the first screen."""
    await pilot.press("enter", "l", "s", "y", "e", "escape", "less_than_sign", "greater_than_sign", "tab", "p")
    await pilot.press("colon", *"maintain", "enter")
    await pilot.pause()
    assert isinstance(pilot.app.screen, PageScreen | ConfirmScreen)
    await pilot.press("escape", "1")


def replaced(lake: Path, good: Path) -> None:
    """Put the good lake in the place of the other."""
    if lake.is_dir():
        shutil.rmtree(lake)
    lake.unlink(missing_ok=True)
    good.rename(lake)


async def test_a_lake_that_vanishes_while_it_is_open_and_comes_back_is_taken_up_again(own_desk: Lake) -> None:
    app = ConsoleApp(own_desk.path)
    away = own_desk.path.with_name("away")
    async with app.run_test(size=SIZE) as pilot:
        before = await every_screen(pilot)
        await pilot.press("9")
        await wait_until_loaded(pilot)
        own_desk.path.rename(away)
        await until(pilot, lambda: "there is no lake" in sentence(app))
        assert len(page(app).view.text()) > 1, "what was read stays"
        assert app.screen.query_one("#sentence").has_class("trouble")
        await pilot.press("enter")
        await until(pilot, lambda: bool(told(app)) or isinstance(app.screen, DetailScreen))
        assert "should not happen" not in told(app)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, PageScreen))
        assert all("there is no lake" in words for words in (await every_screen(pilot)).values())
        await pilot.press("colon", *"maintain", "enter")
        await pilot.pause()
        assert isinstance(app.screen, PageScreen)
        away.rename(own_desk.path)
        await until(pilot, lambda: "there is no lake" not in sentence(app))
        assert await every_screen(pilot) == before
        await asked(pilot, "maintain")
        await until(pilot, lambda: "Queued: maintain" in told(app))


@pytest.mark.parametrize("table", ["predictions", *(pytest.param(one, marks=pytest.mark.slow) for one in MORE)])
async def test_a_table_without_its_log_is_named_where_it_is_shown_and_the_others_go_on(
    own_desk: Lake, table: str
) -> None:
    shutil.rmtree(own_desk.path / "tables" / table / "_delta_log")
    app = ConsoleApp(own_desk.path)
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: table in sentence(app) or app.view is not None)
        said = await every_screen(pilot)
        assert any(table in words for words in said.values()), said


async def test_on_a_disk_that_cannot_be_written_one_can_look_and_is_told_why_no_more(
    own_desk: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    with read_only(own_desk.path) as path:
        app = ConsoleApp(path)
        async with app.run_test(size=SIZE) as pilot:
            await every_screen(pilot)
            assert not app.trouble
            assert not any(app.page_state(one.name.lower()).trouble for one in PAGES)
            for command in ("maintain", "veto 2022-03-01:ACME", "daemon"):
                app.clear_notifications()
                await pilot.press("colon", *command, "enter")
                await until(pilot, lambda: "cannot be written to; this console is read-only" in told(app))
            await pilot.press("5", "x")
            await pilot.pause()
            assert isinstance(app.screen, PageScreen)
        capsys.readouterr()
        for arguments in (["request", "maintain"], ["what-if", "--set", "trading.costs.impact=0.5"]):
            assert outcome([*arguments, "--lake", str(path)]) == exit_codes.DAMAGE
            words = capsys.readouterr().err
            assert "cannot be written" in words
            assert "Traceback" not in words
