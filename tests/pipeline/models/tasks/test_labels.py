"""Labels: what a return becomes, and that the live loop's tasks are what the live loop learns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.models.dataset import Examples, label_examples
from pipeline.models.folds import SessionSpan, walk_forward
from pipeline.models.tasks.labels import CrossSectionResidual, Direction, Outcomes, ReturnOverSigma, ThresholdClasses
from pipeline.models.tasks.live import live_outcome, live_ranking
from pipeline.models.tasks.losses import HINGE, SQUARED, quantile_loss
from pipeline.models.tasks.scores import ACCURACY, IC
from pipeline.models.tasks.splits import WalkForward
from tests.frames.models import FEATURES, SMALL, market


@pytest.fixture(scope="module")
def built() -> Examples:
    at = market(tickers=6, sessions=90, stirring=0.5)
    return label_examples(
        at.feature_rows, at.market_prices, at.corporate_actions, at.ticker_universe, at.calendar, SMALL
    )


def outcomes_of(examples: Examples) -> Outcomes:
    """The returns themselves, from their standardised form."""
    returns = examples.outcome * examples.sigma[:, None] * np.sqrt(np.array(examples.horizons))
    return Outcomes(returns, examples.sigma, examples.session, examples.horizons)


def test_the_live_tasks_state_what_the_live_loop_learns(built: Examples) -> None:
    told = outcomes_of(built)
    outcome, ranking = live_outcome(SMALL, FEATURES), live_ranking(SMALL, FEATURES)
    assert outcome.label.derive(told) == pytest.approx(built.clipped, abs=1e-12)
    assert ranking.label.derive(told) == pytest.approx(built.relative, abs=1e-12)
    assert np.abs(built.clipped).max() > 1, "returns of several sigma are among them"
    assert outcome.horizons == ranking.horizons == built.horizons
    assert outcome.window == SMALL.window and outcome.split.purge == max(built.horizons)


def test_the_live_split_is_the_live_loops_folds() -> None:
    span = SessionSpan(0, 400)
    split = live_ranking(SMALL, FEATURES).split
    assert isinstance(split, WalkForward)
    assert split.folds(span) == walk_forward(span, SMALL)
    assert len(split.folds(span)) == SMALL.folds


def test_returns_over_sigma_are_clipped_and_residuals_of_a_session_sum_to_nothing() -> None:
    told = Outcomes(
        np.array([[0.01], [0.5], [-0.02], [0.04]]), np.array([0.01, 0.01, 0.02, 0.02]), np.array([3, 3, 7, 7]), (1,)
    )
    assert ReturnOverSigma(8).derive(told).ravel() == pytest.approx([1, 8, -1, 2])
    residual = CrossSectionResidual(8).derive(told).ravel()
    assert residual == pytest.approx([-3.5, 3.5, -1.5, 1.5])


def test_thresholds_belong_to_their_side_and_what_lies_between_is_no_example() -> None:
    returns = np.array([[0.0055], [-0.005], [0.0054], [-0.0049], [0.0], [0.3], [np.nan]])
    told = Outcomes(returns, np.ones(7), np.arange(7), (1,))
    assert ThresholdClasses().derive(told).ravel() == pytest.approx([1, -1, *[np.nan] * 3, 1, np.nan], nan_ok=True)
    assert Direction().derive(told).ravel() == pytest.approx([1, -1, 1, -1, np.nan, 1, np.nan], nan_ok=True)
    with pytest.raises(ValueError, match=r"down has to lie below up"):
        ThresholdClasses(up=-0.01, down=0.01)


def test_a_task_that_contradicts_itself_is_refused_with_all_that_is_wrong() -> None:
    sound = live_ranking(SMALL, FEATURES)
    with pytest.raises(ValueError, match=r"loss 'hinge' is for labels.*score 'accuracy' is not for labels"):
        replace(sound, loss=HINGE, scores=(IC, ACCURACY))
    with pytest.raises(ValueError, match=r"a horizon of 40 sessions, but parts are kept apart for 5 only"):
        replace(sound, horizons=(1, 40))
    with pytest.raises(ValueError, match=r"horizons have to rise"):
        replace(sound, horizons=(5, 1))
    with pytest.raises(ValueError, match=r"features have to be some, each once"):
        replace(sound, features=("a", "a"))
    with pytest.raises(ValueError, match=r"no score to judge"):
        replace(sound, scores=())


def test_losses_are_the_same_function_of_arrays_and_tensors() -> None:
    import torch

    label, forecast = np.array([1.0, -1.0, 1.0, -1.0]), np.array([2.0, 0.25, -0.5, -0.5])
    assert HINGE.of(label, forecast) == pytest.approx([0, 1.25, 1.5, 0.5])
    assert quantile_loss(0.9).of(label, forecast) == pytest.approx([0.1, 0.125, 1.35, 0.05])
    for loss in (HINGE, SQUARED, quantile_loss(0.1)):
        there = loss.of(torch.from_numpy(label), torch.from_numpy(forecast))
        assert there.numpy() == pytest.approx(loss.of(label, forecast))
    with pytest.raises(ValueError, match="between 0 and 1"):
        quantile_loss(1.0)
