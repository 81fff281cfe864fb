"""What a formula is made of: its facts, with the sessions its windows reach, less those that have no weight."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.features.engine.blocks import compute
from pipeline.features.engine.expressions import (
    Expression,
    fact,
    greater,
    lag,
    log,
    mean,
    residual,
    slope,
    total,
)
from pipeline.features.provenance.formulas import list_counted, read_formula

CLOSE, VOLUME, VWAP = fact("close"), fact("volume"), fact("vwap")


def told(expression: Expression) -> dict[str, tuple[list[int], int]]:
    """Column -> the sessions back that are used, and the first at which an action counts."""
    (part,) = read_formula(expression).parts
    first = {basis: span[0] for basis, span in part.spans.items()}
    return {
        column: (np.flatnonzero(flags).tolist(), first.get(basis, 0)) for (basis, column), flags in part.back.items()
    }


def test_lags_and_windows_add_up() -> None:
    assert told(lag(CLOSE, 5) / CLOSE) == {"close": ([0, 5], 0)}
    assert told(mean(lag(CLOSE, 2), 3) / CLOSE) == {"close": ([0, 2, 3, 4], 0)}
    assert told(total(greater(CLOSE, lag(CLOSE, 1)), 2)) == {"close": ([0, 1, 2], 0)}
    assert told(VWAP / VWAP * VOLUME / mean(VOLUME, 2)) == {
        "high": ([0], 0), "low": ([0], 0), "close": ([0], 0), "volume": ([0, 1], 0),
    }  # fmt: skip


def test_what_keeps_its_unit_is_in_the_basis_of_its_own_session() -> None:
    assert told(lag(CLOSE, 3)) == {"close": ([3], 0)}
    assert told(log(CLOSE / lag(CLOSE, 1))) == {"close": ([0, 1], 0)}
    assert told(CLOSE - 1) == {"close": ([0], 0)} and told(CLOSE / (CLOSE + 1e-12)) == {"close": ([0], 0)}


@pytest.mark.parametrize("window", [*range(2, 12), 20, 59])
def test_a_session_without_weight_in_a_line_is_left_out_and_no_other(window: int) -> None:
    prices = np.exp(np.random.default_rng(window).normal(0, 0.1, (window, window + 1)))
    prices[:] = prices[:, :1]
    prices[np.arange(window), np.arange(window)] *= 3.0
    for statistic in (slope, residual):
        values = compute([statistic(CLOSE, window)], {"close": prices}, first=window - 1, precision=np.float64)[0, 0]
        moved = np.abs(values[:-1] - values[-1]) > 1e-9
        counted = [window - 1 - back for back in list_counted(statistic(CLOSE, window))]
        assert np.flatnonzero(moved).tolist() == sorted(counted)
