"""Every feature has one fingerprint: by sessions or in one go, in any blocks, with any threads, in any process."""

from __future__ import annotations

import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
WAYS = [*product(("1", "6"), ("7", "0"), ("1", "2"), ("1", "2")), *[("2", "13", "2", "2")] * 4]
"""Sessions at a time, tickers in a block, threads of the engine, threads of queries: twenty processes."""


def ask(way: tuple[str, ...], seed: int) -> str:
    """What a fresh process prints that computes everything that way."""
    *words, queries = way
    environment = {
        "PATH": "", "PYTHONPATH": str(ROOT), "POLARS_MAX_THREADS": queries, "PYTHONHASHSEED": str(seed),
        "OMP_NUM_THREADS": queries,
    }  # fmt: skip
    asked = [sys.executable, "-c", "from tests.pipeline.features.fingerprint_process import main; main()", *words]
    ended = subprocess.run(asked, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@pytest.mark.slow
def test_twenty_fresh_processes_give_one_fingerprint() -> None:
    told = {way: ask(way, seed) for seed, way in enumerate(WAYS)}
    assert len(WAYS) == 20 and len(set(told.values())) == 1, told
