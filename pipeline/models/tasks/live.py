"""What the live loop learns, stated as tasks: the network's spread and its point are two, of one label family."""

from __future__ import annotations

from pipeline.models.params import ModelParams
from pipeline.models.tasks.labels import CrossSectionResidual, ReturnOverSigma
from pipeline.models.tasks.losses import SQUARED, quantile_loss
from pipeline.models.tasks.scores import IC, mean_loss
from pipeline.models.tasks.splits import WalkForward
from pipeline.models.tasks.task import LearningTask


def live_outcome(params: ModelParams, features: tuple[str, ...], level: float = 0.5) -> LearningTask:
    """A quantile of what a holder earns: the return over sigma, learned by the quantile loss.

    Args:
        params: the lake's settings of models.
        features: the inputs, as `pipeline.models.dataset.list_input_features` gives them.
        level: the quantile.
    """
    loss = quantile_loss(level)
    return LearningTask(
        name="outcome",
        features=features,
        window=params.window,
        horizons=params.horizons,
        label=ReturnOverSigma(params.clip),
        loss=loss,
        scores=(mean_loss(loss), IC),
        split=WalkForward(params),
    )


def live_ranking(params: ModelParams, features: tuple[str, ...]) -> LearningTask:
    """Which tickers do better than the session's mean: what points are fitted to, by the squared error."""
    return LearningTask(
        name="ranking",
        features=features,
        window=params.window,
        horizons=params.horizons,
        label=CrossSectionResidual(params.clip),
        loss=SQUARED,
        scores=(IC, mean_loss(SQUARED)),
        split=WalkForward(params),
    )
