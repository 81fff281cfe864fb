"""The layers over the defaults, a TOML file and NEXTGEN_SECTION__FIELD variables, values with their origin."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import fields as dataclass_fields
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError

from pipeline.config import ConfigError
from pipeline.config.fields import Setting, rows_of
from pipeline.config.home import NOT_SETTINGS, NOT_SETTINGS_PREFIXES, PREFIX
from pipeline.config.type_description import describe_value


@dataclass(frozen=True)
class Given:
    """A value that a layer sets, and where it was read."""

    value: Any
    origin: str
    former_key: str = ""
    """The key as it was written, where that is one the setting used to have."""


def from_file(path: Path, settings: Mapping[str, Setting]) -> dict[str, Given]:
    """Dotted key -> value for each key of the file.

    Raises:
        ConfigError: if the file is unreadable or not valid TOML; else a line for every key that is unknown and every
            value of the wrong type or out of range.
    """
    origin, names = f"file {path}", names_of(settings)
    entries = [
        (key, origin, partial(_from_tree, names, settings, key, value, origin))
        for key, value in _leaves(_read_toml(path), "", names)
    ]
    return _read(entries, names)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text ({error.reason}); save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error


def from_environment(environ: Mapping[str, str], settings: Mapping[str, Setting]) -> dict[str, Given]:
    """Dotted key -> value for each variable that starts with NEXTGEN_ and names a setting.

    Raises:
        ConfigError: a line for every NEXTGEN_ variable that names nothing, or whose text does not fit the setting.
    """
    names = names_of(settings)
    variables = {variable_of(key): key for key in names}
    ours = filter(_is_setting, sorted(environ))

    def read(name: str) -> Any:
        if name not in variables:
            near = nearest(name, [*map(variable_of, settings), *NOT_SETTINGS])
            raise ConfigError(f"the environment variable {name} sets nothing{near}; unset or correct it")
        return from_text(names[variables[name]], environ[name], f"env {name}")

    return _read([(variables.get(name, ""), f"env {name}", partial(read, name)) for name in ours], names)


def _is_setting(name: str) -> bool:
    return name.startswith(PREFIX) and name not in NOT_SETTINGS and not name.startswith(NOT_SETTINGS_PREFIXES)


def names_of(settings: Mapping[str, Setting]) -> dict[str, Setting]:
    """Every name that a file may use, those of earlier versions included -> its setting."""
    former = {key: setting for setting in settings.values() for key in setting.former_keys}
    return {**former, **settings}


def _read(entries: Sequence[tuple[str, str, Callable[[], Any]]], names: Mapping[str, Setting]) -> dict[str, Given]:
    """Read every entry of a layer, so that all that is wrong with it is said at once."""
    given: dict[str, Given] = {}
    wrong: list[str] = []
    for written, origin, read in entries:
        try:
            value = read()
        except ConfigError as error:
            wrong.append(str(error))
            continue
        key = names[written].key
        if key in given and given[key].value != value:
            wrong.append(
                f"{origin}: {key} is set twice, once by its earlier name {given[key].former_key or written},"
                f" to {given[key].value!r} and {value!r}; keep {key}"
            )
        given[key] = Given(value, origin, written if written != key else "")
    if wrong:
        raise ConfigError("\n".join(wrong))
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


def _leaves(tree: Mapping[str, Any], prefix: str, names: Mapping[str, Setting]) -> Iterator[tuple[str, Any]]:
    """The keys of a file that are settings or nothing known, with what they hold."""
    for name, value in tree.items():
        key = f"{prefix}{name}"
        is_table = isinstance(value, Mapping) and any(known.startswith(f"{key}.") for known in names)
        if is_table and key not in names:
            yield from _leaves(value, f"{key}.", names)
        else:
            yield key, value


def _from_tree(names: Mapping[str, Setting], settings: Mapping[str, Setting], key: str, value: Any, origin: str) -> Any:
    if key in names:
        return _from_toml(names[key], value, origin)
    if any(known.startswith(f"{key}.") for known in settings):
        raise ConfigError(f"{origin}: {key} is a section of further keys, got {describe_value(value)}")
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
        return _parsed(setting, text)
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


def _parsed(setting: Setting, text: str) -> Any:
    if setting.type is str:
        return setting.adapter.validate_python(text)
    if NoneType in get_args(setting.type) and text == "":
        return None
    if get_origin(setting.type) is tuple:
        if text.lstrip().startswith("["):
            return setting.adapter.validate_json(text)
        return setting.adapter.validate_python([part.strip() for part in text.split(",") if part.strip()])
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
    return f"{origin}: {setting.key} has to be {setting.expects}, {got}; {setting.remedy}"
