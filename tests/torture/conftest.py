"""One small operation, run once, that every fault is played against in a copy."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from lake.store import Lake
from lake.tables.control import RUNS
from pipeline.market.sessions import exchange_sessions
from tests.copies import copy_lake
from tests.torture.faults import Worker, build_shim, worker
from tests.torture.settings import CYCLES

BENCHES = int(os.environ.get("TORTURE_PROCESSES", "2"))
"""Processes that faults are played in side by side: one a core."""
STRIDE = int(os.environ.get("TORTURE_STRIDE", "1"))
"""Between the faults that are played of a list that has every one: all of them, unless time is short."""
TOLD_EVERY = 25
"""Faults between two lines in the log."""
log = logging.getLogger("torture")


@dataclass(frozen=True)
class Before:
    """A lake some cycles old, its next session, and what a reader sees of it before and after that session's cycle."""

    lake: Path
    session: str
    before: dict[str, Any]
    after: dict[str, Any]
    calls: int
    """By which the cycle changes files."""
    publishing: int
    """The last of them before it begins to publish."""
    cpu: float
    """Seconds of processor time that the cycle takes."""
    whole: Path
    """The lake after that cycle, which was forced onto the disk."""
    journal: Path
    """Of that cycle."""


@dataclass(frozen=True)
class Bench:
    """A process under the shim, and fresh copies of the prepared lake for it to work on."""

    order: Worker
    prepared: Before
    folder: Path
    numbers: Iterator[int]

    def copy(self) -> Path:
        """Give a fresh copy; the one before is thrown away."""
        return self._copy_of(self.prepared.lake)

    def copy_of_whole(self) -> tuple[Path, Path]:
        """Give a fresh copy of the lake after its cycle, and the cycle's journal as if it had run there."""
        target, told = self._copy_of(self.prepared.whole), self.prepared.journal
        for path in told.parent.glob(f"{told.name}*"):
            shutil.copy2(path, self.folder)
        journal = self.folder / told.name
        journal.write_text(told.read_text().replace(f"{self.prepared.whole}/", f"{target}/"))
        return target, journal

    def _copy_of(self, lake: Path) -> Path:
        shutil.rmtree(self.folder, ignore_errors=True)
        return copy_lake(lake, self.folder / f"lake{next(self.numbers)}")


@dataclass(frozen=True)
class Benches:
    """Several of them, that share a list of faults out."""

    all: tuple[Bench, ...]

    def each(self, what: str, faults: Sequence[Any], play: Callable[[Bench, Any], Any]) -> list[Any]:
        """Play every fault, whichever fail, and give what each came to; what failed is told at the end, all of it."""
        free: SimpleQueue[Bench] = SimpleQueue()
        for bench in self.all:
            free.put(bench)
        done, failed = count(1), []

        def one(fault: Any) -> Any:
            bench = free.get()
            try:
                return play(bench, fault)
            except Exception as error:  # assertions too: the others are to be played all the same
                failed.append(f"{fault}: {error}")
                log.error("%s: %s: %s", what, fault, error)
                return None
            finally:
                free.put(bench)
                if (number := next(done)) % TOLD_EVERY == 0 or number == len(faults):
                    log.info("%s: %d of %d played, %d failed", what, number, len(faults), len(failed))

        with ThreadPoolExecutor(len(self.all)) as pool:
            results = list(pool.map(one, faults))
        assert not failed, f"{len(failed)} of {len(faults)} failed ({what}); the first: {failed[0]}"
        return results


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that makes calls go wrong."""
    built = build_shim(tmp_path_factory.mktemp("shim"))
    if built is None:
        pytest.skip("needs Linux and a C compiler for the shim that makes calls go wrong")
    return built


@pytest.fixture(scope="session")
def order(shim: Path) -> Iterator[Worker]:
    """The process under the shim."""
    with worker(shim) as one:
        yield one


@pytest.fixture(scope="session")
def prepared(order: Worker, tmp_path_factory: pytest.TempPathFactory) -> Before:
    """The operation before the session that is tortured, and that session run without any fault."""
    lake = tmp_path_factory.mktemp("torture") / "lake"
    Lake.create(lake)
    assert "error" not in (done := order("operate", lake, cycles=CYCLES, patience=600)), done
    last = Lake.open(lake).read(RUNS)["session"].max()
    assert isinstance(last, date)
    session = str(exchange_sessions("XNYS").next(last))
    before = order("look", lake)["state"]
    whole = lake.with_name("whole")
    copy_lake(lake, whole)
    journal = lake.with_name("journal")
    done = order("cycle", whole, session=session, mode=0, k=0, journal=str(journal), durable=True)
    assert "error" not in done, done
    told = journal.read_text().splitlines()
    publishing = next(number for number, line in enumerate(told) if f"/tables/{RUNS.name}/" in line)
    after = order("look", whole)["state"]
    return Before(lake, session, before, after, done["calls"], publishing, done["cpu"], whole, journal)


@pytest.fixture(scope="session")
def bench(order: Worker, prepared: Before, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """One bench: for tests that play a fault or two."""
    return Bench(order, prepared, tmp_path_factory.mktemp("bench") / "copies", count())


@pytest.fixture(scope="session")
def benches(bench: Bench, shim: Path, prepared: Before, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Benches]:
    """As many as there are to be: for tests that play hundreds."""
    with ExitStack() as stack:
        others = [
            Bench(stack.enter_context(worker(shim)), prepared, tmp_path_factory.mktemp("bench") / "copies", count())
            for _ in range(BENCHES - 1)
        ]
        yield Benches((bench, *others))


@pytest.fixture
def copy(bench: Bench) -> Callable[[], Path]:
    """Give a fresh copy of the lake; the one before is thrown away."""
    return bench.copy
