"""Every table is on the way from a vendor's answer to the book, or says why it rests on nothing."""

from __future__ import annotations

from graphlib import TopologicalSorter

import polars as pl
import pytest

from lake.impact import DIFFUSE
from lake.lineage import LINKS, ROOTS, SPANS, refers
from lake.tables import TABLES


def test_every_table_rests_on_another_or_is_a_root() -> None:
    assert sorted(LINKS.keys() | ROOTS.keys()) == sorted(TABLES)
    assert not LINKS.keys() & ROOTS.keys()


def test_something_rests_on_every_vendor_table_and_all_ways_lead_to_a_root() -> None:
    below: dict[str, set[str]] = {name: {target for target, _ in links} for name, links in LINKS.items()}

    def roots(name: str) -> set[str]:
        return {name} if name in ROOTS else set().union(*(roots(target) for target in below[name]))

    assert all(roots(name) <= ROOTS.keys() for name in LINKS)
    assert {"raw_prices", "raw_news", "raw_imports"} <= set().union(*below.values())
    assert "raw_prices" in roots("portfolio_value") and "raw_news" in roots("trade_plans")


def test_the_links_lead_in_no_circle() -> None:
    graph = {name: {target for target, _ in links} - {name} for name, links in LINKS.items()}
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("name", LINKS)
def test_a_link_joins_columns_that_both_tables_have_and_that_hold_the_same(name: str) -> None:
    for target, columns in LINKS[name]:
        for there, here in columns.items():
            types = [TABLES[target].schema[there], TABLES[name].schema[here]]
            plain = [dtype.inner if isinstance(dtype, pl.List) else dtype for dtype in types]
            assert plain[0] == plain[1], f"{name}.{here} and {target}.{there}"
    for target in {target for target, _ in LINKS[name]}:
        for column in SPANS.get((name, target), ()):
            assert TABLES[name].schema[column] == pl.Date


def test_what_is_followed_only_from_the_start_is_a_link() -> None:
    for name, target in DIFFUSE:
        assert target in {one for one, _ in LINKS[name]}


def test_a_list_refers_to_each_of_its_values_and_is_referred_to_by_them() -> None:
    replies = pl.DataFrame({"article_ids": [["a", "b"], ["c"], []]}, schema={"article_ids": pl.List(pl.String)})
    assert replies.filter(refers(TABLES["raw_replies"], {"article_ids": "b"})).height == 1
    articles = pl.DataFrame({"article_id": ["a", "b", "c"]})
    assert articles.filter(refers(TABLES["news_articles"], {"article_id": ["a", "c", "z"]})).height == 2
    assert articles.filter(refers(TABLES["news_articles"], {"article_id": []})).is_empty()


def test_a_value_that_a_person_typed_is_compared_as_text() -> None:
    rows = pl.DataFrame({"horizon": pl.Series([1, 5], dtype=pl.Int32)})
    assert rows.filter(refers(TABLES["predictions"], {"horizon": "5"})).height == 1
    assert rows.filter(refers(TABLES["predictions"], {"horizon": 5})).height == 1
