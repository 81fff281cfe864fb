"""The parameters a run recorded, read back as they were and under the names they had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any, NamedTuple, TypeVar, get_args, get_origin

from pipeline.config.fields import annotations_of, earlier_value, former_names, is_section, rows_of
from pipeline.config.setting_types import Earlier

T = TypeVar("T")


def from_record(cls: type[T], values: Mapping[str, Any]) -> T:
    """A parameter object from what a run recorded of it.

    Ranges and contradictions are not looked at: what was run once is history, and has to be run again as it was. Names
    that have changed since are found, names that are gone are passed over. What did not exist then has the value that
    it would have had (`Earlier`), else its default.
    """
    found = {}
    for field in _fields(cls):
        written = next((one for one in (field.name, *field.former) if one in values), None)
        if written is not None:
            found[field.name] = _value(field.kind, values[written])
        elif field.earlier is not None:
            found[field.name] = field.earlier.value
    return cls(**found)


def first_names(params: Any) -> dict[str, Any]:
    """A parameter object as plain values, each under the first name it ever had.

    For what becomes the content of a table: a name that changes there would change every row's fingerprint. So a
    setting that has the value of earlier runs is not named at all.
    """
    return {
        (field.former[-1] if field.former else field.name): first_names(value) if is_section(field.kind) else value
        for field in _fields(type(params))
        for value in [getattr(params, field.name)]
        if field.earlier is None or field.earlier.value != value
    }


class _Field(NamedTuple):
    name: str
    former: tuple[str, ...]
    earlier: Earlier | None
    kind: Any


def _fields(cls: type) -> tuple[_Field, ...]:
    return _shape(cls)


@cache
def _shape(cls: type) -> tuple[_Field, ...]:
    """What there is to know of each field; worked out once, because every run asks."""
    hints = annotations_of(cls)
    return tuple(
        _Field(one.name, former_names(hints[one.name]), earlier_value(hints[one.name]), _plain(hints[one.name]))
        for one in fields(cls)
    )


def _plain(annotation: Any) -> Any:
    return get_args(annotation)[0] if hasattr(annotation, "__metadata__") else annotation


def _value(kind: Any, value: Any) -> Any:
    if is_section(kind):
        return from_record(kind, value)
    if get_origin(kind) is not tuple:
        return value
    row = rows_of(kind)
    return tuple(from_record(row, one) if row else one for one in value)
