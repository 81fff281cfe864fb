"""The space that is searched: settings of the network and the line, each with the values that are tried."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from itertools import product
from typing import Any, get_args, get_type_hints

import numpy as np
from pydantic import TypeAdapter, ValidationError

from pipeline.models.params import LstmParams, ModelParams, RidgeParams

SECTIONS = {"lstm": LstmParams, "ridge": RidgeParams}
NOT_SEARCHED = ("version", "windows_per_epoch", "max_rows")
"""What a recorded run means by a setting, and the two by which a search itself spends less on points."""


class EmptySpaceError(ValueError):
    """There is nothing to search."""


@dataclass(frozen=True)
class Point:
    """One choice of settings."""

    settings: tuple[tuple[str, float | int], ...]
    """Setting, as `lstm.dropout`, and its value; none for the settings as they are."""

    def apply(self, params: ModelParams) -> ModelParams:
        """The settings with this choice in them."""
        for name, value in self.settings:
            section, field = name.split(".")
            params = replace(params, **{section: replace(getattr(params, section), **{field: value})})
        return params

    def describe(self) -> str:
        """The choice in words."""
        return ", ".join(f"{name} {value:g}" for name, value in self.settings) or "as set"


def read_space(lines: Sequence[str]) -> dict[str, tuple[float | int, ...]]:
    """Read lines such as `lstm.dropout=0,0.1,0.2`: setting -> values, in their order.

    Raises:
        EmptySpaceError: if there are none.
        ValueError: if a line is none of these, or a value is not allowed, saying which.
    """
    if not lines:
        raise EmptySpaceError(
            "models.search_space is empty, so there is nothing to search; name settings and values in it, as in"
            ' search_space = ["lstm.location_rate=0.001,0.003,0.01"]'
        )
    space: dict[str, tuple[float | int, ...]] = {}
    for line in lines:
        name, _, values = line.partition("=")
        if name in space:
            raise ValueError(f"models.search_space has {name} twice; write all its values in one line")
        space[name] = _read_values(name, values)
    return space


def list_points(space: dict[str, tuple[float | int, ...]], count: int, seed: int) -> list[Point]:
    """The settings as they are, and at most `count` - 1 others: all there are, or as many drawn without repeats."""
    names = sorted(space)
    total = math.prod(len(space[name]) for name in names)
    if total <= count - 1:
        chosen: Sequence[tuple[float | int, ...]] = list(product(*(space[name] for name in names)))
    else:
        random = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 11])))
        numbers = sorted(random.choice(total, size=count - 1, replace=False).tolist())
        chosen = [_at([space[name] for name in names], number) for number in numbers]
    return [Point(()), *(Point(tuple(zip(names, values, strict=True))) for values in chosen)]


def _at(axes: Sequence[Sequence[float | int]], number: int) -> tuple[float | int, ...]:
    """The choice of that number among all, counted with the last axis first."""
    found = []
    for axis in reversed(axes):
        number, at = divmod(number, len(axis))
        found.append(axis[at])
    return tuple(reversed(found))


def _read_values(name: str, values: str) -> tuple[float | int, ...]:
    section, _, field = name.partition(".")
    known = dict(_searchable(SECTIONS[section])) if section in SECTIONS else {}
    if field not in known:
        names = [f"{part}.{one}" for part, cls in SECTIONS.items() for one, _ in _searchable(cls)]
        raise ValueError(f"models.search_space: {name!r} is not searched; these are: {', '.join(names)}")
    texts = [text.strip() for text in values.split(",") if text.strip()]
    if not texts:
        raise ValueError(f"models.search_space: {name} has no values; write {name}=VALUE,VALUE")
    return tuple(_read_value(name, text, known[field]) for text in texts)


def _read_value(name: str, text: str, kind: Any) -> float | int:
    try:
        value: float | int = TypeAdapter(kind).validate_python(text)
    except ValidationError as error:
        raise ValueError(f"models.search_space: {name}={text}: {error.errors()[0]['msg']}") from error
    return value


def _searchable(section: type) -> Iterator[tuple[str, Any]]:
    """The settings of a section that are one number, with their types and ranges."""
    hints = get_type_hints(section, include_extras=True)
    for field in fields(section):
        plain = (get_args(hints[field.name]) or (hints[field.name],))[0]
        if plain in (int, float) and field.name not in NOT_SEARCHED and field.default is not MISSING:
            yield field.name, hints[field.name]
