"""The specialists that speak at a session: for whom, and with which weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from pipeline.features.feature_set import contains
from pipeline.models.members.member import Member
from pipeline.models.registry import Ensemble, load_members
from pipeline.models.targets.target import NARROW, Target, parse_target


@dataclass(frozen=True)
class Specialist:
    """What was tuned for some names, ready for inference in the champion's place."""

    specialist_id: str
    target: Target
    ensemble: Ensemble
    """Under the champion's name: it decides, in their case with these weights."""


def load_specialists(
    specialists: pl.DataFrame,
    targeted_trainings: pl.DataFrame,
    champion: str | None,
    kinds: Sequence[Member],
    feature_set: str,
) -> list[Specialist]:
    """Those that speak beside a champion, the narrowest first: each name is spoken for by the first that names it.

    One lapses with the champion it began as, and with the next training for the same target, whatever came of it.

    Args:
        specialists: rows of the table, all of a champion's at least.
        targeted_trainings: rows of the table, up to the session.
        champion: the model that decides; None where there is none.
        kinds: the kinds of members there are.
        feature_set: name of the set whose rows they would be shown.

    Raises:
        RegistryError, WeightsError: if one cannot be loaded, naming it.
    """
    latest = targeted_trainings.sort("session").unique("target", keep="last", maintain_order=True)
    speaking = latest.filter(pl.col("speaks") & (pl.col("champion") == (champion or "")))
    found = []
    for specialist_id, target, decides in speaking.select("specialist_id", "target", "champion").iter_rows():
        rows = specialists.filter(pl.col("specialist_id") == specialist_id).with_columns(model_id="specialist_id")
        if contains(feature_set, rows["feature_set"][0]):  # else the champion cannot forecast either
            loaded = load_members(rows, specialist_id, members=kinds, feature_set=feature_set)
            found.append(Specialist(specialist_id, parse_target(target), replace(loaded, model_id=decides)))
    return sorted(found, key=lambda one: (NARROW.index(one.target.kind), len(one.target.names), str(one.target)))


def share_out(tickers: pl.DataFrame, speaking: Sequence[Specialist]) -> list[tuple[Specialist | None, pl.DataFrame]]:
    """Who speaks for whom: parts of a frame with `ticker` and `sector`, those of the champion alone last."""
    parts: list[tuple[Specialist | None, pl.DataFrame]] = []
    left = tickers
    for one in speaking:
        mine = left.filter(one.target.members())
        if not mine.is_empty():
            parts.append((one, mine))
            left = left.filter(~one.target.members())
    return [*parts, (None, left)] if not left.is_empty() or not parts else parts
