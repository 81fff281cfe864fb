"""Whatever call of a cycle goes wrong, readers see whole cycles only, and the next run ends as if nothing had been."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.torture.conftest import Before
from tests.torture.faults import Fault, Worker, cut_power

Copy = Callable[[], Path]
FAULTY_DISK = (Fault.NO_SPACE_ONCE, Fault.NO_SPACE, Fault.IO_ERROR_ONCE, Fault.IO_ERROR, Fault.DONE_BUT_ERROR)
STRIDE = int(os.environ.get("NEXTGEN_TORTURE_STRIDE", "1"))
"""Between the calls that the torture tries: all of them, unless time is short. The default suite tries a few."""
KILLS = int(os.environ.get("NEXTGEN_TORTURE_KILLS", "500"))


def points(prepared: Before, stride: int, start: int = 1) -> Iterator[int]:
    yield from range(start, prepared.calls + 1, stride)


def suffer(order: Worker, prepared: Before, lake: Path, **fault: Any) -> dict[str, Any]:
    """Run the session's cycle with a fault, and check what holds for a reader whatever happened."""
    ended = order("cycle", lake, session=prepared.session, durable=True, **fault)
    assert not ended["hung"], f"hung: {fault}"
    assert ended.get("code") != 70, f"an error without words: {ended} after {fault}"
    return ended


def check_reader(order: Worker, prepared: Before, lake: Path, fault: object) -> None:
    seen = order("look", lake)
    assert "error" not in seen, f"a reader could not read: {seen} after {fault}"
    marks = seen["state"]["marks"]
    whole = marks in (prepared.before["marks"], prepared.after["marks"])
    differing = [name for name in marks if marks[name] != prepared.before["marks"][name]]
    assert whole, f"a reader saw half a cycle after {fault}: {differing} had moved"


def check_resumed(order: Worker, prepared: Before, lake: Path, fault: object) -> None:
    resumed = order("cycle", lake, session=prepared.session, durable=True)
    assert "error" not in resumed, f"could not go on after {fault}: {resumed}"
    state = order("look", lake)["state"]
    differing = [name for name, mark in state["marks"].items() if mark != prepared.after["marks"][name]]
    assert state == prepared.after, f"another end than without {fault}: {differing}, {state['doubled']} doubled runs"


def play(order: Worker, prepared: Before, copy: Copy, fault: Fault, k: int) -> None:
    lake = copy()
    suffer(order, prepared, lake, mode=int(fault), k=k)
    check_reader(order, prepared, lake, (fault.name, k))
    check_resumed(order, prepared, lake, (fault.name, k))


def play_power_cut(order: Worker, prepared: Before, copy: Copy, k: int, *, drop_names: bool) -> int:
    lake = copy()
    journal = lake.with_suffix(".journal")
    suffer(order, prepared, lake, mode=int(Fault.KILL), k=k, journal=str(journal))
    hit = cut_power(journal, drop_names=drop_names)
    journal.unlink()
    check_resumed(order, prepared, lake, ("power cut", k, drop_names))
    return hit


def test_the_tortured_operation_moves_its_books(prepared: Before) -> None:
    assert prepared.calls > 100
    assert prepared.after["ledger_rows"] >= prepared.before["ledger_rows"] >= 2
    assert prepared.before["marks"] != prepared.after["marks"]


@pytest.mark.parametrize("fault", [Fault.KILL, Fault.TORN])
def test_a_death_at_a_call_costs_nothing(order: Worker, prepared: Before, copy: Copy, fault: Fault) -> None:
    play(order, prepared, copy, fault, prepared.calls // (int(fault) + 1))


def test_a_power_cut_costs_nothing_that_was_acknowledged(order: Worker, prepared: Before, copy: Copy) -> None:
    hit = play_power_cut(order, prepared, copy, prepared.calls // 2, drop_names=False)
    assert hit > 0, "nothing was unsynced: the test did not cut anything"


def test_a_full_disk_ends_the_run_in_words_and_costs_nothing(order: Worker, prepared: Before, copy: Copy) -> None:
    lake = copy()
    ended = suffer(order, prepared, lake, mode=int(Fault.NO_SPACE), k=40)
    assert ended["code"] == 74, ended
    assert "free some space" in ended["error"]
    check_reader(order, prepared, lake, "a full disk")
    check_resumed(order, prepared, lake, "a full disk")


@pytest.mark.torture
@pytest.mark.parametrize("fault", [Fault.KILL, Fault.TORN])
def test_a_death_at_every_call_costs_nothing(order: Worker, prepared: Before, copy: Copy, fault: Fault) -> None:
    for k in points(prepared, STRIDE):
        play(order, prepared, copy, fault, k)


@pytest.mark.torture
@pytest.mark.parametrize("drop_names", [False, True])
def test_a_power_cut_at_every_call_costs_nothing(order: Worker, prepared: Before, copy: Copy, drop_names: bool) -> None:
    assert sum(play_power_cut(order, prepared, copy, k, drop_names=drop_names) for k in points(prepared, STRIDE)) > 0


@pytest.mark.torture
@pytest.mark.parametrize("fault", FAULTY_DISK)
def test_a_disk_that_refuses_at_every_call_costs_nothing(
    order: Worker, prepared: Before, copy: Copy, fault: Fault
) -> None:
    for k in points(prepared, 2 * STRIDE):
        play(order, prepared, copy, fault, k)


@pytest.mark.torture
def test_a_death_at_random_moments_costs_nothing(order: Worker, prepared: Before, copy: Copy) -> None:
    moments = random.Random(20260105)
    killed = 0
    for _ in range(KILLS):
        lake, after = copy(), moments.uniform(0.0, 1.5)
        killed += order("cycle", lake, session=prepared.session, durable=True, kill_after=after)["signal"] == 9
        check_reader(order, prepared, lake, ("kill after", after))
        check_resumed(order, prepared, lake, ("kill after", after))
    assert killed > KILLS / 2, f"only {killed} of {KILLS} runs were still going when they were to be killed"
