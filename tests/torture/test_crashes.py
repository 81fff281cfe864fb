"""Whatever call of a cycle goes wrong, readers see whole cycles only, and the next run ends as if nothing had been."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest

from tests.torture.conftest import STRIDE, Before, Bench, Benches
from tests.torture.faults import Fault, cut_power

FAULTY_DISK = (Fault.NO_SPACE_ONCE, Fault.NO_SPACE, Fault.IO_ERROR_ONCE, Fault.IO_ERROR, Fault.DONE_BUT_ERROR)
KILLS = int(os.environ.get("TORTURE_KILLS", "500"))
TRIES = 20
"""Moments drawn for a kill: a run that ends before its moment was not killed, and does not count."""


def points(prepared: Before) -> list[int]:
    return list(range(1, prepared.calls + 1, STRIDE))


def suffer(bench: Bench, lake: Path, **fault: Any) -> dict[str, Any]:
    """Run the session's cycle with a fault, and check what holds whatever happened."""
    ended = bench.order("cycle", lake, session=bench.prepared.session, durable=True, **fault)
    assert not ended["hung"], f"hung: {fault}"
    assert ended.get("code") != 70, f"an error without words: {ended} after {fault}"
    return ended


def check_resumed(bench: Bench, lake: Path, fault: object, *, readable: bool = True) -> None:
    """What a reader sees is whole, before the next run puts things right and after it.

    Args:
        bench: what to do it with.
        lake: as the fault left it.
        fault: for the message.
        readable: False after a power cut, when it is the writer that has to come first.
    """
    resumed = bench.order("resume" if readable else "cycle", lake, session=bench.prepared.session, durable=True)
    assert "error" not in resumed, f"could not be read or gone on with after {fault}: {resumed}"
    before, after = bench.prepared.before, bench.prepared.after
    if readable:
        moved = [name for name, mark in resumed["seen"]["marks"].items() if mark != before["marks"][name]]
        assert resumed["seen"] in (before, after), f"a reader saw half a cycle after {fault}: {moved} had moved"
    state = resumed["state"] if readable else bench.order("look", lake)["state"]
    differing = [name for name, mark in state["marks"].items() if mark != after["marks"][name]]
    assert state == after, f"another end than without {fault}: {differing}, {state['doubled']} doubled runs"


def play(bench: Bench, fault: Fault, k: int) -> dict[str, Any]:
    lake = bench.copy()
    ended = suffer(bench, lake, mode=int(fault), k=k)
    check_resumed(bench, lake, (fault.name, k))
    return ended


def play_power_cut(bench: Bench, k: int, *, drop_names: bool) -> int:
    lake = bench.copy()
    journal = lake.with_suffix(".journal")
    suffer(bench, lake, mode=int(Fault.KILL), k=k, journal=str(journal))
    hit = cut_power(journal, drop_names=drop_names)
    check_resumed(bench, lake, ("power cut", k, drop_names), readable=False)
    return hit


def test_the_tortured_session_moves_every_part_of_the_books(prepared: Before) -> None:
    assert prepared.calls > 100
    assert prepared.before["marks"] != prepared.after["marks"]
    moved = prepared.after["moved"]
    assert set(moved) >= {"buy", "sell", "commission", "split", "dividend"}, f"choose another session: {moved}"
    assert prepared.after["ledger_rows"] == prepared.before["ledger_rows"] + sum(moved.values())
    unmoved = [name for name, mark in prepared.after["marks"].items() if mark == prepared.before["marks"][name]]
    assert not {"executed_trades", "portfolio_holdings", "portfolio_value", "trade_reflections"} & set(unmoved)


def test_a_death_in_the_middle_of_a_write_costs_nothing(bench: Bench) -> None:
    assert play(bench, Fault.TORN, bench.prepared.calls // 3)["signal"] == 9


def test_a_power_cut_costs_nothing_that_was_acknowledged(bench: Bench) -> None:
    hit = play_power_cut(bench, bench.prepared.calls // 2, drop_names=False)
    assert hit > 0, "nothing was unsynced: the test did not cut anything"


@pytest.mark.parametrize("drop_names", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_power_cut_after_a_cycle_was_acknowledged_takes_nothing_back(bench: Bench, drop_names: bool) -> None:
    lake, journal = bench.copy_of_whole()
    assert str(lake) in journal.read_text()
    cut_power(journal, drop_names=drop_names)
    again = bench.order("cycle", lake, session=bench.prepared.session, durable=True)
    assert again["already_done"], "what was acknowledged had to be done again"
    assert bench.order("look", lake)["state"] == bench.prepared.after
    assert bench.order("scrub", lake)["found"] == []


@pytest.mark.slow
def test_a_full_disk_ends_the_run_in_words_and_costs_nothing(bench: Bench) -> None:
    ended = play(bench, Fault.NO_SPACE, 40)
    assert ended["code"] == 74, ended
    assert "free some space" in ended["error"]


@pytest.mark.torture
def test_a_death_at_random_moments_costs_nothing(benches: Benches) -> None:
    def kill(bench: Bench, number: int) -> None:
        moments = random.Random(20260105 + number)
        for _ in range(TRIES):
            lake, after = bench.copy(), moments.uniform(0.0, bench.prepared.cpu)
            ended = bench.order("cycle", lake, session=bench.prepared.session, durable=True, kill_after=after)
            check_resumed(bench, lake, ("kill after", after))
            if ended["signal"] == 9:
                return
        raise AssertionError(f"{TRIES} runs ended before the moment at which each was to be killed")

    benches.each("kills", range(KILLS), kill)


@pytest.mark.torture
@pytest.mark.parametrize("fault", [Fault.KILL, Fault.TORN])
def test_a_death_at_every_call_costs_nothing(benches: Benches, prepared: Before, fault: Fault) -> None:
    died = benches.each(fault.name, points(prepared), lambda bench, k: play(bench, fault, k)["signal"] == 9)
    assert all(died)


@pytest.mark.torture
@pytest.mark.parametrize("drop_names", [False, True])
def test_a_power_cut_at_every_call_costs_nothing(benches: Benches, prepared: Before, drop_names: bool) -> None:
    what = "power cut, names lost" if drop_names else "power cut, content lost"
    hit = benches.each(what, points(prepared), lambda bench, k: play_power_cut(bench, k, drop_names=drop_names))
    assert sum(hit) > 0


@pytest.mark.torture
@pytest.mark.parametrize("fault", FAULTY_DISK)
def test_a_disk_that_refuses_at_every_call_costs_nothing(benches: Benches, prepared: Before, fault: Fault) -> None:
    ended = benches.each(fault.name, points(prepared), lambda bench, k: play(bench, fault, k))
    lasting = (Fault.NO_SPACE, Fault.IO_ERROR)
    assert fault not in lasting or all(one.get("code") == 74 for one in ended), "a run passed on a disk that refuses"
