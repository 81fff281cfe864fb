"""What the comparison of engines calls exact, and how it counts what is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers.agreement import compare, compute_exactly
from benchmarks.peers.histories import write_gaps
from benchmarks.peers.measuring import read
from pipeline.features.engine.blocks import compute
from pipeline.features.families.alpha158 import ALPHA158

FACTORS = list(ALPHA158.values())


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gaps(tmp_path_factory.mktemp("history") / "gaps", 200, seed=3)


def test_every_factor_of_a_history_with_gaps_agrees_with_extended_precision(history: Path) -> None:
    found = compute(FACTORS, read(history), precision=np.float64)
    agreed = compare(list(found), compute_exactly(ALPHA158, history), ALPHA158)
    assert {name for name, one in agreed.items() if one.close_by < 1 or one.strayed or one.partial} == set()


def test_values_that_are_off_missing_or_of_partial_windows_are_counted(history: Path) -> None:
    found = compute(FACTORS, read(history), precision=np.float64)
    place = list(ALPHA158).index("MA20")
    found[place, 0, 0] = 1.0
    found[place, 150:, 1] = np.nan
    known = np.isfinite(found[place, 100, :])
    found[place, 100] *= 1 + 1e-7
    exact = compute_exactly(ALPHA158, history)
    agreed = compare(list(found), exact, ALPHA158)["MA20"]
    both = np.isfinite(found[place, 19:]) & np.isfinite(exact["MA20"][19:])
    assert agreed.partial == 1
    assert agreed.strayed == np.isfinite(exact["MA20"][150:, 1]).sum()
    assert agreed.close_by == pytest.approx(1 - known.sum() / both.sum())
    assert agreed.near == 1
