"""A search stays before every test block, tells every point, and finds better settings where there are any."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from lake.tables.models import MODEL_PROMOTIONS, MODEL_REGISTRY, SPECIALISTS, TRIALS
from lake.tables.predictions import QUANTILES
from pipeline.models.dataset import Examples, label_examples
from pipeline.models.members import MEMBERS
from pipeline.models.search.halving import list_shares, search
from pipeline.models.search.space import EmptySpaceError, Point, list_points, read_space
from pipeline.models.train import train
from pipeline.models.training import list_folds
from pipeline.models.trials.court import hear
from pipeline.models.trials.ledger import trials
from tests.frames.models import SMALL, Market, market, moment

PARAMS = replace(SMALL, search_space=("lstm.location_rate=0.0001,0.01", "lstm.dropout=0,0.2"), search_points=5)


def examples(at: Market) -> Examples:
    return label_examples(
        at.feature_rows, at.market_prices, at.corporate_actions, at.ticker_universe, at.calendar, SMALL
    )


@pytest.fixture(scope="module")
def world() -> Market:
    return market(tickers=10, sessions=180, signal=0.4)


@pytest.fixture(scope="module")
def built(world: Market) -> Examples:
    return examples(world)


@pytest.fixture(scope="module")
def registry(world: Market) -> pl.DataFrame:
    frames = (world.feature_rows, world.market_prices, world.corporate_actions, world.ticker_universe)
    asked = replace(moment(world), search=True)
    return MODEL_REGISTRY.check(train(*frames, MODEL_REGISTRY.empty(), MODEL_PROMOTIONS.empty(), asked, PARAMS))


def test_a_space_is_read_or_refused_in_words() -> None:
    assert read_space(["lstm.dropout=0,0.1", "ridge.blocks=3"]) == {"lstm.dropout": (0.0, 0.1), "ridge.blocks": (3,)}
    with pytest.raises(EmptySpaceError, match=r"models\.search_space is empty"):
        read_space([])
    for line, words in (
        ("lstm.nothing=1", r"is not searched; these are: .*lstm.dropout"),
        ("lstm.version=1", "is not searched"),
        ("lstm.dropout=", "has no values"),
        ("lstm.dropout=1.5", r"lstm.dropout=1.5: .*less than 1"),
        ("lstm.hidden=2.5", r"lstm.hidden=2.5: "),
    ):
        with pytest.raises(ValueError, match=words):
            read_space([line])
    with pytest.raises(ValueError, match=r"has lstm\.dropout twice"):
        read_space(["lstm.dropout=0", "lstm.dropout=0.1"])


def test_a_small_space_is_tried_whole_and_a_large_one_is_drawn_once_each() -> None:
    space: dict[str, tuple[float | int, ...]] = {"lstm.dropout": (0.0, 0.1), "lstm.hidden": (4, 8, 16)}
    assert len(list_points(space, 9, 1)) == 7
    drawn = list_points(space, 5, 1)
    assert drawn[0] == Point(()), "the settings as they are take part"
    assert len(set(drawn)) == 5
    assert drawn == list_points(space, 5, 1) != list_points(space, 5, 2)
    applied = drawn[1].apply(SMALL).lstm
    assert (applied.dropout, applied.hidden) == tuple(value for _, value in drawn[1].settings)


def test_each_round_tries_fewer_points_on_more_windows() -> None:
    assert list_shares(9, 3) == pytest.approx([1 / 3, 1.0])
    assert list_shares(27, 3) == pytest.approx([1 / 9, 1 / 3, 1.0])
    assert list_shares(2, 3) == [1.0]


def test_nothing_after_the_first_test_block_begins_changes_the_search(built: Examples) -> None:
    found = search(built, QUANTILES, PARAMS, 7, MEMBERS)
    assert found is not None
    first = list_folds(built, PARAMS)[0]
    late = built.session > first.train.last
    outcome, clipped, relative = (
        np.where(late[:, None], 9.0, values) for values in (built.outcome, built.clipped, built.relative)
    )
    spoilt = replace(built, outcome=outcome, clipped=clipped, relative=relative)
    again = search(spoilt, QUANTILES, PARAMS, 7, MEMBERS)
    assert again is not None
    assert again.tell(spoilt) == found.tell(built)
    last = max(int(one.sessions.max()) for one in found.trials)
    assert last == first.train.last < first.test.first - PARAMS.purge


def test_better_settings_are_found() -> None:
    """One of the inputs foretells how wide the next return is; networks that hardly move cannot learn it."""
    stirred = examples(market(tickers=10, sessions=180, stirring=0.8))
    lazy = replace(SMALL.lstm, learning_rate=1e-6, epochs=8, patience=8)
    params = replace(SMALL, lstm=lazy, search_space=("lstm.learning_rate=0.000001,0.03",), search_points=3)
    found = search(stirred, QUANTILES, params, 7, MEMBERS)
    assert found is not None
    assert found.best == Point((("lstm.learning_rate", 0.03),))
    assert found.best.apply(params).lstm.learning_rate == 0.03
    scores = {one.point.describe(): one.score for one in found.trials}
    assert scores["lstm.learning_rate 0.03"] < scores["as set"]


def test_too_little_history_is_no_search(world: Market) -> None:
    short = examples(world.until(world.sessions[60]))
    assert search(short, QUANTILES, PARAMS, 7, MEMBERS) is None


def test_every_point_is_a_row_of_the_ledger_and_deflates_nothing(registry: pl.DataFrame, world: Market) -> None:
    rows = TRIALS.check(trials(registry, SPECIALISTS.empty(), moment(world), PARAMS))
    points = rows.filter(pl.col("settings").is_not_null())
    assert sorted(points["candidate"]) == [f"search {number}" for number in range(1, 6)]
    told = [json.loads(one) for one in points["settings"]]
    assert {tuple(sorted(one["settings"])) for one in told} == {(), ("lstm.dropout", "lstm.location_rate")}
    assert {one["share"] for one in told} <= set(list_shares(5, PARAMS.search_halving))
    held = rows.filter(pl.col("settings").is_null())
    assert points["last"].max() < held["first"].min(), "its sessions lie before every held-out one"  # type: ignore[operator]
    losses = (np.full(30, 0.3), None)
    model_id = registry["model_id"][0]
    both, alone = hear(rows, model_id, losses, PARAMS, 7), hear(held, model_id, losses, PARAMS, 7)
    assert both is not None and both == alone


def test_what_a_search_chose_is_what_was_trained_and_is_told(registry: pl.DataFrame) -> None:
    best = json.loads(registry["metrics"][0])["search"]["best"]
    params = json.loads(registry["config"][0])["params"]
    for name, value in best.items():
        section, field = name.split(".")
        assert params[section][field] == value
