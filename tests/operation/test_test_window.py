"""A test window is a date: from that day on, what chooses models is refused every fact, however it asks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import polars as pl
import pytest

from lake.errors import SealedError
from lake.tables import TABLES
from lake.tables.feedback import PREDICTION_ACCURACY
from lake.tables.market import MARKET_PRICES
from lake.tables.models import TRAINING_ATTEMPTS
from pipeline.engine.runner import Runner
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.engine.stages import STAGES, TARGETED, TRAINING
from pipeline.models.params import ModelParams
from pipeline.prediction import predict
from tests.operation.conftest import Operation

LEARNING = (*TRAINING, *(stage for stage in TARGETED if stage not in TRAINING))


def sealed(operation: Operation, test_from: date) -> Runner:
    """The operation under a configuration with a test window."""
    models = replace(operation.settings.models, test_from=test_from.isoformat())
    return Runner(operation.lake, replace(operation.settings, models=models))


def facts(frames: dict[str, pl.DataFrame], test_from: date) -> list[str]:
    """The tables of which something from the test window is to be seen."""
    opens = datetime.combine(test_from, time(), UTC)
    seen = []
    for name, frame in frames.items():
        table = TABLES[name]
        later = frame.filter(pl.col(table.clock) >= test_from) if table.clock in frame.columns else frame.clear()
        known = frame.filter(pl.col(table.available) >= opens) if table.available in frame.columns else frame.clear()
        seen += [name] if later.height or known.height else []
    return seen


@pytest.mark.parametrize("stage", LEARNING, ids=lambda stage: stage.name)
def test_training_and_promotion_see_nothing_of_it(operation: Operation, stage: Stage) -> None:
    last = operation.sessions[-1]
    test_from = operation.runner.calendar.offset(last, -40)
    assert stage.learns
    frames, moment = sealed(operation, test_from).executor.read_now(stage, last, last)
    assert moment.test_from == test_from
    own = {"model_registry", "model_promotions", "training_attempts", "trials", "model_choices"}
    own |= {"specialists", "targeted_trainings"}
    assert facts({name: frame for name, frame in frames.items() if name not in own}, test_from) == []
    if "market_prices" in frames:
        assert frames["market_prices"]["session"].max() == operation.runner.calendar.previous(test_from)
        unsealed, _ = operation.runner.executor.read_now(stage, last, last)
        assert "market_prices" in facts(unsealed, test_from)


def peek(
    market_prices: pl.DataFrame, prediction_accuracy: pl.DataFrame, moment: Moment, params: ModelParams
) -> pl.DataFrame:
    """What someone might write who wants to see the test window all the same."""
    del market_prices, prediction_accuracy, moment, params
    return TRAINING_ATTEMPTS.empty()


def test_a_stage_that_learns_gets_none_of_it_whatever_its_reads_ask(operation: Operation) -> None:
    last = operation.sessions[-1]
    test_from = operation.runner.calendar.offset(last, -10)
    span = ((test_from, last),)
    greedy = Stage(
        name="peek",
        function=peek,
        reads=(
            Read(MARKET_PRICES, lookback=None, known_later=True, every_revision=True, further=lambda *_: span),
            Read(PREDICTION_ACCURACY, lookback=None),
        ),
        writes=TRAINING_ATTEMPTS,
        params=ModelParams(),
        section="models",
        learns=True,
    )
    frames, _ = sealed(operation, test_from).executor.read_now(greedy, last, last)
    assert frames["market_prices"].height and facts(frames, test_from) == []


def test_the_lake_refuses_in_words_whoever_declares_the_window_and_asks_for_it(operation: Operation) -> None:
    last = operation.sessions[-1]
    test_from = operation.runner.calendar.offset(last, -10)
    eve = datetime.combine(test_from, time(), UTC) - timedelta(microseconds=1)
    asks = ({"until": last, "as_of": eve}, {"as_of": eve}, {"until": test_from - timedelta(days=1)}, {})
    for asked in asks:
        with pytest.raises(SealedError, match=f"the test window begins on {test_from}"):
            operation.lake.read(MARKET_PRICES, sealed_from=test_from, **asked)  # type: ignore[arg-type]
    allowed = operation.lake.read(MARKET_PRICES, until=test_from - timedelta(days=1), as_of=eve, sealed_from=test_from)
    assert allowed["session"].max() < test_from  # type: ignore[operator]


def test_what_forecasts_and_scores_reads_the_window_as_any_other_day(operation: Operation) -> None:
    last = operation.sessions[-1]
    runner = sealed(operation, operation.runner.calendar.offset(last, -10))
    frames, moment = runner.executor.read_now(predict.STAGE, last, last)
    assert moment.test_from is None and frames["market_prices"]["session"].max() == last
    assert {stage.name for stage in STAGES if stage.learns} == {stage.name for stage in LEARNING}


def test_a_test_window_before_all_history_leaves_nothing_to_train_on_and_says_so(operation: Operation) -> None:
    last = operation.sessions[-1]
    runner = sealed(operation, date(2000, 1, 3))
    stage = next(one for one in TRAINING if one.name == "training_attempts")
    frames, moment = runner.executor.read_now(stage, last, last)
    frames["model_registry"] = frames["model_registry"].clear()
    [row] = stage.function(*frames.values(), moment, runner.settings.models).to_dicts()
    assert row["outcome"] == "short_history" and row["labelled_sessions"] == 0
    assert "the test window begins on 2000-01-03" in row["reason"]
