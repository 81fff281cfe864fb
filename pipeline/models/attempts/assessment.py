"""Why nothing can be trained, and how much history is lacking: told of examples before anything is fitted."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from pipeline.models.dataset import Examples
from pipeline.models.folds import Fold, SessionSpan, split_inner, walk_forward
from pipeline.models.params import ModelParams
from pipeline.text_format import counted


@dataclass(frozen=True)
class Assessment:
    """What there is to train on, beside what is asked for."""

    labelled: int
    """Sessions from the first to the last with a known outcome."""
    windows: int
    """Labelled windows."""
    outcome: str
    """enough, short_history, few_windows or still_prices."""
    reason: str
    """The same as a sentence."""
    lacking: int
    """Further sessions of history after which it is worth trying again, as far as can be told; 0 where none are."""


def assess(examples: Examples, params: ModelParams) -> Assessment:
    """Say whether `run_training` finds a fold in these examples, and else what is lacking."""
    labelled = 0 if len(examples) == 0 else int(examples.session[-1] - examples.session[0]) + 1
    needed = max(params.min_sessions, params.min_train_sessions + params.purge + params.embargo + params.test_sessions)
    if labelled < needed:
        reason = (
            f"{counted(labelled, 'session')} with known outcomes, {needed} are needed: models.min_sessions is "
            f"{params.min_sessions}, and a fold has {params.min_train_sessions} to train on, "
            f"{params.test_sessions} to test on and {params.purge + params.embargo} between"
        )
        return Assessment(labelled, len(examples), "short_history", reason, needed - labelled)
    span = SessionSpan(int(examples.session[0]), int(examples.session[-1]))
    fitted = max((count_fitted(examples, fold, params) for fold in walk_forward(span, params)), default=0)
    if fitted < params.min_rows:
        reason = f"{counted(fitted, 'window')} to fit, {params.min_rows} are needed (models.min_rows)"
        more = ceil((params.min_rows - fitted) / max(len(examples) / labelled, 1))
        return Assessment(labelled, len(examples), "few_windows", reason, more)
    if bool((np.ptp(examples.outcome, axis=0) == 0).any()):
        return Assessment(labelled, len(examples), "still_prices", "all outcomes of a horizon are the same", 0)
    return Assessment(labelled, len(examples), "enough", "there is enough to train on", 0)


def count_fitted(examples: Examples, fold: Fold, params: ModelParams) -> int:
    """Windows that a fold's members are fitted on; 0 where none are left to hold back or to test on."""
    inner = split_inner(fold.train, params)
    fitted, held, test = (len(examples.between(span.first, span.last)) for span in (inner.train, inner.test, fold.test))
    return fitted if held > 0 and test > 0 else 0
