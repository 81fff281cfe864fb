"""The operation with its lake in an object store: the same fingerprints as in a folder, whichever machine goes on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from lake.branches.branch import create_branch
from lake.errors import StorageError
from lake.publication import find_unpublished
from lake.remote import objects
from lake.remote.address import resolve
from lake.runs import find_done_runs, last_session
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS
from lake.upkeep.scrub import scrub
from lake.upkeep.vacuum import vacuum
from nextgen_tui.console.app import ConsoleApp
from nextgen_tui.console.runtime.screenshots import wait_until_loaded
from nextgen_tui.console.screen_frame import screen_lines
from pipeline.engine.executor import Executor
from pipeline.engine.reproduction import reproduce
from pipeline.engine.runner import Runner
from pipeline.reading.books_check import check_books
from tests.loopback.object_store import Place, new_address, open_wire
from tests.nextgen_tui.console.test_app import until
from tests.operation.conftest import Operation, operate_in, small_settings
from tests.operation.test_runner import ProcessDiedError

pytestmark = pytest.mark.slow


@dataclass
class Machines:
    """Machines with working copies of one lake."""

    place: Place
    patch: pytest.MonkeyPatch

    def folder(self, name: str) -> Path:
        """Be the machine, and return its working copy."""
        self.place.machine(name, self.patch)
        return resolve(self.place.address, os.environ)

    def runner(self, name: str) -> Runner:
        """The runner of a machine, on the lake as it is in the store."""
        return Runner(Lake.open(self.folder(name)), small_settings())


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """A lake in a store, whose history and first session one machine has computed, and the second another."""
    with open_wire() as wire, pytest.MonkeyPatch.context() as patch:
        made = Machines(Place(new_address(), wire, tmp_path_factory.mktemp("machines")), patch)
        operate_in(Lake.create(made.folder("one")), small_settings(), 1)
        cycle_next(made.runner("two"))
        yield made


def cycle_next(runner: Runner) -> date:
    done = last_session(runner.lake)
    assert done
    return runner.cycle(runner.calendar.next(done)).session


def outcomes(lake: Lake, upto: date) -> pl.DataFrame:
    """What each run of the sessions up to one came to, but for the report, which tells how long they took."""
    done = (pl.col("session") <= upto) & (pl.col("status") == "done") & (pl.col("stage") != "report")
    runs = lake.read(RUNS, where=done)
    return runs.select("run_id", "stage", "session", "fingerprint", "rows").sort("run_id")


def test_every_run_has_the_fingerprint_that_it_has_in_a_folder(machines: Machines, operation: Operation) -> None:
    there = machines.runner("three").lake
    upto = operation.sessions[1]
    assert last_session(there) == upto
    mine, theirs = outcomes(there, upto), outcomes(operation.lake, upto)
    assert mine.equals(theirs)


def test_another_machine_reproduces_every_run(machines: Machines) -> None:
    runner = machines.runner("four")
    different = [one.stage for run in find_done_runs(runner.lake) if not (one := reproduce(runner, run)).identical]
    assert different == []


def test_the_books_of_another_machine_add_up_and_its_files_are_whole(machines: Machines) -> None:
    runner = machines.runner("five")
    done = last_session(runner.lake)
    assert done
    assert check_books(Executor(runner.lake, runner.settings), done).agrees
    assert scrub(runner.lake).findings == ()


async def test_the_console_of_another_machine_shows_the_book(machines: Machines) -> None:
    app = ConsoleApp(machines.folder("six"))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("6")
        await wait_until_loaded(pilot)
        value = Lake.open(machines.folder("six")).read(TABLES["portfolio_value"])["nav"][-1]
        assert app.screen.answer.startswith(f"{value:,.2f}")  # type: ignore[attr-defined]


async def test_a_console_can_go_to_a_lake_in_a_store(machines: Machines, operation: Operation) -> None:
    machines.folder("seven and a half")
    app = ConsoleApp(operation.lake.path)
    async with app.run_test(size=(140, 40)) as pilot:
        await wait_until_loaded(pilot)
        app.command(f"lake {machines.place.address}")
        await until(pilot, lambda: app.view is not None and app.lake_name == machines.place.address)
        await until(pilot, lambda: machines.place.address in "\n".join(screen_lines(app.screen)))


async def test_an_open_console_sees_what_another_machine_publishes(machines: Machines) -> None:
    before = last_session(machines.runner("one").lake)
    app = ConsoleApp(machines.folder("watcher"))
    async with app.run_test(size=(120, 40)) as pilot:
        await wait_until_loaded(pilot)
        assert f"session {before}" in "\n".join(screen_lines(app.screen))
        session = await asyncio.to_thread(cycle_next, machines.runner("one"))
        machines.folder("watcher")
        await until(pilot, lambda: f"session {session}" in "\n".join(screen_lines(app.screen)))


def test_a_branch_on_another_machine_goes_its_own_way(machines: Machines) -> None:
    runner = machines.runner("seven")
    before = last_session(runner.lake)
    branch = Runner(Lake.open(create_branch(runner.lake, "idea").path), small_settings())
    assert cycle_next(branch) == branch.calendar.next(before)
    assert last_session(machines.runner("eight").lake) == before


def test_a_cycle_cut_off_by_the_network_is_finished_by_the_same_machine(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "PATIENT", objects.BRIEF)
    runner, before = machines.runner("nine"), last_session(machines.runner("nine").lake)
    machines.place.wire.fault = lambda request: "refuse" if "/tables/" in request.path else "pass"
    with pytest.raises(StorageError, match="check the network"):
        cycle_next(runner)
    machines.place.wire.always("pass")
    assert last_session(machines.runner("ten").lake) == before, "nobody else sees any of it"
    again = machines.runner("nine")
    again.recover()
    cycle_next(again)
    assert scrub(machines.runner("ten").lake).findings == ()


def test_a_cycle_of_a_machine_that_is_gone_is_done_again_by_another(machines: Machines) -> None:
    def die(what: str, done: int, total: int) -> None:
        if done == 6:
            raise ProcessDiedError

    gone = machines.runner("eleven")
    before = last_session(gone.lake)
    assert before
    session = gone.calendar.next(before)
    with pytest.raises(ProcessDiedError):
        gone.cycle(session, die)
    other = machines.runner("twelve")
    assert not find_unpublished(other.lake)
    done = other.cycle(session)
    back = machines.runner("eleven")
    back.recover()
    assert last_session(back.lake) == session
    assert outcomes(back.lake, session).equals(outcomes(other.lake, session))
    assert done.session == session
    assert scrub(back.lake).findings == ()


def test_gc_leaves_every_run_reproducible(machines: Machines) -> None:
    runner = machines.runner("thirteen")
    vacuum(runner.lake)
    other = machines.runner("fourteen")
    runs = find_done_runs(other.lake)[-20:]
    assert all(reproduce(other, run).identical for run in runs)
