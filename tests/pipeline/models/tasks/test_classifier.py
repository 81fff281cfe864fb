"""The classifier: learns what is there, nothing from shuffled labels, and the same bits everywhere."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.models.tasks.baselines import fit_baselines
from pipeline.models.tasks.classification import ClassifierParams, LabelledWindows
from pipeline.models.tasks.classifier import TrainedClassifier, fit_classifier
from pipeline.models.tasks.labels import Direction, ReturnOverSigma
from pipeline.models.tasks.live import live_ranking
from pipeline.models.tasks.losses import HINGE, SQUARED
from pipeline.models.tasks.scores import ACCURACY, Told, accuracy, mean_loss
from pipeline.models.tasks.splits import DatedSplit
from pipeline.models.tasks.task import LearningTask
from tests.frames.models import FEATURES, SMALL
from tests.frames.studies import TEST, TRAIN, VALIDATE

TASK = LearningTask(
    name="planted",
    features=("a", "b", "c"),
    window=6,
    horizons=(1,),
    label=Direction(),
    loss=HINGE,
    scores=(ACCURACY,),
    split=DatedSplit(TRAIN, VALIDATE, TEST),
)
"""The label is the sign of `b` four rows before the window's last one."""
QUICK = ClassifierParams(units=6, output_penalty=0.01, epochs=25, batch=256)


def planted(examples: int, seed: int, certainty: float = 0.9) -> LabelledWindows:
    random = np.random.default_rng(seed)
    windows = random.normal(size=(examples, TASK.window, 3)).astype(np.float32)
    side = np.where(windows[:, 1, 1] > 0, 1.0, -1.0)
    label = np.where(random.random(examples) < certainty, side, -side)
    return LabelledWindows(windows, label, np.arange(examples) // 20)


def shuffled(part: LabelledWindows, seed: int) -> LabelledWindows:
    return replace(part, label=np.random.default_rng(seed).permutation(part.label))


def hits(trained: TrainedClassifier, part: LabelledWindows) -> float:
    return accuracy(Told(part.label, trained.forecast(part.windows), part.session))


def fingerprint(trained: TrainedClassifier) -> str:
    digest = hashlib.sha256()
    for name in sorted(trained.weights):
        digest.update(name.encode() + np.ascontiguousarray(trained.weights[name]).tobytes())
    digest.update(repr(trained.validation).encode())
    return digest.hexdigest()


@pytest.mark.parametrize("attention", [True, False])
def test_what_the_window_tells_is_learned_and_shuffled_labels_are_not(attention: bool) -> None:
    train, validate, test = planted(2_400, 1), planted(600, 2), planted(2_000, 3)
    params = replace(QUICK, attention=attention)
    learned = hits(fit_classifier(TASK, train, validate, params, 0), test)
    assert learned > 0.8, "0.9 can be known"
    nothing = hits(fit_classifier(TASK, shuffled(train, 4), shuffled(validate, 5), params, 0), test)
    assert abs(nothing - 0.5) < 4 * 0.5 / 2_000**0.5


def test_the_epoch_that_validation_likes_best_is_kept_and_the_first_of_equals() -> None:
    train, validate = planted(600, 1), planted(300, 2)
    trained = fit_classifier(TASK, train, validate, replace(QUICK, epochs=8), 3)
    assert len(trained.validation) == 8
    assert trained.epoch == 1 + int(np.argmax(trained.validation))
    assert hits(trained, validate) == pytest.approx(max(trained.validation))
    again = fit_classifier(TASK, train, validate, replace(QUICK, epochs=trained.epoch), 3)
    assert fingerprint(replace(again, validation=trained.validation)) == fingerprint(trained)


def test_a_score_of_which_less_is_better_chooses_the_least() -> None:
    train, validate = planted(600, 1), planted(300, 2)
    task = replace(TASK, scores=(mean_loss(TASK.loss),))
    trained = fit_classifier(task, train, validate, replace(QUICK, epochs=6), 3)
    assert trained.validation[trained.epoch - 1] == min(trained.validation) < trained.validation[0]


def test_a_forecast_does_not_depend_on_the_windows_beside_it() -> None:
    trained = fit_classifier(TASK, planted(300, 1), planted(200, 2), replace(QUICK, epochs=2), 0)
    windows = planted(1_500, 6).windows
    apart = [trained.forecast(windows[start : start + 100]) for start in range(0, 1_500, 100)]
    assert trained.forecast(windows).tolist() == np.concatenate(apart).tolist()
    assert trained.forecast(windows[:0]).shape == (0,)


PROGRAM = """
from tests.pipeline.models.tasks import test_classifier as own
train, validate = own.planted(600, 1), own.planted(300, 2)
for seed in (7, 8):
    trained = own.fit_classifier(own.TASK, train, validate, own.replace(own.QUICK, epochs=4), seed)
    print(own.fingerprint(trained))
"""


def test_the_same_seed_gives_the_same_bits_in_two_processes_and_another_seed_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = Path(__file__).parents[4]
    there = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, cwd=root, check=True).stdout
    exec(PROGRAM, {})
    assert capsys.readouterr().out == there
    first, second = there.split()
    assert len(first) == 64 and first != second


def test_the_network_has_the_published_shape_and_starts_from_the_generator_alone() -> None:
    import torch

    from pipeline.models.tasks.classifier_network import initial

    torch.manual_seed(1)
    params = ClassifierParams(units=4, attention=True)
    one = initial(11, params, np.random.default_rng(3))
    torch.manual_seed(2)
    two = initial(11, params, np.random.default_rng(3))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    sizes = {name: tuple(value.shape) for name, value in one.named_parameters()}
    assert sizes["inner.weight"] == (11, 11) and sizes["lstm.weight_ih_l0"] == (16, 11)
    assert sizes["attended.weight"] == (4, 4) and sizes["importance.weight"] == (1, 4)
    assert sizes["output.weight"] == (1, 8)
    assert one.lstm.bias_ih_l0.tolist() == [0] * 4 + [1] * 4 + [0] * 8, "the forget gate starts open"


def test_attention_weighs_the_states_by_what_they_are() -> None:
    """Against the published formula, step by step in numpy."""
    import torch

    from pipeline.models.tasks.classifier_network import initial

    random = np.random.default_rng(5)
    model = initial(3, ClassifierParams(units=4), random)
    windows = random.normal(size=(7, 6, 3)).astype(np.float32)
    with torch.no_grad():
        states = model.lstm(torch.tanh(model.inner(torch.from_numpy(windows))))[0].numpy().astype(float)
        told = model(torch.from_numpy(windows)).numpy()
    of = {name: value.detach().numpy().astype(float) for name, value in model.named_parameters()}
    score = np.tanh(states @ of["attended.weight"].T + of["attended.bias"]) @ of["importance.weight"][0]
    weight = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
    read = np.concatenate([states[:, -1], (weight[:, :, None] * states).sum(axis=1)], axis=1)
    assert told == pytest.approx(read @ of["output.weight"][0] + of["output.bias"], abs=1e-5)


def test_a_line_finds_what_is_linear_and_baselines_do_what_they_say() -> None:
    train, validate, test = planted(2_400, 1), planted(600, 2), planted(1_000, 3)
    found = {one.name: one for one in fit_baselines(TASK, train, validate, "a")}
    line = found["ridge line"].forecast(test.windows)
    assert accuracy(Told(test.label, line, test.session)) > 0.8
    assert "of 6 tried" in found["ridge line"].chosen
    last = test.windows[:, -1, 0]
    assert (found["last sign"].forecast(test.windows) > 0).tolist() == (last > 0).tolist()
    assert (found["last sign reversed"].forecast(test.windows) > 0).tolist() == (last < 0).tolist()
    common = 1 if train.label.mean() > 0 else -1
    assert set(found["majority"].forecast(test.windows)) == {common}


def test_labels_of_one_class_and_tasks_of_amounts_are_refused() -> None:
    train, validate = planted(100, 1), planted(100, 2)
    with pytest.raises(ValueError, match=r"the 100 labels of the validation part are of \[1.0\]; two classes"):
        fit_classifier(TASK, train, replace(validate, label=np.ones(100)), QUICK, 0)
    with pytest.raises(ValueError, match="not one of two classes over one horizon"):
        fit_classifier(live_ranking(SMALL, FEATURES), train, validate, QUICK, 0)
    with pytest.raises(ValueError, match=r"contradicts itself"):
        replace(TASK, label=ReturnOverSigma(), loss=SQUARED)


@pytest.mark.parametrize(
    ("field", "value"), [("units", 0), ("epochs", 0), ("batch", 0), ("output_penalty", -1.0), ("learning_rate", 0.0)]
)
def test_sizes_that_are_none_are_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        ClassifierParams(**{field: value})
