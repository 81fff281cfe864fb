"""Every training's candidates are in the ledger, and the more there are, the more the next one has to prove."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from lake.tables.control import MODEL_CHOICES
from lake.tables.models import MODEL_PROMOTIONS, SPECIALISTS, TRIALS
from pipeline.models.promote import promote
from pipeline.models.trials.court import hear
from pipeline.models.trials.ledger import trials
from tests.frames.models import SMALL, Market, market, moment, trained

WORLD = market(signal=0.4)


@pytest.fixture(scope="module")
def registry() -> pl.DataFrame:
    """A model that found a planted signal."""
    return trained(WORLD)


@pytest.fixture(scope="module")
def ledger(registry: pl.DataFrame) -> pl.DataFrame:
    """What its training tried."""
    return TRIALS.check(trials(registry, SPECIALISTS.empty(), moment(WORLD), SMALL))


def decided(registry: pl.DataFrame, ledger: pl.DataFrame, world: Market = WORLD, **params: Any) -> dict[str, Any]:
    """The decision on it."""
    frames = (registry, MODEL_PROMOTIONS.empty(), MODEL_CHOICES.empty(), ledger)
    [row] = MODEL_PROMOTIONS.check(promote(*frames, moment(world), replace(SMALL, **params))).to_dicts()
    return row


def tried_before(ledger: pl.DataFrame, count: int, spread: float) -> pl.DataFrame:
    """As many other candidates, whose ratios spread so far."""
    own = ledger.row(0, named=True)
    ratios = np.random.default_rng(0).normal(0, spread, count)
    rows = [own | {"model_id": f"m-{n}", "sharpe": float(ratio)} for n, ratio in enumerate(ratios)]
    return pl.concat([ledger, pl.DataFrame(rows, schema=TRIALS.schema)])


def test_a_training_enters_its_ensemble_and_each_member_with_every_held_out_session(ledger: pl.DataFrame) -> None:
    assert ledger["candidate"].to_list() == ["ensemble", "lstm", "ridge"]
    assert set(ledger["sessions"]) == {30}
    for row in ledger.to_dicts():
        assert len(row["days"]) == len(row["advantages"]) == row["sessions"]
        assert (row["days"][0], row["days"][-1]) == (row["first"], row["last"])
        assert row["gain"] == pytest.approx(np.mean(row["advantages"]))
    assert dict(ledger.select("candidate", "points").iter_rows()) == {"ensemble": 5, "lstm": 3, "ridge": 3}


def test_a_promotion_tells_how_much_was_tried_and_what_is_left_of_the_advantage(
    registry: pl.DataFrame, ledger: pl.DataFrame
) -> None:
    row = decided(registry, ledger)
    assert row["promoted"] and row["trials"] == 3
    assert row["deflated_sharpe"] > 0.9 and 0 <= row["overfitting"] <= 1
    assert f"after 3 trials it is real with probability {row['deflated_sharpe']:.2f}" in row["reason"]


def test_the_best_of_very_many_is_kept_out(registry: pl.DataFrame, ledger: pl.DataFrame) -> None:
    own = ledger.filter(pl.col("candidate") == "ensemble")["sharpe"][0]
    weak = ledger.with_columns(pl.col("sharpe") / 3)
    row = decided(registry, tried_before(weak, 300, spread=own))
    assert not row["promoted"] and row["champion"] is None
    assert row["reason"].startswith("kept: ") and row["reason"].endswith("0.5 is asked for")
    assert row["trials"] == 303 and row["min_sessions"] > ledger["sessions"][0] / 10
    assert decided(registry, tried_before(weak, 300, spread=own), min_deflated=0.0)["promoted"]


def test_trials_of_other_years_that_lie_far_apart_do_not_hide_what_chance_cannot_do(
    registry: pl.DataFrame, ledger: pl.DataFrame
) -> None:
    own = ledger.filter(pl.col("candidate") == "ensemble")
    tried = tried_before(ledger, 30, spread=3 * own["sharpe"][0])
    row = decided(registry, tried)
    assert row["promoted"] and row["min_sessions"] < own["sessions"][0], "both figures say the same"
    earlier = decided(registry, tried, deflation="trials")
    assert not earlier["promoted"] and earlier["deflated_sharpe"] < 0.1


def test_trials_that_are_much_alike_deflate_as_little_as_before(registry: pl.DataFrame, ledger: pl.DataFrame) -> None:
    tried = tried_before(ledger.filter(pl.col("candidate") == "ensemble"), 100, spread=0.01)
    found = [decided(registry, tried, deflation=one)["deflated_sharpe"] for one in ("chance", "trials")]
    assert found[0] == found[1]


def test_an_earlier_programs_challenger_is_judged_without_the_ledger(registry: pl.DataFrame) -> None:
    row = decided(registry, TRIALS.empty())
    assert row["promoted"] and row["trials"] is None and "trials" not in row["reason"]


def test_a_champion_is_met_on_the_same_sessions(ledger: pl.DataFrame) -> None:
    ours, theirs = np.full(30, 0.3), np.full(30, 0.3) + np.random.default_rng(0).normal(0.02, 0.005, 30)
    verdict = hear(ledger, ledger["model_id"][0], (ours, theirs), SMALL, seed=1)
    assert verdict is not None and verdict.against_champion is not None
    assert verdict.columns()["dm_p"] < 0.01
    assert 0 < verdict.columns()["champion_gain_low"] < 0.02 < verdict.columns()["champion_gain_high"]
