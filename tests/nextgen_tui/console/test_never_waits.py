"""The thread that paints never waits for the lake's disk, which may be slow, gone, or asleep."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from cProfile import Profile
from pathlib import Path
from types import CodeType

import polars as pl
import pytest
from textual.pilot import Pilot
from textual.widgets import Button

import lake as lake_package
from lake.store import Lake
from nextgen_tui.console.app import ConsoleApp
from nextgen_tui.console.detail_screen import DetailScreen
from nextgen_tui.console.page_screen import PageScreen
from nextgen_tui.console.runtime.screenshots import wait_until_loaded
from nextgen_tui.console.screens import PAGES
from nextgen_tui.console.sheet.export import ExportError, export
from nextgen_tui.console.sheet.sheet import Col, Sheet
from tests.frames.published import publish_sessions
from tests.new_lake import new_lake
from tests.nextgen_tui.console.operator.test_commands import dialog, told
from tests.nextgen_tui.console.test_app import until

TOUCHES = ("open", "os.listdir", "os.scandir", "os.mkdir", "os.rename", "os.remove", "fcntl.flock", "fcntl.lockf")
SILENT = ("stat", "lstat", "access", "statvfs")
"""Calls of `os` that the interpreter tells nobody of."""


@contextmanager
def touches_of_this_thread(folder: Path) -> Iterator[list[str]]:
    """Collect where this thread touches files below a folder, as the interpreter itself and `os` tell of it."""
    found: list[str] = []
    mine, on = threading.get_ident(), True

    def hook(event: str, given: tuple[object, ...]) -> None:
        if not on or threading.get_ident() != mine or event not in (*TOUCHES, *SILENT):
            return
        if isinstance(path := given[0], str | bytes | os.PathLike) and str(folder) in os.fsdecode(path):
            found.append(f"{event} {path!r}\n" + "".join(traceback.format_stack(limit=8)))

    def telling(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def told(*given: object, **how: object) -> object:
            hook(name, given)
            return call(*given, **how)

        return told

    sys.addaudithook(hook)  # for good: it can only be put to sleep
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name in SILENT:
                patch.setattr(os, name, telling(name, getattr(os, name)))
            yield found
    finally:
        on = False


@contextmanager
def reads_of_this_thread() -> Iterator[set[str]]:
    """Collect where this thread enters the lake's storage, whose library tells the interpreter of no touch."""
    package = Path(next(iter(lake_package.__path__)))
    forbidden = frozenset({*map(str, (package / "storage").glob("*.py")), str(package / "store.py")})
    assert len(forbidden) > 10
    found: set[str] = set()
    with entered_by_this_thread(forbidden) as entered:
        yield found
    found.update(f"{Path(code.co_filename).name}: {code.co_qualname}" for code in entered)


@contextmanager
def entered_by_this_thread(files: frozenset[str]) -> Iterator[list[CodeType]]:
    """Collect the functions of some files that this thread calls.

    Both ways see every call, and cost a tenth of a watch that is written in Python.
    """
    entered: list[CodeType] = []
    if sys.version_info >= (3, 12):  # from here on the profiler sees the calls of every thread
        mine, watch, started = threading.get_ident(), sys.monitoring, sys.monitoring.events.PY_START

        def start(code: CodeType, offset: int) -> object:
            if code.co_filename not in files:
                return watch.DISABLE
            if threading.get_ident() == mine:
                entered.append(code)
            return None

        watch.use_tool_id(watch.PROFILER_ID, "touches")
        watch.register_callback(watch.PROFILER_ID, started, start)
        watch.set_events(watch.PROFILER_ID, started)
        try:
            yield entered
        finally:
            watch.set_events(watch.PROFILER_ID, watch.events.NO_EVENTS)
            watch.free_tool_id(watch.PROFILER_ID)
            watch.restart_events()
    else:
        profile = Profile(subcalls=False, builtins=False)
        profile.enable()
        try:
            yield entered
        finally:
            profile.disable()
            entered += [one.code for one in profile.getstats() if one.code.co_filename in files]


async def test_no_screen_key_action_or_export_reads_the_lake_in_the_thread_that_paints(
    own_desk: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(own_desk.path)  # exports go there too
    app = ConsoleApp(own_desk.path)
    with touches_of_this_thread(own_desk.path) as touched, reads_of_this_thread() as read:
        async with app.run_test(size=(80, 24)) as pilot:
            await wait_until_loaded(pilot)
            for page in PAGES:
                await pilot.press(page.number)
                await wait_until_loaded(pilot)
                await pilot.press("enter")
                await leave_detail(pilot)
                await pilot.press("tab", "s", "down", "enter")
                await leave_detail(pilot)
            await pilot.press("3")
            await wait_until_loaded(pilot)
            app.command("export out.csv")
            await until(pilot, lambda: "written to" in told(app))
            screen = await dialog(pilot, "9", "home", "v")
            screen.query_one("#send", Button).press()
            await until(pilot, lambda: "Queued: reproduce" in told(app))
            await pilot.press("t", *"2022-02-28", "enter")
            await wait_until_loaded(pilot)
            app.command("live")
            await wait_until_loaded(pilot)
            await pilot.press("less_than_sign")
            await wait_until_loaded(pilot)
            await pilot.press("greater_than_sign")
            await wait_until_loaded(pilot)
    assert not touched, touched[0]
    assert read == set()
    assert (own_desk.path / "out.csv").stat().st_size > 0


async def leave_detail(pilot: Pilot[None]) -> None:
    """Wait for the details that a key asked for, and leave them."""
    await until(pilot, lambda: all(one.is_finished for one in pilot.app.workers if one.group == "detail"))
    await pilot.pause()
    if isinstance(pilot.app.screen, DetailScreen):
        await pilot.press("backspace")
        await until(pilot, lambda: isinstance(pilot.app.screen, PageScreen))


def test_the_watch_itself_tells_of_a_touch(tmp_path: Path) -> None:
    lake = new_lake(tmp_path / "lake")
    with touches_of_this_thread(lake.path) as touched, reads_of_this_thread() as read:
        publish_sessions(lake, 1)
    assert touched
    assert read
    for look in (Path.exists, lambda path: os.access(path, os.W_OK), shutil.disk_usage):
        with touches_of_this_thread(lake.path) as touched:
            look(lake.path)
        assert touched


def test_an_export_that_fails_half_way_leaves_no_file(tmp_path: Path) -> None:
    sheet = Sheet(pl.DataFrame({"n": range(50_000)}), (Col("n", "n"),), ("n",))
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(ExportError, match=r"out\.csv could not be written"):
            export(sheet, tmp_path / "out.csv")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert not (tmp_path / "out.csv").exists()
