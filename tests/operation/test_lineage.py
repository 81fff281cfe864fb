"""From any row of a running operation down to what the vendor sent, and from there up to all that used it."""

from __future__ import annotations

import polars as pl
import pytest

from lake.impact import trace_impact
from lake.lineage import MAX_BREADTH, find_rows, read_sources, trace
from lake.tables import TABLES
from tests.operation.conftest import Operation

DERIVED = [name for name, table in TABLES.items() if not table.root]
SAMPLED = 12
RARE = {
    ("ledger_entries", "corporate_actions"),
    ("feature_rows", "corporate_actions"),
    ("feature_rows", "news_sentiment"),
    ("quarantined_rows", "raw_news"),
    ("feedback_metrics", "session_scores"),
    ("learning_insights", "bias_flags"),
    ("learning_insights", "hypotheses"),
    ("retrain_candidates", "feedback_metrics"),
    ("strategic_priorities", "feedback_metrics"),
}
"""Links that few rows have: none of a sample need to."""


def sample(operation: Operation, name: str) -> pl.DataFrame:
    rows = operation.lake.read(TABLES[name])
    return pl.concat([rows.head(SAMPLED), rows.tail(SAMPLED)]).unique(TABLES[name].key, maintain_order=True)


@pytest.mark.parametrize("name", DERIVED)
def test_what_a_row_refers_to_is_there(operation: Operation, name: str) -> None:
    rows = sample(operation, name)
    for reference in TABLES[name].references:
        target = reference.table
        if rows.is_empty() or not operation.lake.rows(TABLES[target]):
            continue
        found = [read_sources(operation.lake.read, row, reference).height for row in rows.iter_rows(named=True)]
        assert (name, target) in RARE or any(found), f"no row of {name} finds what it rests on in {target}"


@pytest.mark.parametrize("name", DERIVED)
def test_every_row_leads_to_a_root(operation: Operation, name: str) -> None:
    rows = sample(operation, name)
    if rows.is_empty():
        pytest.skip(f"this operation wrote no {name}")
    row = rows.row(-1, named=True)
    hops = trace(operation.lake, TABLES[name], {column: row[column] for column in TABLES[name].key}, breadth=2)
    assert hops[0].table == name and hops[0].depth == 0
    assert {hop.table for hop in hops} & {table.name for table in TABLES.values() if table.root}
    if hops[0].run_id in set(operation.lake.read(TABLES["runs"], columns=("run_id",))["run_id"]):
        assert hops[0].inputs, "the run that wrote it names what it read"


def test_a_trade_leads_to_the_vendors_own_words_and_they_lead_back_to_it(operation: Operation) -> None:
    trades = TABLES["executed_trades"]
    row = operation.lake.read(trades, where=pl.col("shares") > 0).row(0, named=True)
    hops = trace(operation.lake, trades, {"trade_id": row["trade_id"]}, breadth=3)
    way = {hop.table for hop in hops}
    assert {"trade_plans", "predictions", "feature_windows", "feature_rows", "market_prices", "raw_prices"} <= way
    assert hops[0].inputs["trade_plans"] > 0
    bar = next(hop for hop in hops if hop.table == "market_prices" and hop.row["ticker"] == row["ticker"])
    upwards = {one.table: one.rows for one in trace_impact(operation.lake, TABLES["market_prices"], bar.key)}
    assert row["trade_id"] in upwards["executed_trades"]["trade_id"].to_list()
    for table in ("feature_rows", "feature_windows", "predictions", "trade_plans", "ledger_entries"):
        assert upwards[table].height, table


def test_a_walk_can_end_after_some_steps(operation: Operation) -> None:
    trades = TABLES["executed_trades"]
    key = {"trade_id": operation.lake.read(trades)["trade_id"][-1]}
    near, far = (trace(operation.lake, trades, key, breadth=3, depth=depth) for depth in (2, None))
    assert max(hop.depth for hop in near) == 2 < max(hop.depth for hop in far)
    assert {(hop.table, str(hop.key)) for hop in near} <= {(hop.table, str(hop.key)) for hop in far}


def test_a_bar_that_a_model_was_trained_on_names_the_model_and_not_all_it_forecast(operation: Operation) -> None:
    model = sample(operation, "model_registry").row(0, named=True)
    bars = operation.lake.read(TABLES["market_prices"], since=model["train_first"], until=model["train_first"])
    key = {name: bars.row(0, named=True)[name] for name in ("ticker", "session")}
    above = {one.table: one for one in trace_impact(operation.lake, TABLES["market_prices"], key)}
    assert model["model_id"] in above["model_registry"].rows["model_id"].to_list()
    assert "predictions" not in above


@pytest.mark.parametrize("name", [name for name in DERIVED if name not in ("system_health", "task_attempts")])
def test_both_directions_agree(operation: Operation, name: str) -> None:
    """What a row rests on, asked what was made of it, names the row."""
    rows = sample(operation, name)
    for reference in TABLES[name].references:
        target = reference.table
        for row in rows.tail(3).iter_rows(named=True):
            below = read_sources(operation.lake.read, row, reference)
            if below.is_empty():
                continue
            key = {column: below.row(-1, named=True)[column] for column in TABLES[target].key}
            above = {one.table: one.rows for one in trace_impact(operation.lake, TABLES[target], key)}
            own = pl.DataFrame(
                [{column: row[column] for column in TABLES[name].key}],
                schema_overrides={column: TABLES[name].schema[column] for column in TABLES[name].key},
            )
            assert above[name].join(own, on=TABLES[name].key, how="semi").height == 1, (name, target)
            break


def test_a_wide_row_is_followed_in_part_and_says_how_much_it_left(operation: Operation) -> None:
    key = sample(operation, "model_registry").select("model_id", "member").row(0, named=True)
    hops = trace(operation.lake, TABLES["model_registry"], key)
    below = [hop for hop in hops if hop.depth == 1]
    assert len(below) == MAX_BREADTH
    row = find_rows(operation.lake, TABLES["model_registry"], key).row(0, named=True)
    whole = operation.lake.read(TABLES["feature_rows"], since=row["train_first"], until=row["train_last"]).height
    assert hops[0].not_followed == {"feature_rows": whole - MAX_BREADTH}
