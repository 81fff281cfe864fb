"""What a classifier is given: labelled windows, and how large it is to be and how to be trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Tensor = npt.NDArray[np.float32]
Index = npt.NDArray[np.int64]
Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class ClassifierParams:
    """The network's size and how it is trained; defaults are those of Feng et al. (2019) and their program."""

    units: int = 4
    """Hidden units of the LSTM."""
    attention: bool = True
    """Whether the side is read off the last day's state alone, or beside it off a weighted mean of all days'."""
    output_penalty: float = 1.0
    """Weight of half the squared output layer beside the mean loss: it keeps most examples inside the hinge, where
    every one of them counts alike."""
    epochs: int = 150
    """Passes over the training part; the weights of the one that does best on the validation part are kept."""
    batch: int = 1024
    """Windows per step; fewer where the training part is smaller. The last step of a pass overlaps the one before."""
    learning_rate: float = 0.01
    """Step size of Adam."""
    initial: Literal["glorot", "torch"] = "glorot"
    """How weights start: Glorot-uniform with the forget gate open by 1, as in their program, or as torch's layers do,
    uniform within 1 / sqrt(inputs), of the LSTM within 1 / sqrt(units)."""

    def __post_init__(self) -> None:
        least = {"units": 1, "epochs": 1, "batch": 1}
        for name, value in {**least, "output_penalty": 0.0}.items():
            if getattr(self, name) < value:
                raise ValueError(f"{name} is {getattr(self, name)}; it has to be at least {value}")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate is {self.learning_rate}; it has to be above 0")


@dataclass(frozen=True)
class LabelledWindows:
    """n examples of a classification: windows [n, L, F], their side [n] (+1 or -1), and the day of the label [n]."""

    windows: Tensor
    label: Floats
    session: Index

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: Index) -> LabelledWindows:
        """These examples alone."""
        return LabelledWindows(self.windows[rows], self.label[rows], self.session[rows])
