"""Lineage as a tree: it unfolds both ways and to columns as it is opened, and leaves as text or as a diagram."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from lake.lineage import trace
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.news import NEWS_ARTICLES
from lake.tables.trading import EXECUTED_TRADES, TRADE_PLANS
from nextgen_tui.console.app import ConsoleApp
from nextgen_tui.console.detail_screen import DetailScreen
from nextgen_tui.console.lineage.lineage_screen import LineageScreen
from nextgen_tui.console.runtime.screenshots import wait_until_loaded
from nextgen_tui.console.screen_frame import screen_lines
from nextgen_tui.text.lineage_text import as_mermaid, as_text, escape, name_rows
from pipeline.reading.provenance.lineage_tree import LineageNode, find_ahead, list_columns, unfold
from tests.nextgen_tui.console.desk import FIRST, LAST
from tests.nextgen_tui.console.painted import steering
from tests.nextgen_tui.console.test_app import until
from tests.nextgen_tui.hostile import HOSTILE
from tests.nextgen_tui.lakes import rows

TRADE = {"trade_id": f"{LAST}:ACME:buy"}


def tree_of(path: Path) -> LineageNode:
    lake = Lake.open(path)
    row = lake.read(EXECUTED_TRADES, where=pl.col("trade_id") == TRADE["trade_id"]).row(0, named=True)
    return unfold(lake.read, EXECUTED_TRADES, row, ahead=None)


def tables_of(node: LineageNode) -> set[str]:
    return {node.table.name, *(name for one in node.behind for name in tables_of(one))}


def test_a_tree_has_every_table_that_a_walk_back_visits(desk_path: Path) -> None:
    lake = Lake.open(desk_path)
    visited = {hop.table for hop in trace(lake, EXECUTED_TRADES, TRADE)}
    assert tables_of(tree_of(desk_path)) == visited >= {"trade_plans", "predictions", "feature_rows", "raw_prices"}


def test_the_way_forward_is_the_way_back_of_what_was_made(desk_path: Path) -> None:
    lake = Lake.open(desk_path)
    plan = lake.read(TRADE_PLANS, where=pl.col("session") == FIRST).head(1)
    made = {node.table.name for node in find_ahead(lake.read, LineageNode(TRADE_PLANS, plan))}
    told = {name for name, table in TABLES.items() if any(one.table == "trade_plans" for one in table.references)}
    assert "executed_trades" in made <= told


def test_a_rows_columns_say_where_they_were_taken_from(desk_path: Path) -> None:
    facts = {one.name: one for one in list_columns(EXECUTED_TRADES, tree_of(desk_path).row)}
    assert facts["plan_id"].origins[0] == "trade_plans.plan_id" and facts["plan_id"].value == f"{FIRST}:ACME"
    assert facts["shares"].origins == () and facts["shares"].unit == "shares"


def test_rows_that_are_alike_are_one_line_that_says_which(desk_path: Path) -> None:
    lake = Lake.open(desk_path)
    many = lake.read(TRADE_PLANS, where=pl.col("session") == LAST)
    assert name_rows(LineageNode(TRADE_PLANS, many)) == f"session={LAST}, ticker ACME to ZETA"


def test_as_text_and_as_a_diagram_each_row_is_there_once(desk_path: Path) -> None:
    root = tree_of(desk_path)
    text, diagram = as_text(root), as_mermaid(root)
    assert text.startswith("executed_trades  trade_id=") and "\nrests on\n" in text
    assert f"plan_id = {FIRST}:ACME" in text and "← trade_plans.plan_id" in text
    lines = diagram.splitlines()
    boxes = [line.split('["')[1] for line in lines if '["' in line]
    assert lines[0] == "flowchart LR" and len(boxes) == len(set(boxes)) > 5
    assert '    n1 -- "plan_id" --> n0' in lines
    assert len(as_text(root, columns=True)) > len(text) and len(as_mermaid(root, columns=True)) > len(diagram)


def test_a_hostile_value_ends_no_label() -> None:
    for text in HOSTILE:
        safe = escape(f'{text}"]; click n0 "javascript:x" <b>`')
        assert not set(safe) & set('"<>`\n')
    node = LineageNode(NEWS_ARTICLES, rows(NEWS_ARTICLES, {"article_id": 'x"] --> n9["<script>', "title": "a"}))
    assert "<script>" not in as_mermaid(node) and as_mermaid(node).count('"') == 2


async def test_the_tree_unfolds_to_columns_and_both_ways_by_keys(desk_path: Path, tmp_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(140, 40)) as pilot:
        await wait_until_loaded(pilot)
        await pilot.press("6")
        await wait_until_loaded(pilot)
        await pilot.press("tab", "L")
        await until(pilot, lambda: isinstance(app.screen, LineageScreen))
        tree = app.screen
        assert isinstance(tree, LineageScreen)
        await until(pilot, lambda: "trade_plans" in tree.text())
        await pilot.press("down", "enter")
        await until(pilot, lambda: "shares = 50  (shares)" in tree.text())
        await pilot.press("slash", *"trade_plans.*by", "enter", "enter")
        await until(pilot, lambda: "predictions" in tree.text())
        made = tree.unfolded()
        assert "predictions" in tables_of(made) and "feature_rows" not in tables_of(made), "as far as it was opened"
        await pilot.press("e", *["backspace"] * 40, *str(tmp_path / "tree.mmd"), "enter")
        await until(pilot, lambda: (tmp_path / "tree.mmd").exists())
        assert (tmp_path / "tree.mmd").read_text() == as_mermaid(made)
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, DetailScreen))
        await pilot.press("L")
        await until(pilot, lambda: isinstance(app.screen, LineageScreen) and app.screen is not tree)
        await pilot.press("backspace", "backspace", "backspace")
        await until(pilot, lambda: not isinstance(app.screen, LineageScreen | DetailScreen))


async def test_what_was_unfolded_elsewhere_in_time_is_left(desk_path: Path) -> None:
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_until_loaded(pilot)
        await pilot.press("6")
        await wait_until_loaded(pilot)
        await pilot.press("tab", "L")
        await until(pilot, lambda: isinstance(app.screen, LineageScreen))
        await pilot.press("t", *str(FIRST), "enter")
        await until(pilot, lambda: f"AS OF {FIRST}" in screen_lines(app.screen)[0])
        assert not isinstance(app.screen, LineageScreen)


async def test_hostile_values_steer_nothing_from_a_tree(desk_path: Path) -> None:
    texts = [one.encode("utf-8", "ignore").decode() for one in HOSTILE]
    made = rows(NEWS_ARTICLES, *({"article_id": f"{text}{n}", "title": text} for n, text in enumerate(texts)))
    root = LineageNode(NEWS_ARTICLES, made.with_columns(run_id=pl.lit(texts[1])))
    app = ConsoleApp(desk_path)
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_until_loaded(pilot)
        app.push_screen(LineageScreen(root))
        await until(pilot, lambda: isinstance(app.screen, LineageScreen) and app.screen.is_mounted)
        await pilot.press("down", "enter", "down", "down", "enter")
        await pilot.pause()
        assert steering(app.screen) == []
        assert isinstance(app.screen, LineageScreen) and all(
            line.isprintable() for line in app.screen.text().split("\n")
        )
