"""Values of the block engine: right by their definitions, and the same however the work is cut."""

from __future__ import annotations

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

from pipeline.features.engine.blocks import compute, compute_blocks
from pipeline.features.engine.compiling import compiled
from pipeline.features.engine.expressions import fact, lag, log, mean
from pipeline.features.engine.windows.window_kernels import Block
from pipeline.features.families.alpha158 import ALPHA158
from tests.pipeline.features.engine import reference
from tests.pipeline.features.engine.histories import make_history, make_ragged_history

FACTORS = list(ALPHA158.values())
CLOSE = fact("close")


def test_every_factor_of_a_ragged_history_is_what_its_definition_gives() -> None:
    facts = make_ragged_history(90, 2)
    found = compute(FACTORS, facts, precision=np.float64)
    for name, values, wanted in zip(ALPHA158, found, reference.evaluate_all(FACTORS, facts), strict=True):
        assert np.array_equal(np.isnan(values), np.isnan(wanted)), name
        assert np.allclose(values, wanted, rtol=1e-9, atol=1e-12, equal_nan=True), name


def test_no_cut_of_the_work_changes_a_bit() -> None:
    facts = make_ragged_history(150, 9)
    whole = compute(FACTORS, facts)
    for cut in ({"rows": 7}, {"tickers": 2}, {"rows": 40, "tickers": 8}, {"threads": 2, "rows": 16, "tickers": 4}):
        assert compute(FACTORS, facts, **cut).tobytes() == whole.tobytes(), cut
    last = compute(FACTORS, {name: values[-61:] for name, values in facts.items()}, first=60)
    assert last[:, 0].tobytes() == whole[:, -1].tobytes()
    alone = compute(FACTORS, {name: values[:, 3:4] for name, values in facts.items()})
    assert alone.tobytes() == whole[:, :, 3:4].tobytes()


def test_blocks_computed_one_after_the_other_are_the_parts_of_the_whole() -> None:
    facts = make_ragged_history(150, 9)
    whole = compute(FACTORS, facts, first=70)
    put_together = np.zeros_like(whole)
    for span, values in compute_blocks(FACTORS, facts, first=70, rows=32, tickers=4):
        put_together[:, span.start - 70 : span.end - 70, span.left : span.right] = values
    assert put_together.tobytes() == whole.tobytes()


def test_a_factor_needs_its_warm_up_and_no_more() -> None:
    facts = make_history(62, 1)
    for name, factor in ALPHA158.items():
        enough = {key: values[: factor.warm_up + 1] for key, values in facts.items()}
        assert np.isfinite(compute([factor], enough)[0, -1, 0]), name
        if factor.warm_up:
            short = {key: values[1 : factor.warm_up + 1] for key, values in facts.items()}
            assert np.isnan(compute([factor], short)[0]).all(), name


def test_nothing_later_and_no_other_ticker_moves_a_value() -> None:
    facts = make_history(80, 3)
    before = compute(FACTORS, facts)
    for values in facts.values():
        values[70:] = np.nan
        values[:, 2] = 1e6
    after = compute(FACTORS, facts)
    assert after[:, :70, :2].tobytes() == before[:, :70, :2].tobytes()


def test_a_window_in_which_nothing_moves_has_no_deviation_and_no_correlation() -> None:
    facts = {name: np.full((70, 1), 3.3) for name in ("open", "high", "low", "close", "vwap", "volume")}
    found = dict(zip(ALPHA158, compute(FACTORS, facts)[:, -1, 0], strict=True))
    assert found["STD60"] == found["BETA60"] == found["RESI60"] == found["VSTD5"] == 0.0
    assert np.isnan([found["RSQR60"], found["CORR20"], found["CORD20"]]).all()
    assert found["RANK5"] == pytest.approx(0.6)
    assert found["IMAX10"] == found["IMIN10"] == pytest.approx(0.1)


def test_what_has_no_number_is_unknown_and_never_infinite() -> None:
    facts = {"close": np.array([[1.0, -1.0], [0.0, np.inf], [2.0, 3.0]])}
    found = compute([log(CLOSE), CLOSE / lag(CLOSE, 1), CLOSE * 1e300], facts)
    assert not np.isinf(found).any()
    assert np.isnan(found[0]).tolist() == [[False, True], [True, True], [False, False]]
    assert np.isnan(found[1]).tolist() == [[True, True], [False, True], [True, True]]
    assert not np.signbit(compute([CLOSE * -1.0], {"close": np.zeros((1, 1))})).any()


def test_shared_parts_are_computed_once() -> None:
    from pipeline.features.engine.evaluation import Program

    program = Program([mean(log(CLOSE), 5), mean(log(CLOSE), 20) - log(CLOSE)])
    assert [step.members[0].operation for step in program.steps] == ["fact", "log", "mean", "-"]


def test_facts_that_are_missing_or_differ_in_shape_are_named() -> None:
    with pytest.raises(ValueError, match="the facts lack close; they have open"):
        compute([CLOSE], {"open": np.ones((2, 2))})
    with pytest.raises(ValueError, match="2 shapes"):
        compute([CLOSE - fact("open")], {"open": np.ones((2, 2)), "close": np.ones((3, 2))})


def test_loops_are_compiled_where_no_machine_code_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(Dispatcher, "enable_caching", refuse)

    @compiled
    def double(values: Block) -> float:
        return 2.0 * values[0]

    assert double(np.array([21.0])) == 42.0
