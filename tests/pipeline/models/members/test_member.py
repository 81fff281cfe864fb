"""Members may be an operator's own code: one that fails is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.models.folds import SessionSpan
from pipeline.models.members.member import FitTask, fit_members
from pipeline.models.params import ModelParams


class Mine:
    """A member whose fit does what a test wants."""

    name = "mine"
    simple = True

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def fit(self, task: FitTask) -> Any:  # noqa: ARG002
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def quantiles(self, arrays: Any, windows: Any) -> Any:  # noqa: ARG002
        return np.zeros((1, 1, 1))

    def shapes(self, arrays: Any, sizes: Any) -> Any:  # noqa: ARG002
        return {}

    def settings(self, choices: Any) -> Any:  # noqa: ARG002
        return {}


def fit(answer: Any) -> None:
    task = FitTask(examples=None, span=SessionSpan(0, 1), quantiles=(0.5,), params=ModelParams(), seed=(0, 0))  # type: ignore[arg-type]
    fit_members([Mine(answer)], task, [])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (KeyError("oops"), "the member 'mine' fails to fit: KeyError: 'oops'"),
        (5, r"the member 'mine' was fitted to 5; return Fitted\(arrays, choices\)"),
        (None, "the member 'mine' was fitted to None"),
    ],
)
def test_a_member_that_fails_or_returns_something_else_is_named(answer: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        fit(answer)


def test_what_the_machine_lacks_stays_what_it_is() -> None:
    with pytest.raises(OSError, match="no room"):
        fit(OSError("no room"))
