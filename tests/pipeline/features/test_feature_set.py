"""A set of features is named by what its features compute."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.features.catalogue import ALL, BUILT_IN
from pipeline.features.feature import Feature, Kernel
from pipeline.features.feature_set import CODE_OF_F1, F1, code_of_f1, contains, current_set, extend, feature_set
from pipeline.features.panel import Floats
from pipeline.features.provenance import uses
from pipeline.features.provenance.uses import Use
from pipeline.features.trailing_window import View, mean
from pipeline.features.try_feature import try_feature
from pipeline.plugins.extensions import Extensions
from tests.frames.features import CALENDAR

LENGTH = 5


def week(view: View) -> Floats:
    return mean(view.returns(LENGTH))


def over(sessions: int) -> Kernel:
    return lambda view: mean(view.returns(sessions))


def declared(kernel: Kernel, *, name: str = "week", warm_up: int = LENGTH) -> Feature:
    return Feature(name, "test", unit="log return", formula="mean return", warm_up=warm_up, kernel=kernel)


def part(feature: Feature) -> str:
    return extend([feature]).definitions[feature.name]


def test_the_code_of_the_first_set_is_vouched_for() -> None:
    assert code_of_f1() == CODE_OF_F1, (
        f"the code that computes the features of f1 changed. If the golden lakes still come out the same "
        f'(tests/lake/migrations/test_run.py), set CODE_OF_F1 = "{code_of_f1()}" in pipeline/features/feature_set.py; '
        "else the set gets a name of its own, and models have to be trained again"
    )


def test_the_built_in_features_are_the_first_set_and_those_declared_since() -> None:
    names = tuple(feature.name for feature in BUILT_IN)
    assert [name for name in names if name in F1] == list(F1)
    assert current_set().names == (*F1, *(name for name in names if name not in F1))


@pytest.mark.parametrize("family", sorted({feature.family for feature in BUILT_IN}))
def test_every_feature_looks_back_no_further_than_its_warm_up(family: str) -> None:
    for feature in BUILT_IN:
        if feature.family == family:
            try_feature(feature, CALENDAR)


def test_the_trial_tells_a_warm_up_that_is_too_short() -> None:
    with pytest.raises(TypeError, match="'week' looks back further than the 4 sessions of its warm_up"):
        try_feature(declared(week, warm_up=4), CALENDAR)
    try_feature(declared(week, warm_up=5), CALENDAR)


def test_the_trial_tells_a_feature_that_looks_ahead() -> None:
    def peek(view: View) -> Floats:
        return view.panel.growth[view.panel.row(view.session, view.calendar) + 1]

    with pytest.raises(TypeError, match="'week' looks ahead: it changes with sessions after its own"):
        try_feature(declared(peek), CALENDAR)


@pytest.mark.parametrize(
    ("kernel", "complaint"),
    [
        (lambda view: view.close(3), r"gives float64 of shape \(3, 3\) for 3 tickers"),
        (lambda _: 1.0, "gives float for 3 tickers"),
        (lambda view: np.random.default_rng().random(len(view.has_row)), "gives other values the second time"),
    ],
)
def test_the_trial_tells_what_is_no_value_for_each_ticker(kernel: Kernel, complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint):
        try_feature(declared(kernel), CALENDAR)


@pytest.mark.parametrize(
    ("told", "column"),
    [
        ((), "close"),
        ((uses.grown("close", LENGTH),), "close"),
        ((uses.traded("close", LENGTH + 1), uses.news("score strength", 1)), ""),
        ((uses.grown("close", LENGTH + 1),), ""),
    ],
)
def test_the_trial_tells_a_feature_that_is_made_of_more_than_it_says(told: tuple[Use, ...], column: str) -> None:
    feature = replace(declared(lambda view: view.returns(LENGTH).std(axis=0)), uses=told)
    if not column:
        try_feature(feature, CALENDAR)
        return
    with pytest.raises(TypeError, match=f"'week' is made of more than its uses name: it moves with the {column}"):
        try_feature(feature, CALENDAR)


def test_every_kernel_of_the_program_says_what_it_is_made_of() -> None:
    assert [one.name for one in ALL if callable(one.kernel) and one.uses is None] == []


def test_a_kernel_that_says_nothing_is_made_of_what_it_asks_for() -> None:
    def own(view: View) -> Floats:
        return view.high(10).max(axis=0) / view.close(3)[0] + view.last("news_signal", 2)[0]

    def among(view: View) -> Floats:
        values = view.returns(2)[1]
        return values - values[view.members].mean()

    assert set(try_feature(declared(own, warm_up=9), CALENDAR).uses or ()) == {
        uses.grown("high", 10), uses.grown("close", 1), uses.grown("close", 3), uses.news("score strength", 2),
    }  # fmt: skip
    told = uses.growth("close", 2)
    assert try_feature(declared(among, warm_up=2), CALENDAR).uses == (told, replace(told, of="everyone"))
    assert try_feature(replace(declared(week), uses=(told, uses.growth("close", 5))), CALENDAR).uses is not None


@pytest.mark.parametrize(
    "give",
    [
        lambda view: view.last("volume", 1), lambda view: view.returns(5), lambda view: view.close(5),
        lambda view: view.high(5), lambda view: view.low(5), lambda view: view.volume(5),
        lambda view: view.compute_once("week", week),
    ],
)  # fmt: skip
def test_a_kernel_cannot_change_what_others_are_computed_from(give: Kernel) -> None:
    def spoil(view: View) -> Floats:
        matrix = give(view)
        matrix -= 1.0
        return matrix[0]

    with pytest.raises(TypeError, match=r"feature 'week' fails on made-up sessions: ValueError: .*read-only"):
        try_feature(declared(spoil), CALENDAR)


def test_words_do_not_count_and_what_is_computed_does() -> None:
    once = part(declared(week))
    assert part(replace(declared(week), formula="said otherwise", family="other")) == once
    assert len({once, part(declared(week, name="other")), part(declared(week, warm_up=6))}) == 3
    assert part(declared(over(5))) != part(declared(over(6)))


def test_a_set_is_named_by_its_parts_and_contains_those_with_fewer() -> None:
    one, two = declared(week, name="one"), declared(over(3), name="two")
    small, large = feature_set(extend([one])), feature_set(extend([two, one]))
    assert small.name_of(["one"]) == f"f1+{part(one)}"
    assert contains(large.name, small.name) and contains(small.name, "f1") and contains(large.name, large.name)
    assert not contains(small.name, large.name) and not contains("f1", small.name) and not contains("f2", "f1")
    assert large.name_of(["return_1"]) == "f1" and large.name_of(["return_1", "one"]) == small.name_of(["one"])


def test_a_run_that_recorded_nothing_has_the_first_set() -> None:
    assert feature_set(Extensions()).names == F1 and feature_set(Extensions()).name == "f1"


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"name": "Two words"}, "use lower-case letters, digits and underscores"),
        ({"unit": ""}, "its unit is ''"),
        ({"warm_up": 252}, "warm_up is 252; choose 0 to 251"),
        ({"uses": ("close",)}, "its uses hold 'close'; give what pipeline.features.provenance.uses makes"),
        ({"kernel": 3}, "its kernel is 3"),
    ],
)
def test_a_declaration_that_is_wrong_is_refused(wrong: dict[str, object], complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint):
        replace(declared(week), **wrong)
