"""Members may be an operator's own code: one that fails is named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from pipeline.models.dataset import Examples, label_examples
from pipeline.models.folds import SessionSpan
from pipeline.models.members.member import FitTask, Fitted, ask_quantiles, fit_members, tell_settings
from tests.frames.models import SMALL, market


class Mine:
    """A member whose fit does what a test wants."""

    name = "mine"
    simple = True

    def __init__(self, answer: Any, shapes: Mapping[str, Any] | None = None) -> None:
        self.answer = answer
        self.own_shapes = shapes or {}

    def fit(self, task: FitTask) -> Any:  # noqa: ARG002
        return self._answer()

    def quantiles(self, arrays: Any, windows: Any) -> Any:  # noqa: ARG002
        return self._answer()

    def shapes(self, arrays: Any, sizes: Any) -> Any:  # noqa: ARG002
        return self.own_shapes

    def settings(self, choices: Any) -> Any:  # noqa: ARG002
        return self.answer

    def _answer(self) -> Any:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


@pytest.fixture(scope="module")
def examples() -> Examples:
    at = market(tickers=3, sessions=60, signal=0.3)
    return label_examples(
        at.feature_rows, at.market_prices, at.corporate_actions, at.ticker_universe, at.calendar, SMALL
    )


def fit(examples: Examples, answer: Any, shapes: Mapping[str, Any] | None = None) -> None:
    task = FitTask(examples=examples, span=SessionSpan(0, 1), quantiles=(0.5,), params=SMALL, seed=(0, 0))
    fit_members([Mine(answer, shapes)], task, [])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (KeyError("oops"), "the member 'mine' fails to fit: KeyError: 'oops'"),
        (SystemExit(3), "the member 'mine' fails to fit: SystemExit: 3"),
        (5, r"the member 'mine' was fitted to 5; return Fitted\(arrays, choices\)"),
        (None, "the member 'mine' was fitted to None"),
    ],
)
def test_a_member_that_fails_or_returns_something_else_is_named(examples: Examples, answer: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        fit(examples, answer)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"z": np.zeros(3, dtype=np.int64)}, "was fitted to 'z' of int64; arrays of float32 or float64 are stored"),
        ({"z": np.array([object()])}, "was fitted to 'z' of object"),
        ({"z": [1.0]}, "was fitted to 'z' of list"),
        ({"z": np.zeros((2, 2))}, r"by its method shapes 'z' should have the shape \(3,\) and is \(2, 2\)"),
        ({}, r"by its method shapes 'z' should have the shape \(3,\) and is nothing"),
    ],
)
def test_arrays_that_could_not_be_read_again_are_refused_when_they_are_fitted(
    examples: Examples, arrays: Any, words: str
) -> None:
    with pytest.raises(ValueError, match=f"the member 'mine'.* {words}"):
        fit(examples, Fitted(arrays), {"z": (3,)})


RISING = np.array([[[-1.0, 0.0, 1.0]]])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (KeyError("z"), "fails to forecast: KeyError: 'z'"),
        (SystemExit(2), "fails to forecast: SystemExit: 2"),
        (None, "returned NoneType for quantiles"),
        (RISING.astype(int), "returned int64 for quantiles"),
        (RISING[0], r"returned quantiles of the shape \(1, 3\); it has to be \(1, 1, 3\)"),
        (RISING * np.nan, "1 of 1 forecasts are no finite numbers"),
        (np.full((1, 1, 3), np.inf), "1 of 1 forecasts are no finite numbers"),
        (-RISING, "1 of 1 forecasts fall from one quantile to the next"),
    ],
)
def test_a_forecast_that_is_none_is_told_with_the_member(answer: Any, words: str) -> None:
    with pytest.raises(ValueError, match=f"the member 'mine'.* {words}|the member 'mine' {words}"):
        ask_quantiles(Mine(answer), {}, np.zeros((1, 2, 4), dtype=np.float32), 1, 3)


def test_a_forecast_is_handed_on_as_it_is() -> None:
    found = ask_quantiles(Mine(RISING), {}, np.zeros((1, 2, 4), dtype=np.float32), 1, 3)
    assert found is RISING


@pytest.mark.parametrize("told", [{"rate": float("nan")}, {"rate": object()}])
def test_settings_that_are_no_json_are_told_with_the_member(told: Any) -> None:
    assert tell_settings(Mine({"rate": 0.5}), {}) == {"rate": 0.5}
    with pytest.raises(ValueError, match=r"the member 'mine': its settings .* cannot be stored"):
        tell_settings(Mine(told), {})


def test_no_member_can_change_what_the_next_one_learns_from(examples: Examples) -> None:
    for name in ("clipped", "relative", "outcome", "sigma"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(examples, name)[:] = 0.0


def test_what_the_machine_lacks_stays_what_it_is(examples: Examples) -> None:
    with pytest.raises(OSError, match="no room"):
        fit(examples, OSError("no room"))
