"""One small operation, run once, that every fault is played against in a copy."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from lake.store import Lake
from lake.tables.control import RUNS
from pipeline.sessions import exchange_sessions
from tests.torture.faults import Worker, build_shim, worker

CYCLES = 6


@dataclass(frozen=True)
class Before:
    """A lake some cycles old, its next session, and what a reader sees of it before and after that session's cycle."""

    lake: Path
    session: str
    before: dict[str, Any]
    after: dict[str, Any]
    calls: int


@pytest.fixture(scope="session")
def order(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """The process under the shim."""
    shim = build_shim(tmp_path_factory.mktemp("shim"))
    if shim is None:
        pytest.skip("needs Linux and a C compiler for the shim that makes calls go wrong")
    with worker(shim) as one:
        yield one


@pytest.fixture(scope="session")
def prepared(order: Worker, tmp_path_factory: pytest.TempPathFactory) -> Before:
    """The operation before the session that is tortured, and that session run without any fault."""
    lake = tmp_path_factory.mktemp("torture") / "lake"
    Lake.create(lake)
    assert "error" not in (done := order("operate", lake, cycles=CYCLES)), done
    last = Lake.open(lake).read(RUNS)["session"].max()
    assert isinstance(last, date)
    session = str(exchange_sessions("XNYS").next(last))
    before = order("look", lake)["state"]
    whole = lake.with_name("whole")
    shutil.copytree(lake, whole)
    done = order("cycle", whole, session=session, mode=0, k=0, durable=True)
    assert "error" not in done, done
    return Before(lake, session, before, order("look", whole)["state"], done["calls"])


@pytest.fixture(scope="session")
def copy(prepared: Before, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Path]]:
    """Give a fresh copy of the lake; the one before is thrown away."""
    folder = tmp_path_factory.mktemp("copies")
    numbers = count()

    def fresh() -> Path:
        for old in folder.iterdir():
            shutil.rmtree(old)
        target = folder / f"lake{next(numbers)}"
        shutil.copytree(prepared.lake, target)
        return target

    yield fresh
