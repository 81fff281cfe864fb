"""Intervals find their width again after a break, each regime keeps its own, and few scores widen them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from lake.tables.feedback import SCALE_EDGES, SESSION_SCORES
from pipeline.feedback.calibration.effective_count import ScoredSessions
from pipeline.feedback.calibration.interval_scale import Z90, NeededScales
from pipeline.feedback.calibration.learned_scales import scale_rows
from pipeline.feedback.params import IntervalParams
from tests.frames.feedback import at, scores
from tests.frames.market import CALENDAR, DAY

Floats = npt.NDArray[np.float64]
PARAMS = IntervalParams(min_scale=0.1, max_scale=10.0)
BREAK = 120
"""Sessions before the break."""


def needed(volatility: Floats, horizon: int, seed: int, tickers: int = 40) -> Floats:
    """[sessions, tickers] scale that each outcome needs of a forecaster who believes in a volatility of 1."""
    random = np.random.default_rng(seed)
    shape = (len(volatility), tickers)
    daily = volatility[:, None] * (0.2 * random.standard_normal((shape[0], 1)) + random.standard_normal(shape))
    sums = np.lib.stride_tricks.sliding_window_view(daily, horizon, axis=0).sum(axis=-1)
    return np.abs(sums) / (np.hypot(1, 0.2) * np.sqrt(horizon) * Z90)


def count(sizes: Floats) -> list[list[int]]:
    bins = np.searchsorted(np.array(SCALE_EDGES), sizes, side="right")
    return [np.bincount(row, minlength=len(SCALE_EDGES) + 1).tolist() for row in bins]


def frame(sizes: Floats, horizon: int, regimes: list[str] | None = None) -> pl.DataFrame:
    """Session scores of which the last is for DAY."""
    rows: list[dict[str, Any]] = []
    for number, histogram in enumerate(count(sizes)):
        day = CALENDAR.offset(DAY, number + 1 - len(sizes))
        row = {"session": day, "horizon": horizon, "n": len(sizes[0]), "scale_histogram": histogram}
        rows += [row, *([row | {"scope": "regime", "slice": regimes[number]}] if regimes else [])]
    return scores(*rows)


def learn(sizes: Floats, horizon: int, regimes: list[str] | None = None) -> dict[str, float]:
    """Slice -> scale after the last session."""
    rows = scale_rows(frame(sizes, horizon, regimes), horizon, at(), PARAMS)
    return {str(row["slice"]): float(str(row["value"])) for row in rows}


@pytest.mark.parametrize("horizon", [1, 5, 20])
@pytest.mark.parametrize("after", [0.5, 2.0])
def test_coverage_is_back_sixty_sessions_after_volatility_breaks(horizon: int, after: float) -> None:
    covered = []
    for seed in range(8):
        volatility = np.r_[np.ones(BREAK), np.full(60 + 20 + horizon, after)]
        sizes = needed(volatility, horizon, seed)
        known = BREAK + 60 - horizon + 1
        scale = learn(sizes[:known], horizon)["all"]
        covered.append((sizes[BREAK + 60 : BREAK + 80] <= scale).mean())
    assert 0.86 < np.mean(covered) < 0.96


@pytest.mark.parametrize("horizon", [1, 5, 20])
def test_a_steady_market_is_covered_as_stated(horizon: int) -> None:
    covered = []
    for seed in range(25):
        sizes = needed(np.ones(160), horizon, seed)
        covered.append((sizes[140:] <= learn(sizes[: 140 - horizon + 1], horizon)["all"]).mean())
    assert 0.89 < np.mean(covered) < 0.94


def test_a_regime_keeps_the_width_it_had_when_it_returns() -> None:
    stressed = np.arange(160) // 40 % 2 == 1
    names = ["stressed" if one else "calm" for one in stressed]
    found = learn(needed(np.where(stressed, 2.0, 1.0), 1, 0), 1, names)
    assert found["stressed"] == pytest.approx(2.0, rel=0.1)
    assert found["all"] == pytest.approx(2.0, rel=0.1), "the last forty sessions were stressed"
    assert found["calm"] == pytest.approx(1.0, rel=0.2)


def test_a_regime_seen_for_a_few_sessions_has_no_width_of_its_own() -> None:
    names = ["calm"] * 52 + ["stressed"] * 8
    assert learn(needed(np.ones(60), 1, 0), 1, names).keys() == {"all", "calm"}


def test_a_regime_with_few_scores_lies_between_its_own_and_those_of_all() -> None:
    few, many = (np.stack([np.array(count(np.full((1, 1), size))[0])] * n) for size, n in ((3.0, 12), (1.0, 60)))
    own, overall = (
        NeededScales.weigh(ScoredSessions(1, np.arange(len(one)), one), np.arange(len(one))[::-1], PARAMS)
        for one in (few, many)
    )
    assert overall.scale(None, PARAMS) < own.scale(overall, PARAMS) <= own.scale(None, PARAMS)


def test_few_scores_leave_the_models_width_a_little_wider() -> None:
    nothing = ScoredSessions(1, np.zeros(0, dtype=np.int64), np.zeros((0, len(SCALE_EDGES) + 1), dtype=np.int64))
    found = NeededScales.weigh(nothing, np.zeros(0, dtype=np.int64), PARAMS)
    assert found.scale(None, PARAMS) == pytest.approx(1.17, abs=0.01), "19 of 20 such outcomes lie below"
    assert found.scale(None, IntervalParams(min_units=2)) == IntervalParams().max_scale, "two bound no third"


def test_late_scores_and_several_models_count_for_the_session_they_were_for() -> None:
    sizes = needed(np.ones(30), 1, 0)
    whole = frame(sizes, 1)
    halves = pl.concat(_halve(whole))
    one, other = (next(scale_rows(rows, 1, at(), PARAMS)) for rows in (whole, SESSION_SCORES.check(halves)))
    assert one == other


def _halve(whole: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The same scores by two models."""
    lists = whole["scale_histogram"].to_list()
    first = [[n // 2 for n in one] for one in lists]
    for model, part in (
        ("m-1", first),
        ("m-2", [[n - k for n, k in zip(*two, strict=True)] for two in zip(lists, first, strict=True)]),
    ):
        n = pl.Series("n", [sum(one) for one in part])
        yield whole.with_columns(n, pl.Series("scale_histogram", part), model_id=pl.lit(model))
