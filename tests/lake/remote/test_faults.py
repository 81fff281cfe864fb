"""A wire that loses, refuses, slows and cuts requests, drivers that are killed: nothing is lost, nothing doubled."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lake.errors import StorageError
from lake.remote import objects as objects_module
from lake.store import Lake
from lake.tables.control import TASK_REQUESTS
from lake.tables.market import MARKET_PRICES
from lake.upkeep.scrub import scrub
from tests.frames.published import publish_sessions, request_rows
from tests.loopback.object_store import Fault, Place, Request, Wire

On = Callable[..., Lake]
DRIVER = """
import os, sys
from pathlib import Path
from lake.remote.address import resolve
from lake.store import Lake
from lake.tables.market import MARKET_PRICES
from tests.frames.published import publish_sessions
lake = Lake.open(resolve(sys.argv[1], os.environ))
first = lake.rows(MARKET_PRICES)
publish_sessions(lake, int(sys.argv[2]) - first, start=first)
"""
"""Goes on to a number of sessions."""


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little patience, for tests in which nothing answers."""
    monkeypatch.setattr(objects_module, "PATIENT", objects_module.BRIEF)


@pytest.mark.parametrize(
    "fault",
    [
        "lose answer",
        *(pytest.param(f, marks=pytest.mark.slow) for f in ("lose request", "reset", "refuse", "cut short", "slow")),
    ],
)
def test_faults_that_pass_are_overcome(on: On, place: Place, fault: Fault) -> None:
    mine = on("one", create=True)
    rng = random.Random(fault)
    place.wire.fault = lambda _: fault if rng.random() < 0.15 else "pass"
    publish_sessions(mine, 2)
    theirs = on("two")
    publish_sessions(theirs, 1, start=2)
    place.wire.always("pass")
    for lake in (on("one"), on("two"), on("three")):
        assert lake.read(MARKET_PRICES)["close"].to_list() == [10.0, 10.01, 10.02]
        assert lake.read(TASK_REQUESTS).height == 3
        assert scrub(lake).findings == ()


def test_without_the_store_a_reader_reads_what_it_has_and_says_so(on: On, place: Place, brief: None) -> None:
    publish_sessions(on("one", create=True), 2)
    on("two").read(MARKET_PRICES)
    place.wire.always("lose request")
    alone = on("two")
    assert alone.read(MARKET_PRICES).height == 2
    assert "check the network" in alone.exchange.problem


def test_without_the_store_nothing_is_begun(on: On, place: Place, brief: None) -> None:
    mine = on("one", create=True)
    place.wire.always("refuse")
    with pytest.raises(StorageError, match="check the network"):
        mine.commit(TASK_REQUESTS, request_rows(0), "request 0", {})
    with pytest.raises(StorageError, match="check the network"), mine.lock("write"):
        pass
    with pytest.raises(StorageError, match="check the network"):
        on("two")
    place.wire.always("pass")
    assert on("one").read(TASK_REQUESTS).is_empty()
    publish_sessions(on("one"), 1)
    assert on("two").read(TASK_REQUESTS).height == 1


@pytest.mark.slow
def test_a_publication_that_did_not_get_there_does_with_the_next_lock(on: On, place: Place, brief: None) -> None:
    mine = on("one", create=True)
    place.wire.fault = lambda request: (
        "refuse" if request.method == "PUT" and "/_nextgen/changes/" in request.path else "pass"
    )
    with pytest.raises(StorageError):
        publish_sessions(mine, 1)
    place.wire.always("pass")
    assert on("two").read(MARKET_PRICES).is_empty()
    with on("one").lock("again"):
        pass
    assert on("two").read(MARKET_PRICES).height == 1


def kill_sweep(place: Place, on: On, kills: int, seed: int) -> None:
    """Kill the driver at random requests, before or after the store has seen them; then let it finish."""
    rng = random.Random(seed)
    on("one", create=True)
    environ = os.environ | place.environ("one") | {"PYTHONPATH": str(Path(__file__).parents[3])}
    sessions = 0
    for _ in range(kills):
        if rng.random() < 0.2:  # the machine is lost with its working copy
            environ["NEXTGEN_COPIES"] = str(place.home / f"machine {rng.random()}")
            place.wire.always("pass")
            expire_lease(place, on)
        sessions += rng.random() < 0.5
        run_until_killed(place.wire, environ, [place.address, str(sessions + 1)], rng.randrange(60), rng.random() < 0.5)
    place.wire.always("pass")
    expire_lease(place, on)
    subprocess.run([sys.executable, "-c", DRIVER, place.address, str(sessions + 1)], env=environ, check=True)
    for name in ("last", "one"):
        lake = on(name)
        assert lake.read(MARKET_PRICES)["close"].to_list() == [10.0 + n / 100 for n in range(sessions + 1)]
        asked = lake.read(TASK_REQUESTS)["request_id"]
        assert asked.n_unique() == len(asked), "nothing is there twice"
        assert scrub(lake).findings == ()


def run_until_killed(wire: Wire, environ: dict[str, str], arguments: list[str], at: int, after: bool) -> None:
    """One driver, which is killed at its request of that number, if it comes to it."""
    started = len(wire.requests)
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, *arguments], env=environ, stderr=subprocess.PIPE, text=True
    )

    def kill(request: Request) -> Fault:
        if request.number - started != at:
            return "pass"
        driver.send_signal(signal.SIGKILL)
        return "pass" if after else "lose request"

    wire.fault = kill
    _, told = driver.communicate(timeout=120)
    assert driver.returncode in (0, -signal.SIGKILL), told


def expire_lease(place: Place, on: On) -> None:
    """As if time had passed: the lease of a machine that is gone has ended."""
    from dataclasses import replace

    from lake.remote.address import parse_address
    from lake.remote.lease import LEASE, find_lease

    store = objects_module.Objects(parse_address(place.address))
    if lease := find_lease(store):
        store.put(LEASE, replace(lease, held=False, nonce="expired").dump())


def test_a_driver_that_is_killed_at_a_few_calls_loses_and_doubles_nothing(place: Place, on: On) -> None:
    kill_sweep(place, on, kills=3, seed=1)


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(10))
def test_a_driver_that_is_killed_at_five_hundred_calls_loses_and_doubles_nothing(
    place: Place, on: On, seed: int
) -> None:
    kill_sweep(place, on, kills=50, seed=100 + seed)
