"""What each input adds to where an ensemble's forecasts lie: exact for lines, along a path for networks.

Member by member: a line's parts are its terms. A network's are integrated gradients from the mean of its training rows
to the window (Sundararajan, Taly and Yan, Axiomatic Attribution for Deep Networks, ICML (2017)); they add up to the
forecast but for what the steps of the integral miss, which is told as `gap`. A plugin's member that explains nothing of
itself is asked without one input after the other (each at its mean over the windows given); what these do not add up to
is its level.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.models import scaling
from pipeline.models.inference import daily_sigma
from pipeline.models.members.member import Arrays, Floats, Member, MemberParts
from pipeline.models.registry import Ensemble

Windows = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Contributions:
    """An ensemble's locations taken apart, as fractions: inputs, level and gap add up to them."""

    inputs: Floats
    """[n, H, F]."""
    level: Floats
    """[n, H]."""
    gap: Floats
    """[n, H] what the parts of networks miss."""
    by_path: npt.NDArray[np.bool_]
    """[H, F] whether a network has a share in the input's part."""

    @property
    def location(self) -> Floats:
        """[n, H] where the ensemble's median lies, as a fraction."""
        total: Floats = self.inputs.sum(axis=2) + self.level + self.gap
        return total


def explain_location(ensemble: Ensemble, tensor: Windows) -> Contributions:
    """Take the locations of an ensemble's forecasts apart.

    Args:
        ensemble: from `load_members`.
        tensor: windows [n, window, features] float32, the last axis ordered as `ensemble.features`.
    """
    shares = ensemble.locations if ensemble.locations is not None else ensemble.weights
    shape = (len(tensor), len(ensemble.horizons), len(ensemble.features))
    inputs, level, gap = np.zeros(shape), np.zeros(shape[:2]), np.zeros(shape[:2])
    by_path = np.zeros(shape[1:], dtype=bool)
    for name, arrays in sorted(ensemble.members.items()):
        share = np.asarray(shares[name], dtype=np.float64)
        if not share.any():
            continue
        kind = ensemble.kinds[name]
        parts, middle = explain_member(kind, arrays, tensor), _locate(kind, arrays, tensor)
        inputs += share[None, :, None] * parts.inputs
        level += share * parts.level
        gap += share * (middle - parts.inputs.sum(axis=2) - parts.level)
        by_path |= (share > 0)[:, None] & parts.by_path
    unit = scaling.horizon_sigma(daily_sigma(ensemble, tensor), ensemble.horizons)
    return Contributions(inputs * unit[:, :, None], level * unit, gap * unit, by_path)


def explain_member(kind: Member, arrays: Arrays, windows: Windows) -> MemberParts:
    """A member's own explanation, or what is found by leaving out one input after the other."""
    own: Callable[[Arrays, Windows], MemberParts] | None = getattr(kind, "explain", None)
    return own(arrays, windows) if own is not None else _leave_out(kind, arrays, windows)


def _leave_out(kind: Member, arrays: Arrays, windows: Windows) -> MemberParts:
    whole = _locate(kind, arrays, windows)
    inputs = np.zeros((*whole.shape, windows.shape[2]))
    for number in range(windows.shape[2]):
        without = windows.copy()
        without[:, :, number] = windows[:, :, number].mean(axis=0)
        inputs[:, :, number] = whole - _locate(kind, arrays, without)
    return MemberParts(inputs, whole - inputs.sum(axis=2), np.ones(windows.shape[2], dtype=bool))


def _locate(kind: Member, arrays: Arrays, windows: Windows) -> Floats:
    """[n, H] the member's medians, in units of sigma x sqrt(h)."""
    quantiles = kind.quantiles(arrays, windows)
    middle: Floats = quantiles[:, :, quantiles.shape[2] // 2]
    return middle
