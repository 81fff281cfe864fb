"""Every table is on the way from a vendor's answer to the book, or says why it rests on nothing."""

from __future__ import annotations

from graphlib import TopologicalSorter
from types import ModuleType
from typing import Any

import polars as pl
import pytest

from lake.contract import Table
from lake.lineage import match_values
from lake.tables import MODULES, TABLES, collect_tables
from lake.tables.vocabulary import SESSION

SOURCES = {name: {reference.table for reference in table.references} for name, table in TABLES.items()}


def test_something_rests_on_every_vendor_table_and_all_ways_lead_to_a_root() -> None:
    def roots(name: str) -> set[str]:
        return {name} if TABLES[name].root else set().union(*(roots(source) for source in SOURCES[name]))

    assert all(TABLES[root].root for name in TABLES for root in roots(name))
    assert {"raw_prices", "raw_news", "raw_imports"} <= set().union(*SOURCES.values())
    assert "raw_prices" in roots("portfolio_value") and "raw_news" in roots("trade_plans")


def test_the_references_lead_in_no_circle() -> None:
    graph = {name: sources - {name} for name, sources in SOURCES.items()}
    assert list(TopologicalSorter(graph).static_order())


def test_several_columns_that_refer_to_one_are_references_of_their_own() -> None:
    bars = [one.columns for one in TABLES["prediction_accuracy"].references if one.table == "market_prices"]
    assert bars == [{"session": day, "ticker": "ticker"} for day in ("made_session", "target_session")]


def test_a_span_is_named_by_its_first_and_last_column() -> None:
    (rows,) = TABLES["feature_windows"].references
    assert rows.span == ("first_session", "session") and rows.columns["session"] == "first_session"
    assert rows.last_columns == {"session": "session", "ticker": "ticker"}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"columns": {"session": SESSION.refer_to("market_prices.day")}}, "'market_prices.day', which does not exist"),
        ({"columns": {"session": SESSION.refer_to("bars.session")}}, "'bars.session', which does not exist"),
        ({"columns": {"session": SESSION.refer_to("market_prices.ticker")}}, "which has another type"),
        ({"columns": {"session": SESSION.refer_to("market_prices.session", until="end")}}, "refers until 'end'"),
        ({"columns": {"session": SESSION}}, "has to say what its rows are derived from"),
        ({"columns": {"session": SESSION}, "root": "x", "name": "runs"}, "two tables are named 'runs'"),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused_when_the_tables_load(changes: dict[str, Any], fault: str) -> None:
    fields = {"name": "mine", "domain": "test", "doc": "", "key": ("session",), "mode": "append", "owner": "test"}
    module = ModuleType("mine")
    module.MINE = Table(**{**fields, "clock": "session", **changes})  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match=fault):
        collect_tables((*MODULES, module))


def test_tables_that_refer_to_each_other_in_a_circle_are_refused_when_the_tables_load() -> None:
    module = ModuleType("mine")
    for name, other in (("one", "two"), ("two", "one")):
        columns = {"session": SESSION.refer_to(f"{other}.session")}
        fields = {"domain": "test", "doc": "", "key": ("session",), "mode": "append", "owner": "test"}
        setattr(module, name, Table(**{**fields, "name": name, "clock": "session", "columns": columns}))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"in a circle, (one -> two -> one|two -> one -> two)"):
        collect_tables((*MODULES, module))


def test_a_list_refers_to_each_of_its_values_and_is_referred_to_by_them() -> None:
    replies = pl.DataFrame({"article_ids": [["a", "b"], ["c"], []]}, schema={"article_ids": pl.List(pl.String)})
    assert replies.filter(match_values(TABLES["raw_replies"], {"article_ids": "b"})).height == 1
    articles = pl.DataFrame({"article_id": ["a", "b", "c"]})
    assert articles.filter(match_values(TABLES["news_articles"], {"article_id": ["a", "c", "z"]})).height == 2
    assert articles.filter(match_values(TABLES["news_articles"], {"article_id": []})).is_empty()


def test_a_value_that_a_person_typed_is_compared_as_text() -> None:
    rows = pl.DataFrame({"horizon": pl.Series([1, 5], dtype=pl.Int32)})
    assert rows.filter(match_values(TABLES["predictions"], {"horizon": "5"})).height == 1
    assert rows.filter(match_values(TABLES["predictions"], {"horizon": 5})).height == 1
