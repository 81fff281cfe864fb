"""What the features are, and the values one of them had."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches

import polars as pl

from lake.errors import LakeError
from lake.store import Lake
from lake.tables.features import FEATURE_ROWS
from lake.tables.feedback import FEATURE_DRIFT
from pipeline.features.catalogue import BUILT_IN, NAMED_SETS
from pipeline.features.feature import Feature
from pipeline.features.feature_set import hash_feature
from pipeline.plugins.plugins import Plugins

SHARES = {"lowest": 0.0, "q05": 0.05, "median": 0.5, "q95": 0.95, "highest": 1.0}
"""Name -> share of the tickers below it."""


class UnknownFeatureError(LakeError):
    """Nothing declares a feature of this name."""


@dataclass(frozen=True)
class DeclaredFeature:
    """A feature, where it comes from, and whether runs that begin now compute it."""

    feature: Feature
    origin: str
    """`built in`, the named set, or the plugin that declares it."""
    computed: bool

    @property
    def code_hash(self) -> str:
        """Eight digits that change whenever its declaration or code does."""
        return hash_feature(self.feature)


def list_features(plugins: Plugins) -> list[DeclaredFeature]:
    """Every feature there is: built in, of the named sets, and of the plugins that load."""
    own = [DeclaredFeature(one, "built in", computed=True) for one in BUILT_IN]
    named = [
        DeclaredFeature(one, name, computed=name in plugins.feature_sets)
        for name, features in NAMED_SETS.items()
        for one in features
    ]
    theirs = [DeclaredFeature(one, plugin.name, computed=True) for plugin in plugins.files for one in plugin.features]
    return [*own, *named, *theirs]


def find_feature(name: str, declared: list[DeclaredFeature]) -> DeclaredFeature:
    """The feature of a name.

    Raises:
        UnknownFeatureError: with the name that comes nearest.
    """
    by_name = {one.feature.name: one for one in declared}
    if name not in by_name:
        near = get_close_matches(name, by_name, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "`nextgen features` lists them"
        raise UnknownFeatureError(f"there is no feature {name!r}; {hint}")
    return by_name[name]


def read_values(lake: Lake, name: str, ticker: str, as_of: datetime | None = None) -> pl.DataFrame:
    """The values of a feature of a ticker: session (Date) and value (Float32, null where unknown), in order."""
    rows = lake.read(FEATURE_ROWS, where=pl.col("ticker") == ticker, columns=_columns(lake, name), as_of=as_of)
    return _last_written(rows, name).select("session", "value").sort("session")


def describe_values(lake: Lake, name: str, as_of: datetime | None = None) -> dict[str, object] | None:
    """How a feature's values lie at the last session that has any: how many, how many unknown, and between what.

    Returns:
        session, tickers, unknown, and the names of SHARES; None where the lake has no value of it.
    """
    last = lake.read(FEATURE_ROWS, columns=("session",), as_of=as_of)["session"].max()
    if not isinstance(last, date):
        return None
    rows = lake.read(FEATURE_ROWS, since=last, until=last, columns=_columns(lake, name), as_of=as_of)
    values = _last_written(rows, name)["value"]
    known = values.drop_nulls()
    if known.is_empty():
        return None
    told: dict[str, object] = {"session": last, "tickers": len(values), "unknown": values.null_count()}
    return told | {label: known.quantile(share, "linear") for label, share in SHARES.items()}


def read_drift(lake: Lake, name: str, as_of: datetime | None = None) -> dict[str, object] | None:
    """The last row of feature_drift about a feature: whether it lies where it lay in the champion's training rows.

    Returns:
        The columns of feature_drift; None where it was never measured.
    """
    rows = lake.read(FEATURE_DRIFT, where=pl.col("feature") == name, as_of=as_of).sort("session", "model_id")
    return rows.row(-1, named=True) if rows.height else None


def _columns(lake: Lake, name: str) -> tuple[str, ...]:
    """The key, and the feature where the table has it."""
    return (*FEATURE_ROWS.key, *({name} & {*lake.columns(FEATURE_ROWS)}))


def _last_written(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """One row for each ticker and session; of several sets that have the feature, of the one that goes on for longest.

    Of two that go on as long the one with more parts is later.
    """
    if name not in rows.columns:
        return rows.select("ticker", "session", value=pl.lit(None, dtype=pl.Float32)).clear()
    last, parts = pl.col("session").max().over("feature_set"), pl.col("feature_set").str.len_chars()
    told = rows.select("ticker", "session", "feature_set", value=name).sort(last, parts, maintain_order=True)
    return told.unique(["ticker", "session"], keep="last", maintain_order=True)
