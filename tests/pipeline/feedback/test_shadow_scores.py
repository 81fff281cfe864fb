"""A challenger is compared live on the forecasts that both made, and called better where that is no chance."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from pipeline.feedback import shadow_scores
from tests.frames.feedback import at, run, scores
from tests.frames.market import CALENDAR, DAY

Floats = npt.NDArray[np.float64]


def day(number: int, of: int) -> date:
    return CALENDAR.offset(DAY, number + 1 - of)


def history(losses: Floats, model_id: str, role: str, **values: Any) -> list[dict[str, Any]]:
    """A model's mean losses of ten forecasts on each of so many sessions up to DAY."""
    who = {"model_id": model_id, "role": role}
    return [
        {"session": day(at, len(losses)), "pinball": 10 * float(loss)} | who | values for at, loss in enumerate(losses)
    ]


def compared(*rows: dict[str, Any]) -> pl.DataFrame:
    return run(shadow_scores.STAGE, {"session_scores": scores(*rows)}, at())


def losses(sessions: int, seed: int = 0) -> Floats:
    return 0.005 + 0.001 * np.random.default_rng(seed).standard_normal(sessions)


def test_a_challenger_that_loses_less_is_better_and_one_that_loses_more_is_worse() -> None:
    champion = losses(60)
    noise = 0.0002 * np.random.default_rng(1).standard_normal(60)
    for change, verdict in ((-0.0002, "better"), (0.0002, "worse")):
        rows = history(champion, "m-1", "champion") + history(champion + change + noise, "m-2", "shadow")
        found = compared(*rows).row(0, named=True)
        assert (found["model_id"], found["against"], found["verdict"]) == ("m-2", "m-1", verdict)
        assert (found["n"], found["sessions"]) == (600, 60)
        assert found["gain"] == pytest.approx((champion.mean() - (champion + change + noise).mean()) / champion.mean())
        assert found["gain_low"] < found["gain"] < found["gain_high"]
        assert found["dm_p"] < 0.001
        assert (found["dm_statistic"] > 0) == (verdict == "better")


def test_two_alike_are_seldom_told_apart() -> None:
    told = 0
    for seed in range(100):
        random = np.random.default_rng([seed, 9])
        own = losses(60, seed) + 0.0005 * random.standard_normal(60)
        found = compared(*history(losses(60, seed), "m-1", "champion"), *history(own, "m-2", "shadow"))
        told += found["verdict"][0] in ("better", "worse")
    assert told <= 10


@pytest.mark.parametrize(
    ("horizon", "sessions", "verdict"), [(1, 19, "too few"), (1, 20, "better"), (20, 79, "too few")]
)
def test_few_sessions_claim_nothing(horizon: int, sessions: int, verdict: str) -> None:
    champion = losses(sessions)
    rows = history(champion, "m-1", "champion", horizon=horizon)
    rows += history(champion - 0.001 + losses(sessions, 1) / 1e3, "m-2", "shadow", horizon=horizon)
    found = compared(*rows).row(0, named=True)
    assert found["verdict"] == verdict
    assert (found["dm_p"] is None) == (found["gain_low"] is None) == (verdict == "too few")


def test_sessions_that_both_did_not_forecast_alike_are_left_out() -> None:
    shadow = history(losses(30), "m-2", "shadow")
    shadow[3] |= {"n": 9}
    found = compared(*history(losses(40), "m-1", "champion"), *shadow)
    assert (found["sessions"][0], found["n"][0]) == (29, 290)


def test_it_is_compared_with_the_model_that_decides_now() -> None:
    rows = history(losses(60)[:40], "m-old", "champion")
    for one in rows:
        one["session"] = CALENDAR.offset(one["session"], -20)
    rows += history(losses(20), "m-new", "champion") + history(losses(60, 1), "m-old-shadow", "shadow")
    found = compared(*rows).row(0, named=True)
    assert (found["against"], found["sessions"]) == ("m-new", 20)


def test_a_shadow_without_a_score_today_and_no_shadow_at_all_are_not_told() -> None:
    rows = history(losses(30), "m-1", "champion")
    assert compared(*rows).is_empty()
    assert compared(*rows, *history(losses(10), "m-2", "shadow")[:9]).is_empty()
