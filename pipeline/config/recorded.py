"""The parameters a run recorded, read back as they were and under the names they had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any, TypeVar, get_args, get_origin

from pipeline.config.fields import annotations_of, former_names, is_section, rows_of

T = TypeVar("T")


def from_record(cls: type[T], values: Mapping[str, Any]) -> T:
    """A parameter object from what a run recorded of it.

    Ranges and contradictions are not looked at: what was run once is history, and has to be run again as it was. Names
    that have changed since are found, names that are gone are passed over, and what did not exist then has its default.
    """
    found = {}
    for name, former, kind in _fields(cls):
        written = next((one for one in (name, *former) if one in values), None)
        if written is not None:
            found[name] = _value(kind, values[written])
    return cls(**found)


def first_names(params: Any) -> dict[str, Any]:
    """A parameter object as plain values, each under the first name it ever had.

    For what becomes the content of a table: a name that changes there would change every row's fingerprint.
    """
    return {
        (former[-1] if former else name): first_names(value) if is_section(kind) else value
        for name, former, kind in _fields(type(params))
        for value in [getattr(params, name)]
    }


def _fields(cls: type) -> tuple[tuple[str, tuple[str, ...], Any], ...]:
    return _shape(cls)


@cache
def _shape(cls: type) -> tuple[tuple[str, tuple[str, ...], Any], ...]:
    """Name, former names and type of each field; worked out once, because every run asks."""
    hints = annotations_of(cls)
    return tuple((field.name, former_names(hints[field.name]), _plain(hints[field.name])) for field in fields(cls))


def _plain(annotation: Any) -> Any:
    return get_args(annotation)[0] if hasattr(annotation, "__metadata__") else annotation


def _value(kind: Any, value: Any) -> Any:
    if is_section(kind):
        return from_record(kind, value)
    if get_origin(kind) is not tuple:
        return value
    row = rows_of(kind)
    return tuple(from_record(row, one) if row else one for one in value)
