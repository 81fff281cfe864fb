"""Values of settings held to their type and range, and refused by name with what is allowed."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from dataclasses import fields as dataclass_fields
from difflib import get_close_matches
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError

from pipeline.config import ConfigError
from pipeline.config.fields import Setting, rows_of
from pipeline.config.type_description import describe_value


@dataclass(frozen=True)
class Given:
    """A value that a layer sets, and where it was read."""

    value: Any
    origin: str
    former_key: str = ""
    """The key as it was written, where that is one the setting used to have."""


def nearest(name: str, known: Collection[str]) -> str:
    """A hint naming the closest of the known names, or nothing if none is close."""
    # Compared without case, so that a wrong case is always found.
    folded = {one.casefold(): one for one in known}
    near = get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return f"; did you mean {folded[near[0]]}?" if near else ""


def from_toml(setting: Setting, value: Any, origin: str) -> Any:
    """A setting's value from a TOML value.

    Raises:
        ConfigError: if it does not fit, naming the origin.
    """
    _refuse_unknown_fields(setting, value, origin)
    try:
        # By way of JSON, so that strict typing still takes a list for a tuple and an ISO text for a date.
        return setting.adapter.validate_json(json.dumps(value, default=str), strict=True)
    except ValidationError as error:
        raise ConfigError(_wrong(setting, value, origin, error)) from error


def _refuse_unknown_fields(setting: Setting, value: Any, origin: str) -> None:
    row_type = rows_of(setting.type)
    if row_type is None or not isinstance(value, list):
        return
    known = [field.name for field in dataclass_fields(row_type)]
    for number, row in enumerate(value):
        for name in row if isinstance(row, dict) else ():
            if name not in known:
                at = f"{setting.key}[{number}]"
                raise ConfigError(f"{origin}: {at} has no field {name}{nearest(name, known)}")


def from_text(setting: Setting, text: str, origin: str) -> Any:
    """A setting's value from text: a number, true or false, a list with commas or as JSON.

    Raises:
        ConfigError: if the text does not fit, naming the origin.
    """
    try:
        return _parse(setting, text)
    except (ValidationError, json.JSONDecodeError) as error:
        raise ConfigError(_wrong(setting, text, origin, error)) from error


def check_value(setting: Setting, given: Given) -> Given:
    """A value that a command was given, held to the same rules.

    Raises:
        ConfigError: if it does not fit, naming the origin.
    """
    try:
        return replace(given, value=setting.adapter.validate_python(given.value))
    except ValidationError as error:
        raise ConfigError(_wrong(setting, given.value, given.origin, error)) from error


def _parse(setting: Setting, text: str) -> Any:
    if setting.type is str:
        return setting.adapter.validate_python(text)
    if NoneType in get_args(setting.type) and text == "":
        return None
    if get_origin(setting.type) is tuple:
        if text.lstrip().startswith("["):
            return setting.adapter.validate_json(text)
        return setting.adapter.validate_python([part.strip() for part in text.split(",") if part.strip()])
    if get_origin(setting.type) is Literal:  # its choices may be numbers
        choices = {str(one): one for one in get_args(setting.type)}
        return setting.adapter.validate_python(choices.get(text.strip(), text))
    return setting.adapter.validate_strings(text.strip())


def _wrong(setting: Setting, value: Any, origin: str, error: ValidationError | ValueError) -> str:
    where, why = "", ""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        place = first["loc"]
        if place and isinstance(place[0], int):
            where = f" at position {', '.join(map(str, place))}"
        why = f": {first['ctx']['error']}" if first["type"] == "value_error" else ""
    if get_origin(setting.type) is Literal and isinstance(value, str):
        why = nearest(value, [str(one) for one in get_args(setting.type)])
    got = f"got {describe_value(value)}{where}{why}"
    return f"{origin}: {setting.key} must be {setting.expects}, {got}; {setting.remedy}"
