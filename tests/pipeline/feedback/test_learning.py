"""The loop closes: a planted error is found, corrected, measured, and let go of when it is gone."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.feedback import bias, daily_scores, metrics, validate
from tests.frames.market import CALENDAR
from tests.pipeline.feedback.world import SECTORS, World

ROOT = Path(__file__).resolve().parents[3]
BIAS_ALONE = (validate.STAGE, daily_scores.STAGE, bias.STAGE)


def until(world: World, most: int, stop: Callable[[], bool], bias: float) -> int:
    """Step until the condition holds; how many steps that took, `most` if it never did."""
    for steps in range(1, most + 1):
        world.step(bias=bias)
        if stop():
            return steps
    return most


def active(world: World, scope: str = "all") -> list[str]:
    return world.latest("bias_flags").filter(pl.col("active") & (pl.col("scope") == scope))["slice"].to_list()


def test_a_planted_bias_is_flagged_corrected_measured_and_let_go_of_when_it_is_gone() -> None:
    world = World(tickers=24, horizons=(1,))
    assert until(world, 41, lambda: bool(active(world)), bias=0.01) <= 41  # 40 scored sessions
    for _ in range(25):
        world.step(bias=0.01)
    corrected = world.tables["predictions"].tail(24)
    assert corrected["point"].mean() == pytest.approx(0.0, abs=0.003)
    assert corrected["bias_adjustment"].mean() == pytest.approx(0.01, abs=0.003)
    assert until(world, 30, lambda: not active(world), bias=0.0) < 30
    for _ in range(3):
        world.step()
    assert not active(world)
    life = (
        world.tables["learning_insights"]
        .filter((pl.col("kind") == "bias") & (pl.col("scope") == "all"))
        .sort("session")
    )
    assert life["status"].to_list()[:3] == ["open", "acted", "measured"]
    assert life["status"][-1] == "retired"
    assert life["effect"][2] == "helped"
    assert abs(life["after"][2]) < abs(life["before"][2])


def test_a_sectors_bias_is_laid_on_the_sector_and_not_on_its_neighbours() -> None:
    world = World(tickers=40, horizons=(1,), own=0.01, stages=BIAS_ALONE)
    planted = np.array([0.01 if sector == "tech" else 0.0 for sector in world.sectors])
    for _ in range(35):
        world.step(bias=planted)
    flags = world.latest("bias_flags").filter(pl.col("scope") == "sector")
    by = {row["slice"]: row for row in flags.to_dicts()}
    assert by["tech"]["active"]
    assert by["tech"]["adjustment"] < 0
    assert all(by[name]["mean_error"] > by["tech"]["mean_error"] for name in SECTORS if name != "tech")
    assert active(world, "ticker") == []


def test_one_tickers_bias_is_found_among_the_others() -> None:
    world = World(tickers=24, horizons=(1,), own=0.01, stages=BIAS_ALONE)
    planted = np.zeros(24)
    planted[5] = 0.015
    for _ in range(40):
        world.step(bias=planted)
    assert active(world, "ticker") == ["T005"]
    assert active(world) == []


def test_coverage_comes_back_within_sixty_sessions_of_a_change_of_volatility() -> None:
    world = World(tickers=24, horizons=(1, 5), seed=1, stages=(validate.STAGE, daily_scores.STAGE, metrics.STAGE))
    for _ in range(22):
        world.step()
    for _ in range(50):
        world.step(turbulence=1.6)
    first = CALENDAR.days[world.start + 22]
    scored = world.tables["prediction_accuracy"].filter(pl.col("made_session") >= first)
    since = scored.with_columns(after=(pl.col("target_session").rank("dense").over("horizon")).cast(pl.Int64))
    for horizon in world.horizons:
        mine = since.filter(pl.col("horizon") == horizon)
        shock = mine.filter(pl.col("after") <= 8)["inside_90"].mean()
        recovered = mine.filter(pl.col("after") > 30)["inside_90"].mean()
        assert isinstance(shock, float) and shock < 0.82
        assert isinstance(recovered, float) and 0.87 <= recovered <= 0.93


@pytest.mark.slow
def test_honest_forecasts_are_seldom_called_biased() -> None:
    flagged = sessions = 0
    for seed in range(4):
        world = World(tickers=48, horizons=(1, 5), market=0.012, seed=seed)
        for _ in range(90):
            world.step()
            flagged += len(active(world))
            sessions += 2
    assert flagged / sessions < 0.05


PROGRAM = """
from lake.fingerprint import fingerprint
from lake.tables import TABLES
from tests.pipeline.feedback.world import World
world = World(tickers=8, horizons=(1, 3))
for _ in range(23):
    world.step(bias=0.01)
for name in ("prediction_accuracy", "session_scores", "feedback_metrics", "bias_flags", "learning_insights"):
    table = TABLES[name]
    print(name, fingerprint(world.tables[name], table.key, table.content_columns))
"""


@pytest.mark.cold
def test_every_process_and_thread_count_gives_the_same_bits() -> None:
    here = io.StringIO()
    with redirect_stdout(here):
        exec(PROGRAM, {})
    threads = "1" if pl.thread_pool_size() > 1 else "2"
    there = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | {"POLARS_MAX_THREADS": threads, "PYTHONHASHSEED": "random"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert there.count("\n") == 5
    assert there == here.getvalue()
