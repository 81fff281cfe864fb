"""How several processes share the tests out (what rests on one costly fixture stays together, and long things first),
and how the tests' children start."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from _pytest import runner
from _pytest.unraisableexception import gc_collect_iterations_key

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # as many processes as cores run the tests already
os.environ.setdefault("TEXTUAL_FPS", "12")  # consoles paint what changed at most so often, and not sixty times a second
import polars as pl
from polars.lazyframe.engine import _LocalEngine
from polars.lazyframe.opt_flags import QueryOptFlags

from tests import warm

TOGETHER = ("tests/operation/", "tests/torture/")
"""Folders whose tests share a fixture of many seconds: one process runs the folder, and it is built once."""
LONG = (
    *TOGETHER,
    "tests/pipeline/ingestion/sources/test_yahoo_recordings.py",
    "tests/pipeline/feedback/test_learning.py",
    "tests/nextgen_tui/console/test_fuzzed_text.py",
    "tests/nextgen_tui/console/test_app.py",
    "tests/lake/migrations/test_run.py",
    "tests/pipeline/control/daemon/test_daemon.py",
    "tests/pipeline/control/schedule/test_backlog.py",
)
"""What takes longest, so that nobody is left with it at the end. A name out of date costs time, nothing else."""

MEMORY = Path("/dev/shm")
ROOM = 4 << 30
"""Bytes that the lakes of a run may take: some hundreds of MB, and as much again for each process that shares it."""
NEW_OBJECTS = 10_000
"""Objects made between two looks at what is new: after every 700, as is usual, looking is an eighth of some tests."""
FULL_COLLECTION_EVERY = 50
"""Looks at what is new between two looks through everything; Python's own ten are a fifth of the console's tests."""


thawed: list[bool] = []
"""Whether somebody thawed what was imported, since it was last kept out of searches for rubbish."""


def note_a_thaw(thaw: Callable[[], object] = gc.unfreeze) -> None:
    """Stands for `gc.unfreeze`."""
    thaw()
    thawed.append(True)


def unit(nodeid: str) -> str:
    """The tests that one process runs, in order: those of a file, or of a folder that stays together."""
    file = nodeid.split("::")[0]
    return next((folder for folder in TOGETHER if file.startswith(folder)), file)


def place(nodeid: str) -> int:
    """Where in the line the test's unit stands."""
    return LONG.index(unit(nodeid)) if unit(nodeid) in LONG else len(LONG)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share out units; what `--dist` names on the command line is left as it is."""
    from xdist.scheduler import LoadScopeScheduling

    class Units(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return unit(nodeid)

    if config.getvalue("dist") != "load":
        return None
    config.option.loadscopereorder = False  # by number of tests, which says nothing of their length
    return Units(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A process that is one of several lines up the long units first; a person's own order is left as it is."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: place(item.nodeid))


def pytest_collection_finish() -> None:
    """Keep what was imported out of later searches for rubbish."""
    gc.collect()
    gc.freeze()


def pytest_runtest_teardown() -> None:
    """A console that ends thaws it, and is noticed: to ask would be a walk through every frozen object."""
    if thawed:
        thawed.clear()
        gc.collect()
        gc.freeze()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cold", action="store_true", help="start every child as a fresh process (see tests/warm.py)")


def pytest_configure(config: pytest.Config) -> None:
    gc.unfreeze = note_a_thaw
    ask_plainly()
    config.stash[gc_collect_iterations_key] = 1  # at the end of a run; other interpreters need five looks
    gc.set_threshold(NEW_OBJECTS, gc.get_threshold()[1], FULL_COLLECTION_EVERY)
    light = all(kind in config.getoption("-m") for kind in ("not torture", "not slow"))
    if light and is_roomy(MEMORY):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
    if hasattr(config, "workerinput"):
        stay_on_one_core(int(config.workerinput["workerid"].removeprefix("gw")))
    if sys.platform == "linux" and not config.getoption("--cold"):
        warm.install()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Give the memory back that a run without failures took; what failed can be looked at until the next run."""
    config = session.config
    if os.environ.get("PYTEST_DEBUG_TEMPROOT") == str(MEMORY) and not exitstatus and not hasattr(config, "workerinput"):
        # A million files: Python would take as long to remove them as many tests to run.
        subprocess.run(["rm", "-rf", config._tmp_path_factory.getbasetemp()], check=False)  # type: ignore[attr-defined]


def is_roomy(folder: Path) -> bool:
    """Whether temporary lakes can lie in a folder: a thousand small ones cost half as much in memory as on a disk.

    A container's share of memory is often too small for them, or its programs may not be run. Larger tests, and those
    with faults, use the disk.
    """
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        return False
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize >= ROOM and not state.f_flag & os.ST_NOEXEC


def stay_on_one_core(number: int) -> None:
    """Keep a process that is one of several, and its children, on a core of its own.

    A query of polars is handed to its thread and back: on one core that costs a third of waking another core for it.
    """
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[number % len(cores)]})


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Run a test and its fixtures within a query of polars.

    A query is handed to a thread of polars and its answer handed back, which is a quarter of what the tests cost; one
    that is asked within another is answered by the thread that asks.
    """
    ended: list[BaseException] = []

    def run(rows: pl.DataFrame) -> pl.DataFrame:
        try:
            with children_of(item):
                runner.pytest_runtest_protocol(item, nextitem)
        except BaseException as error:  # an interrupt, or the end of the session: polars would tell it otherwise
            ended.append(error)
        return rows

    pl.LazyFrame().map_batches(run).collect(engine="streaming")
    if ended:
        raise ended[0]
    return True


def ask_plainly() -> None:
    """Let queries do without what polars prepares anew for each: a third of a small one, and the tests ask millions.

    They share their flags, and none looks whether it is monitored: none is. Another polars is left alone.
    """
    if "POLARS_QUERY_MONITORING" not in os.environ and hasattr(QueryOptFlags, "_eager"):
        flags = QueryOptFlags._eager()
        QueryOptFlags._eager = staticmethod(lambda: flags)  # type: ignore[method-assign]
        _LocalEngine._with_monitoring = leave_flags  # type: ignore[method-assign]


def leave_flags(_: _LocalEngine, optimizations: QueryOptFlags) -> QueryOptFlags:
    """Stands for what copies the flags of a query to note in them that it is not monitored."""
    return optimizations


@contextmanager
def children_of(item: pytest.Item) -> Iterator[None]:
    """The children of a test that is marked `cold`, and of the fixtures built for it, are fresh processes."""
    if item.get_closest_marker("cold") is None or not warm.is_installed():
        yield
        return
    warm.uninstall()
    try:
        yield
    finally:
        warm.install()
