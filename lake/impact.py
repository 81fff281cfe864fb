"""What was derived from a row: every feature, window, forecast, score, plan and trade that used it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from lake.contract import Table
from lake.lineage import LINKS, SPANS, find
from lake.store import Lake
from lake.tables import TABLES

_SEEN, _ROW = "seen at", "row number"
DIFFUSE = frozenset(
    {
        ("predictions", "model_registry"),
        ("retrain_candidates", "model_registry"),
        ("model_promotions", "model_registry"),
        ("model_choices", "model_registry"),
        ("trade_plans", "strategic_priorities"),
    }
)
"""(table, table it rests on): through these one value touches everything a little. They are followed from the row
asked for, and not from what was found on the way: a bar's impact names the models it trained, not all they forecast."""


@dataclass(frozen=True)
class Impact:
    """The rows of one table that rest on the row asked for, directly or through others."""

    table: str
    through: tuple[str, ...]
    """The tables they rest on it through."""
    rows: pl.DataFrame
    """Whole rows, with the run that wrote each, sorted by key."""


def impact(lake: Lake, table: Table, key: Mapping[str, Any], reach: int) -> list[Impact]:
    """Follow the references of the contracts upwards from the rows of that key, as published.

    Args:
        lake: to look in.
        table: where the rows lie.
        key: column -> value.
        reach: sessions for which a bar counts in the features of later sessions: the look-back of their stage.

    Returns:
        One entry per table that holds rows resting on them, in the order data flows.

    Raises:
        LakeError: if there is no such row.
    """
    used = {table.name: find(lake, table, key)}
    found: list[Impact] = []
    for name in _downstream(table.name):
        parents = [
            (parent, columns)
            for parent, columns in LINKS[name]
            if parent in used and ((name, parent) not in DIFFUSE or parent == table.name)
        ]
        if not parents:
            continue
        rows = lake.read(TABLES[name])
        hits = [_resting(rows, name, parent, used[parent], columns, reach) for parent, columns in parents]
        resting = pl.concat(hits).unique(subset=list(TABLES[name].key), keep="first").sort(TABLES[name].key)
        if not resting.is_empty():
            used[name] = resting
            found.append(Impact(name, tuple(dict.fromkeys(parent for parent, _ in parents)), resting))
    return found


def _downstream(start: str) -> list[str]:
    """The tables that can rest on it, each after those it rests on."""
    order: list[str] = []
    reached, before = {start}, -1
    while len(reached) != before:
        before = len(reached)
        reached |= {name for name, links in LINKS.items() if any(parent in reached for parent, _ in links)}
    waiting = reached - {start}
    while waiting:
        ready = [
            name
            for name in TABLES
            if name in waiting and not any(parent in waiting for parent, _ in LINKS[name] if parent != name)
        ]
        order += ready
        waiting -= set(ready)
    return order


def _resting(
    rows: pl.DataFrame, name: str, parent: str, used: pl.DataFrame, columns: Mapping[str, str], reach: int
) -> pl.DataFrame:
    """The rows of a table that refer to rows used: by equal columns, or by a span of sessions that holds them."""
    if (parent, name) == ("market_prices", "feature_rows"):
        return _within_reach(rows, used, reach)
    if (name, parent) in SPANS:
        return _spanning(rows, used, *SPANS[name, parent])
    numbered = rows.with_row_index(_ROW)
    here, refers = numbered, used.select([pl.col(there).alias(here) for there, here in columns.items()]).unique()
    for column in columns.values():
        # Either side may name several at once.
        here = here.explode(column) if isinstance(here.schema[column], pl.List) else here
        refers = refers.explode(column) if isinstance(refers.schema[column], pl.List) else refers
    hits = here.join(refers, on=list(columns.values()), how="semi")[_ROW].unique()
    return numbered.filter(pl.col(_ROW).is_in(hits.implode())).drop(_ROW)


def _spanning(rows: pl.DataFrame, used: pl.DataFrame, first: str, last: str) -> pl.DataFrame:
    """The rows whose span of sessions holds a session used; of the same ticker where they are about one."""
    on = ["ticker"] if "ticker" in rows.columns else []
    at = used.select(*on, pl.col("session").alias(_SEEN)).unique()
    numbered = rows.with_row_index(_ROW)
    both = numbered.join(at, on=on) if on else numbered.join(at, how="cross")
    hits = both.filter(pl.col(_SEEN).is_between(first, last))[_ROW].unique()
    return numbered.filter(pl.col(_ROW).is_in(hits.implode())).drop(_ROW)


def _within_reach(rows: pl.DataFrame, used: pl.DataFrame, reach: int) -> pl.DataFrame:
    """A bar counts in the features of its own session and of the `reach` sessions after it."""
    sessions = rows.select("session").unique().sort("session").with_row_index("number")
    numbered = rows.join(sessions, on="session")
    at = used.select("ticker", "session").unique().sort("session")
    # A bar older than all features takes the number of the first session that has any.
    firsts = at.join_asof(sessions, on="session", strategy="forward").select("ticker", pl.col("number").alias(_SEEN))
    near = numbered.join(firsts, on="ticker").filter(
        (pl.col("number") >= pl.col(_SEEN)) & (pl.col("number") <= pl.col(_SEEN) + reach)
    )
    return near.select(rows.columns).unique(subset=list(TABLES["feature_rows"].key), maintain_order=True)
