"""Many slices are worked out together as each would be alone, to the bit."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from pipeline.feedback.learning.evidence import Evidence
from pipeline.feedback.learning.grid import Floats, Mask, row_means
from pipeline.feedback.learning.level_test import measure_level
from pipeline.feedback.learning.mean_test import Sharing, judge_mean, measure_mean
from pipeline.feedback.learning.questions import BIAS, EXCLUSION, WIDTH, SliceQuestion
from pipeline.feedback.learning.slices import HorizonErrors
from pipeline.feedback.params import FeedbackParams
from pipeline.prediction.traits import OF_SESSIONS, WEEKDAYS, kind_of, pair_traits, split_slice
from tests.frames.feedback import accuracy
from tests.frames.market import CALENDAR, DAY

SECTORS = ("energy", "health", "tech")


def scored(seed: int, sessions: int, tickers: int, horizon: int = 1, *, torn: bool = False) -> pl.DataFrame:
    """Scores with gaps; where `torn`, a trait that all forecasts of a session share is not told of some of them."""
    random, rows = np.random.default_rng(seed), []
    for back in range(sessions):
        day = CALENDAR.offset(DAY, -back)
        for number in range(tickers):
            if random.random() < 0.1:
                continue
            traits = [f"news:{'yes' if random.random() < 0.3 else 'no'}", f"sector:{SECTORS[number % 3]}"]
            traits += [] if torn and number % 4 == 0 else [f"weekday:{WEEKDAYS[day.weekday()]}"]
            told: dict[str, object] = {"ticker": f"T{number:03d}", "sector": SECTORS[number % 3], "session": day}
            told["horizon"] = horizon
            told |= {"role": "shadow" if random.random() < 0.05 else "champion", "traits": traits}
            figures = {"point": float(random.normal(0, 0.01)), "realised": float(random.normal(0, 0.02))}
            rows.append(told | figures | {"pinball": float(random.random() / 100), "lessons": []})
    return accuracy(*rows)


def alone(errors: HorizonErrors, question: SliceQuestion, name: str) -> tuple[float, ...]:
    """What is found of a trait or a pair by definition: masks of all its traits, and tests of a single column."""
    traits, grid = split_slice("pair", name), errors.grid
    lasting = [one for one in traits if kind_of(one) not in OF_SESSIONS]
    chosen, wide = (
        np.logical_and.reduce([~np.isnan(errors.errors), *(grid.having(one) for one in which)])
        for which in (traits, lasting)
    )
    series, outcomes = (
        plain_series(beyond(errors, means, lasting), chosen, wide, nested=errors.nested and lasting != [*traits])
        for means in (errors.errors, grid.outcomes)
    )
    at = np.flatnonzero(~np.isnan(series))
    if not at.size:
        return 0.0, 0.0, 0.0, 0
    one, positions = series[at][:, None], grid.positions[at]
    if question is BIAS:
        level = measure_level(one, outcomes[at][:, None], positions, grid.horizon)
        return float(level.mean[0]), float(level.standard_error[0]), float(level.p[0]), at.size
    found = judge_mean(one, ~np.isnan(one), Sharing.of(~np.isnan(one), positions, grid.horizon, question.overlap_power))
    p = float(found.p[0])
    p = p if not question.one_sided else p / 2 if found.mean[0] > 0 else 1.0
    return float(found.mean[0]), float(found.standard_error[0]), p, at.size


def beyond(errors: HorizonErrors, values: Floats, lasting: list[str]) -> Floats:
    if not lasting or not errors.nested:
        return values
    less, known = np.full_like(values, np.nan), ~np.isnan(errors.errors)
    for sector in SECTORS:
        mine = np.array(errors.grid.sectors) == sector
        less[:, mine] = values[:, mine] - row_means(values[:, mine], known[:, mine])[:, None]
    if len(lasting) == 1 and lasting[0].startswith("sector:"):
        return values - row_means(values, known)[:, None]
    return less


def plain_series(values: Floats, chosen: Mask, wide: Mask, *, nested: bool) -> Floats:
    series, usual = row_means(values, chosen), row_means(values, wide)
    return series - float(np.nanmean(usual)) if nested and np.isfinite(usual).any() else series


@pytest.mark.parametrize("question", [BIAS, WIDTH, EXCLUSION], ids=lambda one: str(one.kind))
@pytest.mark.parametrize(
    ("horizon", "sessions", "tickers", "torn"),
    [(1, 41, 13, False), (5, 64, 9, True), (20, 35, 30, False), (1, 2, 3, True)],
)
def test_slices_tested_together_come_out_as_each_alone(
    question: SliceQuestion, horizon: int, sessions: int, tickers: int, torn: bool
) -> None:
    frame = scored(1, sessions, tickers, horizon, torn=torn)
    evidence = Evidence.gather(frame, DAY, CALENDAR, FeedbackParams()).ask(question)
    errors = evidence.by_horizon[horizon]
    names = [*errors.grid.traits, *pair_traits([*errors.grid.traits, *(f"sector:{one}" for one in SECTORS)])]
    found = evidence.test_slices(horizon, "pair", names)
    together = zip(found.mean, found.standard_error, found.p, found.scored, strict=True)
    wanted = [alone(errors, question, name) for name in names]
    assert [tuple(map(float, one)) for one in together] == [tuple(map(float, one)) for one in wanted]
    assert len(names) >= 20


def test_the_evidence_on_a_slice_is_that_of_its_test_among_others() -> None:
    evidence = Evidence.gather(scored(4, 30, 12), DAY, CALENDAR, FeedbackParams())
    names = evidence.by_horizon[1].grid.traits
    found = evidence.test_slices(1, "trait", names)
    for number, name in enumerate(names):
        one = evidence.weigh(("trait", name, 1))
        assert one is not None
        assert (one.mean, one.standard_error, one.p) == (
            found.mean[number],
            found.standard_error[number],
            found.p[number],
        )


def test_forecasts_scored_before_a_session_do_not_count() -> None:
    frame, first = scored(5, 40, 12), CALENDAR.offset(DAY, -14)
    whole, late = (
        Evidence.gather(rows, DAY, CALENDAR, FeedbackParams(), WIDTH)
        for rows in (frame, frame.filter(pl.col("session") >= first))
    )
    for key in (("trait", "news:yes", 1), ("pair", "news:no & weekday:wed", 1)):
        since, alone_there = whole.weigh(key, first), late.weigh(key)
        assert since is not None and alone_there is not None
        assert (since.scored, since.series.raw) == (alone_there.scored, alone_there.series.raw)
        assert (since.mean, since.p) == pytest.approx((alone_there.mean, alone_there.p), rel=1e-12)


def test_of_two_forecasts_of_a_ticker_the_last_by_its_id_counts() -> None:
    twice = [{"prediction_id": name, "error": error} for name, error in (("b" * 16, 0.2), ("a" * 16, 0.1))]
    for rows in (twice, twice[::-1]):
        errors = Evidence.gather(accuracy(*rows), DAY, CALENDAR, FeedbackParams()).by_horizon[1]
        assert errors.errors.tolist() == [[0.2]]


@pytest.mark.parametrize(("horizon", "power"), [(1, 1), (5, 1), (20, 1), (5, 2), (20, 2)])
def test_what_is_shared_is_counted_exactly_whatever_columns_are_beside(horizon: int, power: int) -> None:
    random = np.random.default_rng(horizon)
    positions = np.cumsum(random.integers(1, 3, 90))
    values = np.where(random.random((90, 200)) < 0.4, random.normal(size=(90, 200)), np.nan)
    whole = measure_mean(values, positions, horizon, power)
    some = random.permutation(200)[:31]
    part = measure_mean(np.ascontiguousarray(values[:, some]), positions, horizon, power)
    assert np.array_equal(whole.p[some], part.p) and np.array_equal(whole.standard_error[some], part.standard_error)
    present = ~np.isnan(values)
    counted, summed = (work_out(present, positions, horizon, power) for work_out in (Sharing.count, Sharing.of))
    for name in ("total", "trace", "freedom"):
        np.testing.assert_allclose(getattr(counted, name), getattr(summed, name), rtol=1e-9)
