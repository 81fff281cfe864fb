"""The file that registers an experiment: what is asked, what is varied, over which sessions, and what would end it."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice, product
from pathlib import Path
from random import Random
from typing import Any, TypeGuard

from lake.branches.branch import MAIN, NAME
from lake.errors import NoSuchError
from pipeline.config import ConfigError
from pipeline.config.check_values import Given, from_toml, nearest
from pipeline.config.fields import settings_of
from pipeline.config.layers import names_of
from pipeline.config.settings import Settings
from pipeline.research import ResearchError
from pipeline.research.compare_runs import RETURN, unit_of
from pipeline.research.variants.variant_branch import require_varied

KEYS = ("name", "question", "kill", "keep_above", "base", "from", "to", "metric", "vary", "search", "variant")
SEARCH_KEYS = ("points", "seed")
VARIANT_KEYS = ("name", "set")
MAX_VARIANTS = 1_000
NAME_LENGTH = 30


@dataclass(frozen=True, kw_only=True)
class Variant:
    """Settings beside the base's."""

    name: str
    settings: Mapping[str, Given]
    """By dotted key; none of them for the code of today under the base's settings."""


@dataclass(frozen=True, kw_only=True)
class Spec:
    """An experiment as it is asked for."""

    name: str
    question: str
    kill: str
    keep_above: float
    base: str
    first: date
    last: date
    metric: str
    variants: tuple[Variant, ...]
    text: str
    """The file."""


def read_spec_file(path: Path) -> Spec:
    """Read an experiment's file from where it lies.

    Raises:
        ResearchError: if it is not UTF-8 text, or what `read_spec` raises.
        ConfigError: for a setting that is unknown or out of range.
    """
    try:
        return read_spec(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ResearchError(f"{path} is not UTF-8 text ({error.reason}); save it as UTF-8") from error


def read_spec(text: str) -> Spec:
    """Read an experiment's file.

    Raises:
        ResearchError: for the first thing that is wrong with it, with what would be right.
        ConfigError: for a setting that is unknown or out of range.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ResearchError(f"the experiment's file is not valid TOML: {error}") from error
    _refuse_unknown(content, KEYS, "the experiment")
    first, last = _day(content, "from"), _day(content, "to")
    if last < first:
        raise ResearchError(f"the experiment runs from {first} to {last}; a span ends after it begins")
    return Spec(
        name=_name(content),
        question=_text(content, "question"),
        kill=_text(content, "kill"),
        keep_above=_number(content, "keep_above", 0.0),
        base=_text(content, "base", MAIN),
        first=first,
        last=last,
        metric=_metric(content),
        variants=tuple(_variants(content)),
        text=text,
    )


def _metric(content: Mapping[str, Any]) -> str:
    metric = _text(content, "metric", RETURN)
    try:
        unit_of(metric)
    except NoSuchError as error:
        raise ResearchError(f"the experiment's metric: {error}") from error
    return metric


# ---- variants


def _variants(content: Mapping[str, Any]) -> list[Variant]:
    """Those of the grid, or so many points of it, then those that are listed."""
    grid = list(_grid(content.get("vary", {})))
    if (search := content.get("search")) is not None:
        grid = _draw(grid, search)
    listed = content.get("variant", [])
    if not isinstance(listed, list):
        raise ResearchError("variants are written as [[variant]], in two brackets, each with name and set")
    found = [*grid, *(_listed(number, one) for number, one in enumerate(listed, 1))]
    if not found:
        raise ResearchError("the experiment varies nothing; give lists of values under [vary], or a [[variant]]")
    if len(found) > MAX_VARIANTS:
        raise ResearchError(
            f"the experiment has {len(found):,} variants, and {MAX_VARIANTS:,} are the most; draw some with [search]"
        )
    names = [one.name for one in found]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise ResearchError(f"two variants are called {doubled[0]}; give each a name of its own")
    return found


def _grid(vary: Any) -> Iterator[Variant]:
    if not isinstance(vary, Mapping):
        raise ResearchError("[vary] is a table of settings, each with a list of values")
    lists = _flatten(vary)
    for key, values in lists.items():
        if not isinstance(values, list) or not values:
            raise ResearchError(f"[vary] gives {key} no list of values; write it as [0.1, 0.2]")
    if not lists:
        return
    for number, values in enumerate(islice(product(*lists.values()), 100 * MAX_VARIANTS), 1):
        chosen = dict(zip(lists, values, strict=True))
        yield Variant(name=f"{number:03d}-{_describe(chosen)}", settings=_given(chosen))


def _draw(grid: list[Variant], search: Any) -> list[Variant]:
    """So many points of the grid, by chance but always the same ones."""
    if not isinstance(search, Mapping):
        raise ResearchError("[search] is a table with points and seed")
    _refuse_unknown(search, SEARCH_KEYS, "[search]")
    points, seed = search.get("points"), search.get("seed", 0)
    if not _is_whole(points) or points < 1:
        raise ResearchError("[search] needs points: how many of the grid are tried, at least 1")
    if not _is_whole(seed):
        raise ResearchError(f"[search] has the seed {seed!r}; write a whole number")
    if not grid:
        raise ResearchError("[search] has nothing to draw from; give lists of values under [vary]")
    drawn = Random(seed).sample(range(len(grid)), min(points, len(grid)))
    return [grid[at] for at in sorted(drawn)]


def _listed(number: int, one: Any) -> Variant:
    if not isinstance(one, Mapping):
        raise ResearchError("[[variant]] is a table with name and set")
    _refuse_unknown(one, VARIANT_KEYS, f"[[variant]] number {number}")
    name = one.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name) or len(name) > NAME_LENGTH:
        raise ResearchError(
            f"[[variant]] number {number} needs a name of up to {NAME_LENGTH} small letters, digits and dashes"
        )
    chosen = one.get("set", {})
    if not isinstance(chosen, Mapping):
        raise ResearchError(f"[[variant]] number {number} has set = {chosen!r}; write the settings under [variant.set]")
    return Variant(name=name, settings=_given(_flatten(chosen)))


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted key -> value, whether sections were written as tables or in the key."""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        key = f"{prefix}{name}"
        flat |= _flatten(value, f"{key}.") if isinstance(value, Mapping) else {key: value}
    return flat


def _given(chosen: Mapping[str, Any]) -> dict[str, Given]:
    """Values held to the types and ranges of their settings."""
    settings, given = settings_of(Settings), {}
    names = names_of(settings)
    for key, value in chosen.items():
        if key not in names:
            raise ConfigError(f"there is no setting {key}{nearest(key, names)}")
        require_varied(key)
        given[names[key].key] = Given(from_toml(names[key], value, "the experiment"), "the experiment")
    return given


def _describe(chosen: Mapping[str, Any]) -> str:
    """A name for a point of the grid that a person recognises."""
    words = "-".join(f"{key.split('.')[-1]}-{value}" for key, value in chosen.items()).lower()
    return "".join(c if c.isalnum() or c in ".-" else "-" for c in words.replace("_", "-"))[: NAME_LENGTH - 4].strip(
        "-."
    )


# ---- single values


def _refuse_unknown(content: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in content:
        if key not in known:
            hint = nearest(key, known) or f"; choose from {', '.join(known)}"
            raise ResearchError(f"{where} has no key {key!r}{hint}")


def _name(content: Mapping[str, Any]) -> str:
    name = _text(content, "name")
    if not NAME.fullmatch(name) or len(name) > NAME_LENGTH or name == MAIN:
        raise ResearchError(
            f"{name!r} cannot be the name of an experiment; write up to {NAME_LENGTH} small letters, digits, dots and"
            " dashes"
        )
    return name


def _text(content: Mapping[str, Any], key: str, otherwise: str | None = None) -> str:
    value = content.get(key, otherwise)
    if not isinstance(value, str) or not value.strip():
        what = {
            "question": "what is to be found out",
            "kill": "what would have to come out for the idea to be given up",
        }.get(key, "a text")
        raise ResearchError(f"the experiment needs {key}: {what}")
    return value


def _number(content: Mapping[str, Any], key: str, otherwise: float) -> float:
    value = content.get(key, otherwise)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ResearchError(f"{key} is {value!r}; write a number")
    return float(value)


def _is_whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _day(content: Mapping[str, Any], key: str) -> date:
    value = content.get(key)
    if isinstance(value, datetime):  # a date to Python, which compares with none
        raise ResearchError(f"the experiment has {key} = {value}; write the session alone, such as 2021-03-01")
    try:
        return value if isinstance(value, date) else date.fromisoformat(str(value))
    except ValueError:
        raise ResearchError(f"the experiment needs {key}: a session, such as 2021-03-01") from None
