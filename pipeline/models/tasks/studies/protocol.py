"""A published study as a task, done our way: train, let the validation part choose, look at the test part once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import polars as pl

from pipeline.models.tasks.baselines import Forecaster, fit_baselines
from pipeline.models.tasks.classification import ClassifierParams, LabelledWindows
from pipeline.models.tasks.classifier import TrainedClassifier, fit_classifier
from pipeline.models.tasks.labels import ThresholdClasses
from pipeline.models.tasks.losses import HINGE
from pipeline.models.tasks.scores import ACCURACY, MATTHEWS, Judged, judge
from pipeline.models.tasks.splits import DatedSplit
from pipeline.models.tasks.studies.examples import cut_examples, split_examples
from pipeline.models.tasks.studies.files import FEATURES
from pipeline.models.tasks.task import LearningTask

log = logging.getLogger(__name__)
DIRECTION = "n_adj_close"
"""The feature whose sign is a day's direction."""
SIZES_TRIED = tuple(product((4, 16, 32), (0.1, 1.0, 10.0)))
"""Units, and penalties of the output layer, among which the validation part may choose."""


@dataclass(frozen=True)
class Contender:
    """A network that enters a study: what it sees, and how it is trained."""

    name: str
    window: int
    params: ClassifierParams
    tried: int = 0
    """Sizes it was chosen from on the validation part; 0 where it was stated."""


PUBLISHED_LSTM = Contender("lstm", 10, ClassifierParams(units=32, attention=False, output_penalty=10.0))
PUBLISHED_ALSTM = Contender("alstm", 5, ClassifierParams(units=4, attention=True, output_penalty=1.0))
"""As Feng et al. (2019) trained them on ACL18: window, units, and penalty of the output layer."""


@dataclass(frozen=True)
class Standing:
    """What came of a contender or baseline on the test part."""

    name: str
    judged: Judged
    chosen: str
    """What the validation part chose of it, and among how many; empty where nothing."""


def state_task(split: DatedSplit, window: int, label: ThresholdClasses | None = None) -> LearningTask:
    """The study's question: up or down tomorrow, by eleven features of the last days."""
    return LearningTask(
        name="published study",
        features=FEATURES,
        window=window,
        horizons=(1,),
        label=label or ThresholdClasses(),
        loss=HINGE,
        scores=(ACCURACY, MATTHEWS),
        split=split,
    )


def cut_parts(rows: pl.DataFrame, task: LearningTask) -> Mapping[str, LabelledWindows]:
    """The task's examples of each part: see `split_examples` for what is refused."""
    assert isinstance(task.split, DatedSplit), "a study is split by dates"
    return split_examples(cut_examples(rows, task.features, task.window), rows, task.split)


def judge_baselines(rows: pl.DataFrame, task: LearningTask) -> list[Standing]:
    """Fit the baselines and judge them on the test part."""
    parts = cut_parts(rows, task)
    found = fit_baselines(task, parts["train"], parts["validate"], DIRECTION)
    return [Standing(one.name, _judge(parts["test"], [one.forecast]), one.chosen) for one in found]


def judge_contender(
    rows: pl.DataFrame,
    task: LearningTask,
    contender: Contender,
    seeds: Sequence[int],
    workers: int = 1,
    told: Callable[[str], None] = log.info,
) -> Standing:
    """Train a contender with each seed, then judge all of them on the test part.

    Args:
        rows: the study, as `agree` leaves it.
        task: the study's question; its window is replaced by the contender's.
        contender: what is trained.
        seeds: one training each.
        workers: trainings at a time, each in a thread of its own; results do not depend on it.
        told: is given a line per training.
    """
    task = replace(task, window=contender.window)
    parts = cut_parts(rows, task)

    def train(seed: int) -> TrainedClassifier:
        trained = fit_classifier(task, parts["train"], parts["validate"], contender.params, seed)
        score = trained.validation[trained.epoch - 1]
        told(f"{contender.name}, seed {seed}: epoch {trained.epoch} kept, validation accuracy {100 * score:.2f}")
        return trained

    with ThreadPoolExecutor(workers) as pool:
        trained = list(pool.map(train, seeds))
    chosen = f"an epoch of {contender.params.epochs} for each of {len(seeds)} seeds"
    chosen += f", and a size of {contender.tried}" if contender.tried else ""
    return Standing(contender.name, _judge(parts["test"], [one.forecast for one in trained]), chosen)


def choose_contender(
    rows: pl.DataFrame,
    task: LearningTask,
    contender: Contender,
    seed: int,
    told: Callable[[str], None] = log.info,
) -> Contender:
    """Of `SIZES_TRIED` the one that does best on the validation part, by a training of one seed each."""
    task = replace(task, window=contender.window)
    parts = cut_parts(rows, task)
    tried = [
        replace(contender, params=replace(contender.params, units=units, output_penalty=penalty))
        for units, penalty in SIZES_TRIED
    ]
    merits = []
    for one in tried:
        trained = fit_classifier(task, parts["train"], parts["validate"], one.params, seed)
        merits.append(task.chooses.merit(trained.validation[trained.epoch - 1]))
        told(
            f"{one.name}, {one.params.units} units, penalty {one.params.output_penalty:g}: "
            f"validation accuracy {100 * merits[-1]:.2f}"
        )
    return replace(tried[int(np.argmax(merits))], tried=len(tried))


def _judge(test: LabelledWindows, forecasters: Sequence[Forecaster]) -> Judged:
    return judge(test.label, np.array([forecast(test.windows) for forecast in forecasters]), test.session)
