"""From any row to the run that wrote it and the rows it rests on, down to what the vendor sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from lake.contract import RUN_ID, Table
from lake.errors import LakeError, NoSuchError
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS

PAYLOAD = {"payload_id": "payload_id"}
BAR = {"session": "session", "ticker": "ticker"}
SLICE = {"session": "session", "scope": "scope", "slice": "slice", "horizon": "horizon"}
Links = tuple[tuple[str, dict[str, str]], ...]

LINKS: dict[str, Links] = {
    "trade_reflections": (
        ("executed_trades", {"trade_id": "trade_id"}),
        ("trade_plans", {"plan_id": "entry_plan_id"}),
        ("predictions", {"prediction_id": "prediction_id"}),
    ),
    "decision_scores": (
        ("trade_decisions", {"plan_id": "plan_id"}),
        ("trade_plans", {"plan_id": "plan_id"}),
        ("market_prices", BAR),
    ),
    "portfolio_value": (
        ("portfolio_holdings", {"session": "session"}),
        ("ledger_entries", {"session": "session"}),
    ),
    "portfolio_holdings": (
        ("ledger_entries", BAR),
        ("market_prices", {"session": "close_session", "ticker": "ticker"}),
    ),
    "ledger_entries": (
        ("executed_trades", {"trade_id": "reference"}),
        ("corporate_actions", {"ex_date": "session", "ticker": "ticker"}),
    ),
    "executed_trades": (
        ("trade_plans", {"plan_id": "plan_id"}),
        ("trade_decisions", {"plan_id": "plan_id"}),
        ("market_prices", BAR),
    ),
    "trade_decisions": (("trade_plans", {"plan_id": "plan_id"}),),
    "trade_plans": (
        ("predictions", {"prediction_id": "prediction_id"}),
        ("strategic_priorities", {"session": "session"}),
        ("market_prices", BAR),
    ),
    # It rests on the book's value as well; a link there would lead in a circle, from plan to plan.
    "strategic_priorities": (("feedback_metrics", {"session": "session"}),),
    "learning_insights": (("bias_flags", SLICE), ("feedback_metrics", SLICE)),
    "retrain_candidates": (
        ("model_registry", {"model_id": "model_id"}),
        ("feedback_metrics", {"session": "session"}),
    ),
    "bias_flags": (("prediction_accuracy", {"session": "session", "horizon": "horizon"}),),
    "feedback_metrics": (("session_scores", SLICE),),
    "session_scores": (
        (
            "prediction_accuracy",
            {name: name for name in ("session", "target_session", "horizon", "model_id")},
        ),
    ),
    "validation_events": (("predictions", {"prediction_id": "prediction_id"}),),
    "prediction_accuracy": (
        ("predictions", {"prediction_id": "prediction_id"}),
        ("market_prices", {"session": "target_session", "ticker": "ticker"}),
        ("market_prices", {"session": "made_session", "ticker": "ticker"}),
    ),
    "inference_log": (
        ("ticker_priorities", BAR),
        ("feature_windows", {"features_id": "features_id", "ticker": "ticker"}),
    ),
    "predictions": (
        ("feature_windows", {"features_id": "features_id", "ticker": "ticker"}),
        ("model_registry", {"model_id": "model_id"}),
        ("ticker_priorities", BAR),
    ),
    "ticker_priorities": (("ticker_universe", BAR), ("feature_rows", BAR)),
    "model_promotions": (
        ("model_registry", {"model_id": "model_id"}),
        ("model_choices", {"session": "session"}),
    ),
    "model_choices": (("model_registry", {"model_id": "model_id"}),),
    "model_registry": (("feature_rows", {"session": "train_last"}),),
    "feature_windows": (("feature_rows", BAR),),
    "feature_rows": (
        ("market_prices", BAR),
        ("news_sentiment", BAR),
        ("corporate_actions", {"ex_date": "session", "ticker": "ticker"}),
        ("ticker_universe", BAR),
    ),
    "ticker_universe": (
        ("market_prices", BAR),
        ("instruments", {"ticker": "ticker"}),
        ("constituents", {"ticker": "ticker"}),
    ),
    "news_sentiment": (
        ("news_articles", {"article_id": "article_id"}),
        ("raw_sentiment", {name: name for name in ("article_id", "scorer", "prompt_version")}),
    ),
    "raw_sentiment": (
        ("news_articles", {"article_id": "article_id"}),
        ("raw_replies", {"article_ids": "article_id"}),
    ),
    "raw_replies": (("news_articles", {"article_id": "article_ids"}),),
    "news_articles": (("raw_news", PAYLOAD),),
    "market_prices": (("raw_prices", PAYLOAD),),
    "corporate_actions": (("raw_prices", PAYLOAD),),
    "instruments": (("raw_prices", PAYLOAD),),
    "constituents": (("raw_prices", PAYLOAD),),
    "price_restatements": (
        ("raw_prices", PAYLOAD),
        ("market_prices", {"ticker": "ticker", "interval": "interval", "ts": "ts"}),
    ),
    "quarantined_rows": (("raw_prices", PAYLOAD), ("raw_news", PAYLOAD), ("raw_imports", PAYLOAD)),
    "imported_predictions": (("raw_imports", PAYLOAD),),
    "imported_trades": (("raw_imports", PAYLOAD),),
    "system_health": (("runs", {"session": "session"}),),
    "task_attempts": (("task_requests", {"request_id": "slot"}),),
}
"""Table -> (table its rows rest on, {column there: column here}): the references the contracts carry.

A column of lists refers to, or is referred to by, each of its values. What no column can tell (how far back a feature
looks, which lessons bent a forecast) is in the inputs of the row's run.
"""
SPANS: dict[tuple[str, str], tuple[str, str]] = {
    ("feature_windows", "feature_rows"): ("first_session", "session"),
    ("model_registry", "feature_rows"): ("train_first", "train_last"),
}
"""Links to a whole span of sessions: the row's columns that hold the first and the last of them."""
ROOTS: dict[str, str] = {
    "raw_prices": "what a price source sent",
    "raw_news": "what a news source sent",
    "raw_imports": "what an older system held",
    "runs": "the record of a run; its inputs name the versions it read",
    "task_requests": "an operator's word",
    "task_definitions": "the schedule as it stood",
    "service_heartbeats": "a sign of life",
}
"""Tables whose rows rest on no other row, and what they are."""
BREADTH = 25
"""Rows of one link that a walk goes on from; how many it left is told."""


@dataclass(frozen=True)
class Hop:
    """A place on the way from a row to its sources."""

    depth: int
    table: str
    version: int
    run_id: str
    key: dict[str, Any]
    row: dict[str, Any]
    inputs: dict[str, int] = field(default_factory=dict)
    """Table -> version that the run read, where a run wrote it."""
    left: dict[str, int] = field(default_factory=dict)
    """Table -> further rows it rests on, from which the walk did not go on."""


def find(lake: Lake, table: Table, key: Mapping[str, Any]) -> pl.DataFrame:
    """The published rows whose columns have the given values (compared as text).

    Raises:
        LakeError: if a column does not exist.
        NoSuchError: if no row matches.
    """
    if unknown := [name for name in key if name not in table.stored_schema]:
        raise LakeError(f"{table.name} has no column {unknown[0]!r}; it has {', '.join(table.columns)}")
    rows = lake.read(table, where=refers(table, key))
    if rows.is_empty():
        named = " ".join(f"{name}={value}" for name, value in key.items())
        raise NoSuchError(f"{table.name} has no row with {named}; `nextgen show {table.name}` lists some")
    return rows


def trace(
    lake: Lake, table: Table, key: Mapping[str, Any], breadth: int = BREADTH, depth: int | None = None
) -> list[Hop]:
    """Walk from the first row of that key to everything it rests on, depth first; each row is visited once.

    Args:
        lake: to look in, as published.
        table: where the row lies.
        key: column -> value.
        breadth: rows of one link from which the walk goes on; the rest are counted.
        depth: steps from the row after which it ends; at the roots where None.

    Raises:
        NoSuchError: if there is no such row.
    """
    row = find(lake, table, key).row(0, named=True)
    walk = _Walk(lake, breadth, depth)
    walk.go(table, row, 0)
    return walk.hops


def resting_on(lake: Lake, name: str, row: Mapping[str, Any], target: str, columns: Mapping[str, str]) -> pl.DataFrame:
    """The rows of one link that a row rests on, sorted by key; none where the row refers to nothing there."""
    table = TABLES[target]
    if (name, target) in SPANS:
        first, last = (row[column] for column in SPANS[name, target])
        ticker = refers(table, {"ticker": row["ticker"]}) if "ticker" in row else None
        return lake.read(table, since=first, until=last, where=ticker)
    wanted = {there: row[here] for there, here in columns.items()}
    if any(value is None for value in wanted.values()):
        return pl.DataFrame(schema=table.stored_schema)
    at = wanted.get(table.clock) if table.published_by_run else None
    return lake.read(table, since=at, until=at, where=refers(table, wanted))


def refers(table: Table, values: Mapping[str, Any]) -> pl.Expr:
    """Whether a row of the table has these values: by value where types agree, by text where a person typed one.

    A list asks for any of its values, and a column of lists for one that holds the value.
    """
    tests = [_has(name, table.stored_schema[name], value) for name, value in values.items()]
    return pl.all_horizontal(tests) if tests else pl.lit(True)


def _has(name: str, dtype: pl.DataType, value: Any) -> pl.Expr:
    at = pl.col(name)
    if isinstance(value, list):
        return at.is_in(value)
    if isinstance(dtype, pl.List):
        return at.list.contains(value)
    if isinstance(value, str) and dtype != pl.String:
        at = at.cast(pl.String)
    same: pl.Expr = at == value
    return same


class _Walk:
    """A walk from row to row; what was seen is not visited again."""

    def __init__(self, lake: Lake, breadth: int, depth: int | None) -> None:
        self.lake, self.breadth, self.depth = lake, breadth, depth
        self.hops: list[Hop] = []
        self._seen: set[tuple[str, str]] = set()
        self._inputs: dict[str, dict[str, int]] = {}

    def go(self, table: Table, row: dict[str, Any], depth: int) -> None:
        """Visit a row and all below it."""
        own = {name: row[name] for name in table.key}
        if (table.name, str(own)) in self._seen:
            return
        self._seen.add((table.name, str(own)))
        left: dict[str, int] = {}
        run_id = row[RUN_ID]
        version = self.lake.version(table)
        self.hops.append(Hop(depth, table.name, version, run_id, own, row, self._inputs_of(run_id), left))
        for target, columns in LINKS.get(table.name, ()) if depth != self.depth else ():
            found = resting_on(self.lake, table.name, row, target, columns)
            if found.height > self.breadth:
                left[target] = left.get(target, 0) + found.height - self.breadth
            for one in found.tail(self.breadth).iter_rows(named=True):
                self.go(TABLES[target], one, depth + 1)

    def _inputs_of(self, run_id: str) -> dict[str, int]:
        if run_id not in self._inputs:
            rows = self.lake.read(RUNS, where=pl.col(RUN_ID) == run_id, columns=("inputs",))
            self._inputs[run_id] = json.loads(rows["inputs"][0]) if rows.height else {}
        return self._inputs[run_id]
