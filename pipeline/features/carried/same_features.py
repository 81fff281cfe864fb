"""Which features of a new set mean what they meant in a set that the lake has rows of, and keep their values."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import polars as pl

from lake.runs import DONE, Run
from lake.store import Lake
from lake.tables.control import RUNS
from lake.tables.features import FEATURE_ROWS
from pipeline.features.feature_set import F1, FeatureSet, feature_set, hash_feature
from pipeline.plugins.extensions import Extensions

EXTENSIONS = "extensions"
"""Where the parameters of a run say what it used beyond what the program began with."""
HASH = 8
"""Digits of a feature's hash."""


@dataclass(frozen=True)
class _Earlier:
    """A set that the lake has rows of, as a run recorded it."""

    name: str
    base: str
    parts: Mapping[str, str]
    """Feature beyond the base -> the part of the name that it is in."""
    hashes: Mapping[str, str]
    """Feature -> its own hash; empty for runs that did not note them."""
    settings: Mapping[str, Any]

    def means(self, name: str, chosen: FeatureSet, own: Mapping[str, str]) -> bool:
        """Whether a feature meant there what it means in the chosen set."""
        if name in self.hashes and self.hashes[name] == own[name]:
            return True
        if name in F1:
            return self.base == chosen.base
        return name in self.parts and self.parts[name] == chosen.definitions.get(name)


def take_over(lake: Lake, extensions: Extensions, settings: Mapping[str, Any]) -> Extensions:
    """What a run that begins now uses, and which values it takes over from the rows of another set.

    A set of which there are rows goes on as it is. The first run of a set notes the hash of each feature, by which the
    set after it knows those that did not change.

    Args:
        lake: with the rows of earlier sets.
        extensions: what is declared now.
        settings: the features' settings: a set computed under others is not taken over.
    """
    chosen = feature_set(extensions)
    there, version = pl.col("feature_set") == chosen.name, lake.version_by_runs(FEATURE_ROWS)
    if lake.last_clock(FEATURE_ROWS, until=date.max, where=there, version=version) is not None:
        return extensions
    own = {feature.name: hash_feature(feature) for feature in chosen.features}
    noted = replace(extensions, hashes=own)
    told: dict[str, tuple[str, ...]] = {
        one.name: tuple(name for name in chosen.names if one.means(name, chosen, own))
        for one in _list_earlier(lake, version)
        if one.settings == json.loads(json.dumps(settings, default=str))
    }
    if not any(told.values()):
        return noted
    best = max(told, key=lambda name: len(told[name]))
    return replace(noted, carried_from=best, carried=told[best])


def _list_earlier(lake: Lake, version: int) -> Iterable[_Earlier]:
    """The sets of the last session that has rows, the one with the last run first."""
    last = lake.last_clock(FEATURE_ROWS, until=date.max, version=version)
    if last is None:
        return []
    there = set(lake.read(FEATURE_ROWS, version=version, since=last, columns=("feature_set",))["feature_set"])
    runs = lake.read(RUNS, where=DONE & (pl.col("output_table") == FEATURE_ROWS.name)).sort("started_at")
    found: dict[str, _Earlier] = {}
    for row in runs.iter_rows(named=True):
        one = _read_record(Run.from_row(row).recipe.params)
        before = found.pop(one.name, one)
        found[one.name] = replace(one, hashes=one.hashes or before.hashes)
    return [one for one in reversed(found.values()) if one.name in there]


def _read_record(params: Mapping[str, Any]) -> _Earlier:
    told = params.get(EXTENSIONS, {})
    base, parts = told.get("feature_set", "f1"), told.get("features", {})
    name = "+".join([base, *sorted(set(parts.values()))])
    settings = {name: value for name, value in params.items() if name != EXTENSIONS}
    digits, names = told.get("hashes", ""), sorted({*F1, *parts})
    noted = len(digits) == HASH * len(names)
    hashes = {one: digits[HASH * at : HASH * (at + 1)] for at, one in enumerate(names)} if noted else {}
    return _Earlier(name, base, parts, hashes, settings)
