"""From any row to the run that wrote it and the rows it rests on, down to what the vendor sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import polars as pl

from lake.contract import RUN_ID, Table
from lake.errors import LakeError
from lake.store import Lake
from lake.tables import TABLES

LINKS: dict[str, tuple[tuple[str, dict[str, str]], ...]] = {
    "trade_reflections": (
        ("executed_trades", {"trade_id": "trade_id"}),
        ("trade_plans", {"plan_id": "entry_plan_id"}),
    ),
    "ledger_entries": (("executed_trades", {"trade_id": "reference"}),),
    "executed_trades": (("trade_plans", {"plan_id": "plan_id"}),),
    "trade_plans": (("predictions", {"prediction_id": "prediction_id"}),),
    "prediction_accuracy": (("predictions", {"prediction_id": "prediction_id"}),),
    "predictions": (
        ("feature_windows", {"features_id": "features_id", "ticker": "ticker"}),
        ("model_registry", {"model_id": "model_id"}),
    ),
    "feature_windows": (("feature_rows", {"session": "session", "ticker": "ticker"}),),
    "feature_rows": (
        ("market_prices", {"session": "session", "ticker": "ticker"}),
        ("news_sentiment", {"session": "session", "ticker": "ticker"}),
    ),
    "news_sentiment": (("news_articles", {"article_id": "article_id"}),),
    "news_articles": (("raw_news", {"payload_id": "payload_id"}),),
    "market_prices": (("raw_prices", {"payload_id": "payload_id"}),),
    "corporate_actions": (("raw_prices", {"payload_id": "payload_id"}),),
    "price_restatements": (("raw_prices", {"payload_id": "payload_id"}),),
    "quarantined_rows": (("raw_prices", {"payload_id": "payload_id"}),),
}
"""Table -> (table its rows rest on, {column there: column here}): the references the contracts carry."""


@dataclass(frozen=True)
class Hop:
    """A place on the way from a row to its sources."""

    depth: int
    table: str
    version: int
    run_id: str
    key: dict[str, Any]
    row: dict[str, Any]


def find(lake: Lake, table: Table, key: Mapping[str, Any]) -> pl.DataFrame:
    """The published rows whose columns have the given values (compared as text).

    Raises:
        LakeError: if a column does not exist, or no row matches.
    """
    if unknown := [name for name in key if name not in table.stored_schema]:
        raise LakeError(f"{table.name} has no column {unknown[0]!r}; it has {', '.join(table.columns)}")
    rows = lake.read(table, where=_equal(key))
    if rows.is_empty():
        raise LakeError(f"{table.name} has no row with {dict(key)}; `nextgen show {table.name}` lists some")
    return rows


def trace(lake: Lake, table: Table, key: Mapping[str, Any]) -> list[Hop]:
    """Walk from the first row of that key to everything it rests on, depth first; each row is visited once.

    Raises:
        LakeError: if there is no such row.
    """
    row = find(lake, table, key).row(0, named=True)
    hops: list[Hop] = []
    _walk(lake, table, row, 0, hops, set())
    return hops


def _walk(
    lake: Lake, table: Table, row: dict[str, Any], depth: int, hops: list[Hop], seen: set[tuple[str, str]]
) -> None:
    own = {name: row[name] for name in table.key}
    if (table.name, str(own)) in seen:
        return
    seen.add((table.name, str(own)))
    hops.append(Hop(depth, table.name, lake.version(table), row[RUN_ID], own, row))
    for target, columns in LINKS.get(table.name, ()):
        wanted = {there: row[here] for there, here in columns.items()}
        if any(value is None for value in wanted.values()):
            continue
        for found in lake.read(TABLES[target], where=_equal(wanted)).iter_rows(named=True):
            _walk(lake, TABLES[target], found, depth + 1, hops, seen)


def _equal(values: Mapping[str, Any]) -> pl.Expr:
    """Equality by value where types agree, by text where the value was typed by a person."""
    tests = [
        pl.col(name).cast(pl.String) == value if isinstance(value, str) else pl.col(name) == value
        for name, value in values.items()
    ]
    return reduce(lambda one, other: one & other, tests, pl.lit(True))
