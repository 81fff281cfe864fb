"""A training that registers nothing is on record, with what it lacked; as many sessions later there is enough."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from lake.tables.models import MODEL_REGISTRY, TRAINING_ATTEMPTS
from pipeline.models.attempts.record_attempt import training_attempts
from tests.frames.models import SMALL, Market, market, moment, trained


def attempted(at: Market, registry: pl.DataFrame | None = None) -> dict[str, Any]:
    """Run the stage at the market's last session."""
    registered = MODEL_REGISTRY.empty() if registry is None else registry
    frames = (at.feature_rows, at.market_prices, at.corporate_actions, at.ticker_universe, registered)
    [row] = TRAINING_ATTEMPTS.check(training_attempts(*frames, moment(at), SMALL)).to_dicts()
    return row


def test_too_little_history_is_on_record_with_how_much_is_lacking() -> None:
    short = attempted(market(tickers=8, sessions=100))
    assert (short["outcome"], short["model_id"]) == ("short_history", None)
    assert short["labelled_sessions"] + short["lacking_sessions"] == SMALL.min_sessions
    assert f"{short['labelled_sessions']} sessions with known outcomes, 120 are needed" in short["reason"]


def test_after_the_sessions_that_were_lacking_it_trains() -> None:
    world = market(tickers=12, sessions=150)
    early = world.until(world.sessions[109])
    assert trained(early).is_empty()
    lacking = attempted(early)["lacking_sessions"]
    assert trained(world.until(world.sessions[109 + lacking - 1])).is_empty()
    assert not trained(world.until(world.sessions[109 + lacking])).is_empty()


def test_too_few_windows_are_told_with_their_number() -> None:
    few = attempted(market(tickers=1, sessions=150))
    assert few["outcome"] == "few_windows"
    assert "100 are needed (models.min_rows)" in few["reason"] and few["lacking_sessions"] > 0


def test_prices_that_stand_still_lack_nothing_that_time_would_bring() -> None:
    world = market(tickers=12, sessions=150)
    still = world.market_prices.with_columns(close=pl.lit(50.0))
    found = attempted(replace(world, market_prices=still))
    assert (found["outcome"], found["lacking_sessions"]) == ("still_prices", 0)


def test_no_history_at_all_lacks_all_of_it() -> None:
    found = attempted(market(tickers=8, sessions=4))
    assert (found["labelled_sessions"], found["windows"], found["lacking_sessions"]) == (0, 0, SMALL.min_sessions)


@pytest.mark.parametrize("sessions", [150, 180])
def test_a_model_is_named_by_the_attempt_that_made_it(sessions: int) -> None:
    world = market(tickers=12, sessions=sessions)
    registry = trained(world)
    row = attempted(world, registry)
    assert (row["outcome"], row["model_id"]) == ("registered", registry["model_id"][0])
    assert row["windows"] == registry["rows_train"][0] and row["lacking_sessions"] == 0
