"""Formulas are told in lines: long parts once, by the names that their family has for them."""

from __future__ import annotations

import pytest

from pipeline.features.catalogue import BUILT_IN, NAMED_SETS
from pipeline.features.engine.expressions import Expression, fact, lag, log, mean
from pipeline.features.feature import Feature
from pipeline.reading.results.formulas import tell_formula

FEATURES = {feature.name: (feature, name) for name, features in NAMED_SETS.items() for feature in features}


def test_a_long_formula_is_told_by_names_and_each_name_once() -> None:
    lines = tell_formula(*FEATURES["pure_momentum_120_20"])
    assert lines[0] == "total(lag(RESIDUAL, 20), 100) / deviation(lag(RESIDUAL, 20), 100)"
    told = [line.split(" = ")[0] for line in lines[1:]]
    assert sorted(told) == ["BETA", "GROWTH", "MARKET", "RESIDUAL", "RETURN"]
    assert "BETA = beta(RETURN, MARKET, 60)" in lines
    assert "GROWTH = close / lag(close, 1)" in lines


@pytest.mark.parametrize("name", sorted({*NAMED_SETS} - {"residual_moves"}))
def test_names_put_back_give_the_formula_that_is_computed(name: str) -> None:
    for feature in NAMED_SETS[name]:
        formula, *names = tell_formula(feature, name)
        meanings = dict(line.split(" = ", 1) for line in names)
        for _ in meanings:
            for told, meaning in sorted(meanings.items(), key=lambda one: -len(one[0])):
                formula = formula.replace(told, meaning)
        assert isinstance(feature.kernel, Expression)
        assert formula == feature.kernel.text, feature.name


def test_what_nobody_named_is_told_as_it_is() -> None:
    own = Feature.express("own", "test", "share", mean(log(fact("close") / lag(fact("open"), 1)), 5))
    assert tell_formula(own, "mine.py") == [own.formula]
    assert tell_formula(BUILT_IN[0], "built in") == [BUILT_IN[0].formula]
