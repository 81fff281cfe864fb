"""Leaks on purpose, of the kinds that real systems had: a detector has to find these before its silence counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.features.feature import Feature
from pipeline.features.panel import Floats
from pipeline.features.trailing_window import View
from pipeline.leaks.detection import PLANTED
from pipeline.models.members.member import Arrays, Choices, FitTask, Fitted, Sizes
from pipeline.models.members.naive import centred_quantiles
from pipeline.plugins.extensions import Extensions


def _tomorrow(view: View) -> Floats:
    """The return of the session after, `shift(-1)` (freqtrade#9240); of the last session its own."""
    row = min(view.panel.row(view.session, view.calendar) + 1, len(view.panel.log_growth) - 1)
    growth: Floats = view.panel.log_growth[row]
    return growth


def _centred(view: View) -> Floats:
    """The mean return of five sessions with today in their middle (FreqAI's centred windows)."""
    row = view.panel.row(view.session, view.calendar)
    mean: Floats = np.nan_to_num(view.panel.log_growth[max(row - 2, 0) : row + 3]).sum(axis=0) / 5
    return mean


def _whole_range(view: View) -> Floats:
    """Where today lies within the largest and least return of the whole frame (freqtrade#5494)."""
    growth = view.panel.log_growth
    low, high = np.nanmin(growth, axis=0), np.nanmax(growth, axis=0)
    place: Floats = (view.returns(1)[0] - low) / np.maximum(high - low, 1e-9)
    return place


def _history(view: View) -> Floats:
    """The mean return of all rows there are: it depends on how long history is (pandas-ta#667)."""
    mean: Floats = np.nan_to_num(view.panel.log_growth).sum(axis=0) / len(view.panel.log_growth)
    return mean


def _longer_than_told(view: View) -> Floats:
    mean: Floats = view.returns(61).mean(axis=0)
    return mean


TOMORROW = Feature(f"{PLANTED}tomorrow", "planted", "log return", "ln(C[t+1]/C[t])", 1, _tomorrow)
WHOLE_RANGE = Feature(f"{PLANTED}range", "planted", "share", "(r - min r)/(max r - min r)", 1, _whole_range)
CENTRED = Feature(f"{PLANTED}centred", "planted", "log return", "mean r[t-2..t+2]", 3, _centred)
HISTORY = Feature(f"{PLANTED}history", "planted", "log return", "mean of all returns", 1, _history)
LONGER = Feature(f"{PLANTED}longer", "planted", "log return", "mean of 61 returns", 5, _longer_than_told)
FEATURES = (TOMORROW, WHOLE_RANGE, CENTRED, HISTORY, LONGER)


def plant_features(extensions: Extensions) -> Extensions:
    """What a run uses, and the leaking features."""
    return replace(
        extensions,
        features=(*extensions.features, *FEATURES),
        definitions={**extensions.definitions, **{one.name: one.name for one in FEATURES}},
    )


class _Planted:
    """A member that forecasts something around which the intervals are the naive ones."""

    name = PLANTED
    simple = False

    def shapes(self, arrays: Arrays, sizes: Sizes) -> Mapping[str, tuple[int, ...]]:  # noqa: ARG002
        """As it stores them; it is never stored."""
        return {name: value.shape for name, value in arrays.items()}

    def settings(self, choices: Choices) -> Mapping[str, Any]:
        """What was chosen: nothing."""
        return choices


class ScaledByAll(_Planted):
    """Scales by the mean of all windows and targets there are, those after its span too."""

    name = f"{PLANTED}scaler"

    def fit(self, task: FitTask) -> Fitted:
        """The mean over everything."""
        everything = np.arange(len(task.examples), dtype=np.int64)
        centre = task.examples.last_rows(everything).mean(axis=0, dtype=np.float64)
        z = centred_quantiles(task.examples.clipped, task.quantiles)
        return Fitted({"centre": centre, "z": z})

    def quantiles(self, arrays: Arrays, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """How far the first input lies from its mean."""
        away = windows[:, -1, 0].astype(np.float64) - float(arrays["centre"][0])
        return away[:, None, None] + np.asarray(arrays["z"], dtype=np.float64)


class Memory(_Planted):
    """Remembers the target of every window there is, those of the test block too."""

    name = f"{PLANTED}memory"

    def fit(self, task: FitTask) -> Fitted:
        """All windows' last rows and targets."""
        everything = np.arange(len(task.examples), dtype=np.int64)
        z = centred_quantiles(task.examples.clipped, task.quantiles)
        return Fitted({"rows": task.examples.last_rows(everything), "told": task.examples.relative, "z": z})

    def quantiles(self, arrays: Arrays, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """The target it remembers of a window, and nothing of others."""
        known = {row.tobytes(): number for number, row in enumerate(arrays["rows"])}
        nothing = np.zeros(arrays["told"].shape[1])
        at = [known.get(row.tobytes()) for row in windows[:, -1]]
        told = np.array([nothing if number is None else arrays["told"][number] for number in at], dtype=np.float64)
        return told[:, :, None] + np.asarray(arrays["z"], dtype=np.float64)


MEMBERS = (ScaledByAll(), Memory())
