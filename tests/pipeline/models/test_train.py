"""The train stage: what it registers, when it declines, and that it does so with the same bits everywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from lake.tables.models import MODEL_PROMOTIONS, MODEL_REGISTRY
from pipeline.models.train import STAGE
from tests.frames.models import CALENDAR, FEATURES, Market, market, promotions, trained

AGAIN = """
from tests.frames.models import market, trained
print(",".join(trained(market(tickers=8, sessions=150, signal=0.3))["weights_sha256"]))
"""


@pytest.fixture(scope="module")
def world() -> Market:
    return market(tickers=8, sessions=150, signal=0.3)


@pytest.fixture(scope="module")
def rows(world: Market) -> pl.DataFrame:
    return trained(world)


def test_an_ensemble_is_registered_with_all_it_takes_to_repeat_it(world: Market, rows: pl.DataFrame) -> None:
    row = rows.row(0, named=True)
    assert rows["member"].to_list() == ["lstm", "naive", "ridge"]
    assert row["model_id"].startswith(f"m-{world.sessions[-1]:%Y%m%d}-") and len(row["model_id"]) == 19
    assert row["features"] == list(FEATURES) and row["horizons"] == [1, 5] and row["window"] == 5
    assert (row["purge"], row["embargo"], row["seed"], row["parent"]) == (5, 2, 7, None)
    assert row["train_first"] == CALENDAR.days[4] and row["train_last"] == CALENDAR.days[144]
    assert json.loads(row["input_versions"]) == {"feature_rows": 3, "market_prices": 5}
    assert row["rows_train"] == 8 * 141
    assert [sum(shares) for shares in zip(*rows["ensemble_weights"], strict=True)] == [1, 1]


def test_its_metrics_name_the_rows_and_figures_of_each_fold(rows: pl.DataFrame) -> None:
    metrics = json.loads(rows["metrics"][2])
    fold = metrics["member"]["folds"][0]
    assert fold["train_last"] < fold["test_first"] and len(fold["rows_sha256"]) == 64
    assert set(fold["figures"]) == {"1", "5"}
    assert {"pinball", "naive_pinball", "skill", "ic", "ic_error", "coverage_50", "coverage_80", "coverage_90"} <= set(
        fold["figures"]["1"]
    )
    comparison = metrics["comparison"]
    assert len(comparison["sessions"]) == len(comparison["challenger"]) == len(comparison["naive"]) == 30
    assert comparison["champion"] == [None] * 30 and comparison["champion_missing"] == "there is none"


def test_training_again_gives_the_same_bytes(world: Market, rows: pl.DataFrame) -> None:
    assert trained(world).equals(rows)


@pytest.mark.cold
@pytest.mark.parametrize("threads", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_another_process_gives_the_same_bytes_whatever_its_threads(rows: pl.DataFrame, threads: str) -> None:
    names = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    ran = subprocess.run(
        [sys.executable, "-c", AGAIN],
        env={**os.environ, **dict.fromkeys(names, threads)},
        cwd=Path(__file__).resolve().parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == ",".join(rows["weights_sha256"])


def test_another_seed_gives_another_network_and_the_same_ridge(world: Market, rows: pl.DataFrame) -> None:
    other = trained(world, seed=8)
    same = (other["weights_sha256"] == rows["weights_sha256"]).to_list()
    assert same == [False, True, True]
    assert other["model_id"][0] != rows["model_id"][0]


def test_too_little_history_trains_nothing() -> None:
    assert trained(market(tickers=8, sessions=100)).is_empty()
    assert trained(market(tickers=1, sessions=150)).is_empty()
    assert trained(market(tickers=8, sessions=4)).is_empty()


def test_rows_of_another_feature_set_train_nothing(world: Market) -> None:
    rows = world.feature_rows.with_columns(feature_set=pl.lit("f0"))
    assert trained(replace(world, feature_rows=rows)).is_empty()


def test_a_champion_is_compared_only_in_sessions_after_it_was_trained(world: Market) -> None:
    early = world.until(CALENDAR.days[130])
    first = trained(early)
    name = first["model_id"][0]
    second = trained(world, registry=first, promotions=promotions(name))
    comparison = json.loads(second["metrics"][0])["comparison"]
    asked = [day for day, loss in zip(comparison["sessions"], comparison["champion"], strict=True) if loss is not None]
    assert second["parent"][0] == name == comparison["champion_id"]
    assert asked and min(asked) == CALENDAR.days[131].isoformat()
    assert comparison["champion_can_forecast"] and comparison["champion_missing"] == ""


def test_a_champion_trained_after_every_test_session_is_not_compared(world: Market, rows: pl.DataFrame) -> None:
    second = trained(world, registry=rows, promotions=promotions(rows["model_id"][0]))
    comparison = json.loads(second["metrics"][0])["comparison"]
    assert comparison["champion"] == [None] * 30 and comparison["champion_can_forecast"]
    assert "after every test session" in comparison["champion_missing"]


def test_a_damaged_champion_does_not_block_its_successor(world: Market, rows: pl.DataFrame) -> None:
    damaged = rows.with_columns(weights=pl.lit(b"\x80\x04evil"))
    second = trained(world, registry=damaged, promotions=promotions(rows["model_id"][0]))
    comparison = json.loads(second["metrics"][0])["comparison"]
    assert not comparison["champion_can_forecast"] and "weights hash to" in comparison["champion_missing"]


def test_the_stage_reads_its_own_tables_only_from_before() -> None:
    earlier = {read.table.name for read in STAGE.reads if read.upto == "previous"}
    assert earlier == {MODEL_REGISTRY.name, MODEL_PROMOTIONS.name}
