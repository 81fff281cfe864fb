"""Whoever reads while writers die and go on sees whole cycles only, each later than the one before."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from lake.store import Lake
from lake.tables.books import PORTFOLIO_VALUE
from lake.tables.control import RUNS
from pipeline.market.sessions import exchange_sessions
from tests.torture.conftest import Bench
from tests.torture.faults import Fault
from tests.torture.reader import Reader, halves

READS = 1_000


def deaths(bench: Bench, lake: Path, seed: int) -> Iterator[str]:
    """Session after session, each of whose cycles dies at some call and is then brought to its end."""
    chance, session = random.Random(seed), date.fromisoformat(bench.prepared.session)
    while True:
        fault, k = chance.choice([Fault.KILL, Fault.TORN]), chance.randint(1, bench.prepared.calls)
        bench.order("cycle", lake, session=str(session), durable=True, mode=int(fault), k=k)
        ended = bench.order("cycle", lake, session=str(session), durable=True)
        assert "error" not in ended, f"could not go on after {fault.name} at {k} in {session}: {ended}"
        yield str(session)
        session = exchange_sessions("XNYS").next(session)


def test_a_reader_of_half_a_cycle_would_be_told_on(bench: Bench) -> None:
    lake = Lake.open(bench.copy())
    versions = lake.published_versions()
    assert halves(lake, versions) == []
    before = next(v for v in range(versions[PORTFOLIO_VALUE.name], 0, -1) if v < versions[PORTFOLIO_VALUE.name])
    assert halves(lake, versions | {PORTFOLIO_VALUE.name: before}) != []


@pytest.mark.slow
def test_a_reader_meanwhile_sees_whole_cycles_only_and_never_goes_back(bench: Bench) -> None:
    lake = bench.copy()
    with Reader(lake) as reader:
        next(deaths(bench, lake, seed=1))
    assert reader.wrong == []
    assert reader.reads > 10
    assert Lake.open(lake).published_versions()[RUNS.name] > min(reader.publications)


@pytest.mark.torture
def test_a_thousand_reads_meanwhile_are_all_whole_and_never_go_back(bench: Bench) -> None:
    lake = bench.copy()
    with Reader(lake) as reader:
        for played, _ in enumerate(deaths(bench, lake, seed=2), 1):
            if reader.wrong or (reader.reads >= READS and played >= 20):
                break
    assert reader.wrong == []
    assert reader.reads >= READS
    assert len(reader.publications) >= 20
