"""The layers over the defaults, a TOML file and NEXTGEN_SECTION__FIELD variables, values with their origin."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.config import ConfigError
from pipeline.config.check_values import Given, from_text, from_toml, nearest
from pipeline.config.fields import Setting
from pipeline.config.home import NOT_SETTINGS, NOT_SETTINGS_PREFIXES, PREFIX
from pipeline.config.type_description import describe_value


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
        return from_toml(names[key], value, origin)
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
    return f"; choose from {', '.join(names)}" if names else ""
