"""Why, down to the raw row: from any row to the run that wrote it and the rows it rests on, one hop at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from lake.contract import RUN_ID, Table
from lake.lineage import match_values
from lake.tables import TABLES
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.notes import Line, note
from nextgen_tui.console.page import Detail, Link, Section
from nextgen_tui.console.pages.runs import run_detail
from nextgen_tui.console.sheet.sheet import Cell
from nextgen_tui.text import formats, table_view
from nextgen_tui.text.safe_text import safe_text

MAX_LINKS = 40
"""Rows that a hop lists; a news day has hundreds."""
MAX_VALUE = 4_000
LOOKBACK = timedelta(days=45)
"""How far before a row the rows it rests on can lie: a plan waits for the next open, a trade for its horizon."""
_SAME_SESSION = {("predictions", "feature_windows"), ("trade_plans", "predictions"), ("market_prices", "raw_prices")}
_SUMMARY = {
    "executed_trades": ("side", "shares", "status", "fill_price"),
    "trade_plans": ("side", "intent", "taken", "shares", "blocked_by"),
    "predictions": ("horizon", "point", "q10", "q90", "role"),
    "feature_windows": ("first_session", "length", "present", "usable"),
    "feature_rows": ("complete", "return_1", "return_20", "volatility_20", "sentiment_5"),
    "market_prices": ("open", "high", "low", "close", "volume", "revision"),
    "news_sentiment": ("scorer", "score", "strength"),
    "news_articles": ("title",),
    "raw_prices": ("source", "kind", "fetched_at"),
    "raw_news": ("source", "fetched_at"),
    "model_registry": ("member", "train_first", "train_last", "rows_train"),
}
"""Table -> the columns that say most about one of its rows."""


def follow(view: LakeView, link: Link) -> Detail:
    """The story at the end of a link.

    Raises:
        LakeError: if the lake cannot be read.
    """
    table = TABLES[link.table]
    if table.name == "runs":
        return run_detail(view, str(link.key["run_id"]))
    rows = find_linked(view, table, link.key)
    if rows.is_empty():
        return Detail(link.text, (Section("", (note("This row no longer exists.", "warn"),)),))
    return row_detail(view, table, rows.row(0, named=True))


def row_detail(view: LakeView, table: Table, row: Mapping[str, Any]) -> Detail:
    """A row with the meaning of each value, the run that wrote it, and what it rests on."""
    key = ", ".join(_format_value(row[name]) for name in table.key)
    parts = (line for name in table.columns if name != "payload" for line in _value(table, name, row[name]))
    sections = [Section(table.doc, tuple(parts))]
    if table.name in ("raw_prices", "raw_news", "raw_imports"):
        sections = [*sections, _payload(row)]
    links = [*_resting_on(view, table, row), _run(str(row[RUN_ID]))]
    return Detail(
        f"{table.name}  {safe_text(key, 90)}",
        tuple(sections),
        links=tuple(links),
        origin=Link(key, table.name, {name: row[name] for name in table.key}),
        copies=" ".join(["nextgen lineage", table.name, *(f"{name}={row[name]}" for name in table.key)]),
    )


def _resting_on(view: LakeView, table: Table, row: Mapping[str, Any]) -> list[Link]:
    links: list[Link] = []
    for reference in table.references:
        wanted = {there: row[here] for there, here in reference.last_columns.items()}
        target = TABLES[reference.table]
        if any(value is None for value in wanted.values()):
            continue
        found = find_linked(view, target, wanted, _clock(table, target, row))
        links += [_link(target, one) for one in found.head(MAX_LINKS).iter_rows(named=True)]
    return links


def _clock(table: Table, target: Table, row: Mapping[str, Any]) -> tuple[date | None, date | None]:
    """Between which values of the target's clock the row can be: what lets whole files be passed over."""
    session = row.get("made_session") or row.get("session")
    if target.clock != "session" or not isinstance(session, date):
        return None, None
    if (table.name, target.name) == ("market_prices", "raw_prices"):
        return session, None
    if target.name in ("raw_prices", "raw_news", "raw_imports"):
        return None, None
    if (table.name, target.name) in _SAME_SESSION or "made_session" in row:
        return session, session
    return (session - LOOKBACK, session) if target.name != "model_registry" else (None, session)


def find_linked(
    view: LakeView, table: Table, wanted: Mapping[str, Any], span: tuple[date | None, date | None] = (None, None)
) -> pl.DataFrame:
    since, until = span
    if table.clock in wanted:
        since = until = wanted[table.clock]
    """The rows that have these values, without what is megabytes large; `span` bounds the table's clock."""
    columns = tuple(name for name in table.stored_schema if table.columns.get(name) is None or name != "weights")
    return view.read(table, since=since, until=until, where=match_values(table, wanted), columns=columns)


def _link(table: Table, row: Mapping[str, Any]) -> Link:
    parts = [f"{name} {_format_value(row[name])}" for name in _SUMMARY.get(table.name, ()) if row.get(name) is not None]
    key = {name: row[name] for name in table.key}
    words = " ".join(safe_text(_format_value(value), 24) for value in key.values())
    return Link(words, table.name, key, safe_text(" · ".join(parts), 160))


def _run(run_id: str) -> Link:
    return Link(run_id, "runs", {"run_id": run_id}, "the run that wrote it, with its recipe")


def _value(table: Table, name: str, value: Any) -> Iterator[Line]:
    """A value with its meaning; what holds several things tells each on a line of its own."""
    column, label = table.columns[name], f"{name:<22} "
    about = Cell(f"   {column.unit}: {column.doc}", "dim")
    if isinstance(value, list) and value and isinstance(value[0], dict):
        yield Cell(label, "dim"), Cell(f"{len(value)}"), about
        for one in value:
            yield Cell(" " * len(label), "dim"), Cell(", ".join(f"{k} {_format_value(v)}" for k, v in one.items()))
        return
    words = safe_text(value, MAX_VALUE) if isinstance(value, str) else table_view.cell(value, column).plain
    yield Cell(label, "dim"), Cell(words or "(empty)"), about


def _format_value(value: Any) -> str:
    if isinstance(value, float):
        return formats.number(value, 4)
    if isinstance(value, datetime):
        return formats.instant(value)
    return safe_text(value, 80)


def _payload(row: Mapping[str, Any]) -> Section:
    """What the vendor sent, line by line; only the beginning of long answers."""
    payload = str(row["payload"])
    lines = payload[:60_000].splitlines()[:200]
    parts: list[Line] = [
        (Cell(f"{number:>5} ", "dim"), Cell(safe_text(line, 300))) for number, line in enumerate(lines)
    ]
    if (whole := len(payload)) > 60_000 or len(payload.splitlines()) > len(lines):
        parts.append(note(f"... {whole:,} characters in all; `nextgen show {_table(row)}` gives the rest", "dim"))
    return Section("What the vendor sent, byte for byte", tuple(parts))


def _table(row: Mapping[str, Any]) -> str:
    return "raw_prices" if "ticker" in row else "raw_news"
