"""A tree of parameter dataclasses resolved from defaults, file and environment, each key with its origin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Generic, TypeVar

from pipeline.config import ConfigError
from pipeline.config.check_values import Given, check_value
from pipeline.config.fields import annotations_of, is_section, settings_of
from pipeline.config.layers import from_environment, from_file, names_of

T = TypeVar("T")
DEFAULT = "default"


@dataclass(frozen=True)
class Loaded(Generic[T]):
    """Settings and, for each dotted key, its origin: `default`, `file PATH` or `env NAME`."""

    settings: T
    origins: Mapping[str, str]
    file: Path | None
    renamed: Mapping[str, str]
    """Key -> the earlier key by which a layer sets it."""


def resolve(
    cls: type[T], file: Path | None, environ: Mapping[str, str], chosen: Mapping[str, Given] | None = None
) -> Loaded[T]:
    """Resolve a dataclass of dataclasses; later layers win: defaults, file, choices on the spot, environment.

    Raises:
        ConfigError: if the file cannot be read; else a line for each unknown key and each value of the wrong type or
            out of range; else one for each two settings that contradict each other.
    """
    names = names_of(settings := settings_of(cls))
    given = {
        **(from_file(file, settings) if file else {}),
        **{names[key].key: check_value(names[key], value) for key, value in (chosen or {}).items()},
        **from_environment(environ, settings),
    }
    resolved = built(cls, given)
    if wrong := list(_contradictions(resolved, given)):
        raise ConfigError("\n".join(wrong))
    origins = {key: given[key].origin if key in given else DEFAULT for key in settings}
    renamed = {key: one.former_key for key, one in given.items() if one.former_key}
    return Loaded(resolved, origins, file, renamed)


def built(cls: type[T], given: Mapping[str, Given], prefix: str = "") -> T:
    """An instance with the given values (dotted keys) over its defaults."""
    return _replace(cls, None, given, prefix)


def _replace(cls: type[T], base: T | None, given: Mapping[str, Given], prefix: str) -> T:
    values: dict[str, Any] = {}
    hints = annotations_of(cls)
    for field in fields(cls):  # type: ignore[arg-type]  # T is bound to a dataclass by its use
        key = f"{prefix}{field.name}"
        if key in given:
            values[field.name] = given[key].value
        elif is_section(hints[field.name]) and any(name.startswith(f"{key}.") for name in given):
            start = base if base is not None else _defaults(cls)
            values[field.name] = _replace(hints[field.name], getattr(start, field.name, None), given, f"{key}.")
        elif base is not None:
            values[field.name] = getattr(base, field.name)
    try:
        return cls(**values)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{_place(prefix)}: {error}{_origins(given, prefix)}") from error


def _defaults(cls: type[T]) -> T | None:
    try:
        return cls()
    except TypeError:  # a class with a field that has no default
        return None


def _contradictions(section: Any, given: Mapping[str, Given], prefix: str = "") -> Iterator[str]:
    """What each section says of settings that are fine alone and impossible together."""
    hints = annotations_of(type(section))
    for field in fields(section):
        if is_section(hints[field.name]):
            yield from _contradictions(getattr(section, field.name), given, f"{prefix}{field.name}.")
    for sentence in section.contradictions() if hasattr(section, "contradictions") else ():
        yield f"{_place(prefix)}: {sentence}{_origins(given, prefix)}"


def _place(prefix: str) -> str:
    return prefix.rstrip(".") or "the configuration"


def _origins(given: Mapping[str, Given], prefix: str) -> str:
    origins = sorted({one.origin for key, one in given.items() if key.startswith(prefix)})
    return f" (set by {', '.join(origins) or DEFAULT})"


def values_of(settings: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted key and value of every leaf, in order of declaration."""
    hints = annotations_of(type(settings))
    for field in fields(settings):
        value = getattr(settings, field.name)
        if is_section(hints[field.name]):
            yield from values_of(value, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", value
