"""What a member of the ensemble is: one object with one protocol to fit it, to forecast with it and to check it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.models.dataset import Examples, Index
from pipeline.models.folds import SessionSpan, split_inner
from pipeline.models.jobs.training_job import NO_JOB, TrainingJob
from pipeline.models.params import ModelParams

Floats = npt.NDArray[np.float64]
Arrays = Mapping[str, npt.NDArray[Any]]
"""Name -> fitted values, float32 or float64: all that is stored of a member."""
Choices = Mapping[str, Any]
"""Name -> what held-back rows decided: numbers, or tuples of one per horizon. No two members use the same name."""


class Sizes(NamedTuple):
    """How large a model's inputs and outputs are."""

    features: int
    horizons: int
    quantiles: int


@dataclass(frozen=True)
class Fitted:
    """A member after a fit."""

    arrays: Arrays
    choices: Choices = field(default_factory=dict)


@dataclass(frozen=True)
class MemberParts:
    """A member's location taken apart, in units of sigma x sqrt(h)."""

    inputs: Floats
    """[n, H, F] what each input adds, all sessions of the window together."""
    level: Floats
    """[n, H] what it says at average inputs."""
    by_path: npt.NDArray[np.bool_]
    """[F] whether a network has a share in the input's part, so that it is not exact."""


@dataclass(frozen=True, kw_only=True)
class FitTask:
    """What a member is to learn from: the rows of a fold before its test block, or all of them in the end."""

    examples: Examples
    span: SessionSpan
    """The sessions it may learn from."""
    quantiles: tuple[float, ...]
    """Q probabilities."""
    params: ModelParams
    seed: tuple[int, int]
    """The run's seed and the number of the fit in it."""
    earlier: Mapping[str, Fitted] = field(default_factory=dict)
    """The members that were fitted on the same rows before this one, by name."""
    folds: tuple[Choices, ...] = ()
    """In the last fit, on all rows: what this member decided in each fold. Empty while a fold is fitted."""
    start: Mapping[str, Arrays] = field(default_factory=dict)
    """Where members are tuned: the arrays of each, fitted on more names, that it begins with."""
    job: TrainingJob = NO_JOB
    """Where a fit that takes long may keep where it stands, and tell how it goes."""

    @property
    def rows(self) -> Index:
        """The examples it may learn from."""
        return self.examples.between(self.span.first, self.span.last)

    def hold_back(self) -> tuple[Index, Index]:
        """The rows without their end, and that end to decide choices on; purged and embargoed like a test block."""
        inner = split_inner(self.span, self.params)
        train, held = (self.examples.between(span.first, span.last) for span in (inner.train, inner.test))
        return train, held


class Member(Protocol):
    """A way of forecasting; each is declared once, as an object, in a module of `members` or in a plugin."""

    name: str
    """Lower case; it names the member's rows in the registry for good."""
    simple: bool
    """Whether it is preferred to members that are not, as long as the losses don't tell them apart."""

    def fit(self, task: FitTask) -> Fitted:
        """Fit the member. The same task has to give the same bits in any process and thread.

        Targets are `examples.clipped` and `examples.relative`, [n, H] in units of sigma x sqrt(h).
        """

    # A member may also have `tune`, with the arguments and the result of `fit`: begin as `task.start[name]` and learn
    # from the task's names, where a training is for some names alone. One without it stays there as it began. And
    # `explain(arrays, windows) -> MemberParts`, what each input adds to its medians; else inputs are left out in turn.

    def quantiles(self, arrays: Arrays, windows: npt.NDArray[np.float32]) -> Floats:
        """Quantiles of the return in units of sigma x sqrt(h): [n, window, F] -> [n, H, Q], never decreasing along Q.

        A window's forecast must not depend, to the bit, on the other windows.
        """

    def shapes(self, arrays: Arrays, sizes: Sizes) -> Mapping[str, tuple[int, ...]]:
        """Array name -> the shape it must have. Stored arrays are refused where they differ."""

    def settings(self, choices: Choices) -> Mapping[str, Any]:
        """The choices as the registry tells them, ready for JSON."""


def ask_quantiles(
    member: Member, arrays: Arrays, windows: npt.NDArray[np.float32], horizons: int, quantiles: int
) -> Floats:
    """Return what a member forecasts for windows [n, window, F]: [n, H, Q], in units of sigma x sqrt(h).

    Raises:
        ValueError: naming the member, if it fails, or answers with something else than [n, H, Q] finite numbers that
            never decrease along Q.
    """
    try:
        forecast = member.quantiles(arrays, windows)
    except MemoryError:
        raise
    except (Exception, SystemExit) as error:  # a member may be an operator's own code, which can raise anything
        raise ValueError(f"the member {member.name!r} fails to forecast: {type(error).__name__}: {error}") from error
    return check_quantiles(member, forecast, (len(windows), horizons, quantiles))


def check_quantiles(member: Member, forecast: Any, shape: tuple[int, int, int]) -> Floats:
    """Return a member's forecast as it is.

    Raises:
        ValueError: if it has another shape than [n, H, Q], a value that is no finite number, or quantiles that cross.
    """
    if not isinstance(forecast, np.ndarray) or forecast.dtype.kind != "f":
        found = forecast.dtype if isinstance(forecast, np.ndarray) else type(forecast).__name__
        raise ValueError(f"the member {member.name!r} returned {found} for quantiles; return an array of float64")
    if forecast.shape != shape:
        raise ValueError(
            f"the member {member.name!r} returned quantiles of the shape {forecast.shape}; it has to be {shape}:"
            " windows, horizons, quantiles"
        )
    unknown = ~np.isfinite(forecast)
    _refuse_any(member, forecast, unknown, "are no finite numbers; look for a division by zero in its fit")
    falls = forecast[:, :, 1:] < forecast[:, :, :-1]
    _refuse_any(member, forecast, falls, "fall from one quantile to the next; sort them")
    return forecast


def _refuse_any(member: Member, forecast: Floats, faults: npt.NDArray[np.bool_], fault: str) -> None:
    if faults.any():
        wrong = np.flatnonzero(faults.any(axis=(1, 2)))
        first = int(wrong[0])
        raise ValueError(
            f"the member {member.name!r}: {len(wrong)} of {len(forecast)} forecasts {fault}; the first is of"
            f" window {first}: {forecast[first].tolist()}"
        )


def find_misshapen(member: Member, arrays: Arrays, sizes: Sizes) -> str:
    """Which array is not of the shape that its member says it has, in words; empty where all are."""
    for name, shape in member.shapes(arrays, sizes).items():
        found = arrays[name].shape if name in arrays else "nothing"
        if found != shape:
            return f"{name!r} should have the shape {shape} and is {found}"
    return ""


def tell_settings(member: Member, choices: Choices) -> Mapping[str, Any]:
    """What a member says of its choices.

    Raises:
        ValueError: naming the member, if that is no JSON, or has a number that is not finite.
    """
    told = member.settings(choices)
    try:
        json.dumps(dict(told), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the member {member.name!r}: its settings {told!r} cannot be stored: {error}") from error
    return told


def sort_members(members: Sequence[Member]) -> tuple[Member, ...]:
    """The members by name: the order in which they are weighed, combined and stored."""
    return tuple(sorted(members, key=lambda member: member.name))


def fit_members(members: Sequence[Member], task: FitTask, folds: Sequence[Mapping[str, Choices]]) -> dict[str, Fitted]:
    """Fit members in the order given, each shown those before it: name -> fitted.

    Args:
        members: in an order in which each finds those it builds on.
        task: what all of them learn from.
        folds: in the last fit, each fold's choices by member; else empty.

    Raises:
        ValueError: if a member fails or returns something else than what was fitted, or two members use the same name
            for a choice.
    """
    fitted: dict[str, Fitted] = {}
    for member in members:
        own = tuple(fold[member.name] for fold in folds)
        job = task.job.within(member.name)
        one = _fit_once(member, replace(task, earlier=dict(fitted), folds=own, job=job))
        _check_choices(member.name, one, fitted)
        fitted[member.name] = one
    return fitted


def _fit_once(member: Member, task: FitTask) -> Fitted:
    """Fit a member, or take what it had come to before the training was interrupted."""
    whole = task.job.within("fitted")
    if (kept := whole.restore()) is not None:
        return Fitted(kept.arrays, kept.facts)
    one = _fit(member, task)
    whole.keep(one.arrays, one.choices)
    task.job.report(1, 1)
    return one


def _fit(member: Member, task: FitTask) -> Fitted:
    try:
        one = _tune(member, task) if task.start else member.fit(task)
    except (OSError, MemoryError):  # the machine's fault, which the next attempt may not meet
        raise
    except (Exception, SystemExit) as error:  # a member may be an operator's own code, which can raise anything
        raise ValueError(f"the member {member.name!r} fails to fit: {type(error).__name__}: {error}") from error
    if not isinstance(one, Fitted):
        raise ValueError(f"the member {member.name!r} was fitted to {one!r}; return Fitted(arrays, choices)")
    _check_arrays(member, one.arrays, task)
    return one


def _check_arrays(member: Member, arrays: Arrays, task: FitTask) -> None:
    """What cannot be stored, or would be refused when it is to forecast, is refused while nothing rests on it."""
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype not in (np.float32, np.float64):
            found = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
            raise ValueError(
                f"the member {member.name!r} was fitted to {name!r} of {found}; arrays of float32 or float64 are stored"
            )
    sizes = Sizes(len(task.examples.features), len(task.examples.horizons), len(task.quantiles))
    if wrong := find_misshapen(member, arrays, sizes):
        raise ValueError(f"the member {member.name!r}: by its method shapes {wrong}; correct one of them")


def _tune(member: Member, task: FitTask) -> Fitted:
    own = getattr(member, "tune", None)
    tuned: Fitted = Fitted(task.start[member.name]) if own is None else own(task)
    return tuned


def _check_choices(name: str, one: Fitted, earlier: Mapping[str, Fitted]) -> None:
    """The report of a training run lists all choices side by side."""
    for other, before in earlier.items():
        if shared := sorted(set(one.choices) & set(before.choices)):
            raise ValueError(f"the members {other} and {name} both have a choice {shared[0]!r}; rename one")
