"""A tree of parameter dataclasses resolved from defaults, file and environment, each key with its origin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Generic, TypeVar, get_type_hints

from pipeline.config.errors import ConfigError
from pipeline.config.fields import is_section, settings_of
from pipeline.config.layers import Given, from_environment, from_file

T = TypeVar("T")
DEFAULT = "default"


@dataclass(frozen=True)
class Loaded(Generic[T]):
    """Settings and, for each dotted key, its origin: `default`, `file PATH` or `env NAME`."""

    settings: T
    origins: Mapping[str, str]
    file: Path | None


def resolve(
    cls: type[T], file: Path | None, environ: Mapping[str, str], chosen: Mapping[str, Given] | None = None
) -> Loaded[T]:
    """Resolve a dataclass of dataclasses; later layers win: defaults, file, choices on the spot, environment.

    Raises:
        ConfigError: for an unknown key, a value of the wrong type or out of range, or an unreadable file.
    """
    settings = settings_of(cls)
    given = {
        **(from_file(file, settings) if file else {}),
        **(chosen or {}),
        **from_environment(environ, settings),
    }
    origins = {key: given[key].origin if key in given else DEFAULT for key in settings}
    return Loaded(built(cls, given), origins, file)


def built(cls: type[T], given: Mapping[str, Given], prefix: str = "") -> T:
    """An instance with the given values (dotted keys) over its defaults.

    Raises:
        ConfigError: if the class refuses them, naming where they came from.
    """
    return _replaced(cls, None, given, prefix)


def _replaced(cls: type[T], base: T | None, given: Mapping[str, Given], prefix: str) -> T:
    values: dict[str, Any] = {}
    hints = get_type_hints(cls)
    for field in fields(cls):  # type: ignore[arg-type]  # T is bound to a dataclass by its use
        key = f"{prefix}{field.name}"
        if key in given:
            values[field.name] = given[key].value
        elif is_section(hints[field.name]) and any(name.startswith(f"{key}.") for name in given):
            start = base if base is not None else _defaults(cls)
            values[field.name] = _replaced(hints[field.name], getattr(start, field.name, None), given, f"{key}.")
        elif base is not None:
            values[field.name] = getattr(base, field.name)
    try:
        return cls(**values)
    except (TypeError, ValueError) as error:
        origins = sorted({given[key].origin for key in given if key.startswith(prefix)})
        section = prefix.rstrip(".") or "the configuration"
        raise ConfigError(f"{section}: {error} (set by {', '.join(origins) or DEFAULT})") from error


def _defaults(cls: type[T]) -> T | None:
    try:
        return cls()
    except TypeError:  # a class with a field that has no default
        return None


def values_of(settings: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted key and value of every leaf, in order of declaration."""
    hints = get_type_hints(type(settings))
    for field in fields(settings):
        value = getattr(settings, field.name)
        if is_section(hints[field.name]):
            yield from values_of(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", value
