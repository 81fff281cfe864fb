"""The layers over the defaults, a TOML file and NEXTGEN_SECTION__FIELD variables, values with their origin."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from difflib import get_close_matches
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin

from pydantic import ValidationError

from pipeline.config.errors import ConfigError
from pipeline.config.fields import Setting, rows_of
from pipeline.config.home import NOT_SETTINGS, NOT_SETTINGS_PREFIXES, PREFIX


@dataclass(frozen=True)
class Given:
    """A value that a layer sets, and where it was read."""

    value: Any
    origin: str


def from_file(path: Path, settings: Mapping[str, Setting]) -> dict[str, Given]:
    """Dotted key -> value for each key of the file.

    Raises:
        ConfigError: if the file is unreadable, is no TOML, has an unknown key, or a value of the wrong type.
    """
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text ({error.reason}); save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    origin = f"file {path}"
    return {
        key: Given(_from_toml(settings[key], value, origin), origin)
        for key, value in _leaves(tree, "", settings, origin)
    }


def from_environment(environ: Mapping[str, str], settings: Mapping[str, Setting]) -> dict[str, Given]:
    """Dotted key -> value for each variable that starts with NEXTGEN_ and names a setting.

    Raises:
        ConfigError: for a NEXTGEN_ variable that names nothing, or whose text does not fit the setting.
    """
    variables = {variable_of(key): key for key in settings}
    given: dict[str, Given] = {}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in NOT_SETTINGS or name.startswith(NOT_SETTINGS_PREFIXES):
            continue
        if name not in variables:
            near = nearest(name, [*variables, *NOT_SETTINGS])
            raise ConfigError(f"the environment variable {name} sets nothing{near}; unset or correct it")
        key = variables[name]
        given[key] = Given(from_text(settings[key], environ[name], f"env {name}"), f"env {name}")
    return given


def variable_of(key: str) -> str:
    """The environment variable that sets a dotted key."""
    return PREFIX + key.upper().replace(".", "__")


def nearest(name: str, known: Collection[str]) -> str:
    """A hint naming the closest of the known names, or nothing if none is close."""
    # Compared without case, so that a wrong case is always found.
    folded = {one.casefold(): one for one in known}
    near = get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return f"; did you mean {folded[near[0]]}?" if near else ""


def _leaves(
    tree: Mapping[str, Any], prefix: str, settings: Mapping[str, Setting], origin: str
) -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        key = f"{prefix}{name}"
        below = any(known.startswith(f"{key}.") for known in settings)
        if key in settings:
            yield key, value
        elif below and isinstance(value, Mapping):
            yield from _leaves(value, f"{key}.", settings, origin)
        elif below:
            raise ConfigError(f"{origin}: {key} is a section of further keys, got {_shown(value)}")
        else:
            raise ConfigError(f"{origin}: there is no setting {key}{_nearest_key(key, settings)}")


def _nearest_key(key: str, settings: Mapping[str, Setting]) -> str:
    depth = key.count(".") + 1
    known = list(dict.fromkeys(".".join(one.split(".")[:depth]) for one in settings))
    siblings = [one for one in known if one.rpartition(".")[0] == key.rpartition(".")[0]]
    hint = nearest(key, siblings) or nearest(key, [*known, *settings])
    if hint:
        return hint
    names = [one.rpartition(".")[2] for one in siblings]
    return f"; there are {', '.join(names)}" if names else ""


def _from_toml(setting: Setting, value: Any, origin: str) -> Any:
    _refuse_unknown_fields(setting, value, origin)
    try:
        # By way of JSON, so that strict typing still takes a list for a tuple and an ISO text for a date.
        result = setting.adapter.validate_json(json.dumps(value, default=str), strict=True)
    except ValidationError as error:
        raise ConfigError(_wrong(setting, value, origin, error)) from error
    return _finite(setting, result, origin)


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
        result = _parsed(setting, text)
    except (ValidationError, json.JSONDecodeError) as error:
        raise ConfigError(_wrong(setting, text, origin, error)) from error
    return _finite(setting, result, origin)


def _parsed(setting: Setting, text: str) -> Any:
    if setting.type is str:
        return text
    if NoneType in get_args(setting.type) and text == "":
        return None
    if get_origin(setting.type) is tuple:
        if text.lstrip().startswith("["):
            return setting.adapter.validate_json(text)
        return setting.adapter.validate_python([part.strip() for part in text.split(",") if part.strip()])
    return setting.adapter.validate_strings(text.strip())


def _finite(setting: Setting, value: Any, origin: str) -> Any:
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, float) and not math.isfinite(number):
            raise ConfigError(f"{origin}: {setting.key} has to be a finite number, got {number}")
    return value


def _wrong(setting: Setting, value: Any, origin: str, error: ValidationError | ValueError) -> str:
    where = ""
    if isinstance(error, ValidationError) and (path := error.errors()[0]["loc"]):
        at = ", ".join(str(step) for step in path if isinstance(step, int))
        where = f" at position {at}" if at else ""
    return f"{origin}: {setting.key} expects {setting.expects}, got {_shown(value)}{where}"


def _shown(value: Any) -> str:
    text = repr(value)
    kind = {str: "text", bool: "true/false", int: "whole number", float: "number", list: "list"}.get(
        type(value), type(value).__name__
    )
    return f"the {kind} {text if len(text) <= 60 else text[:57] + '...'}"
