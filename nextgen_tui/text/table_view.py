"""A frame as a quiet table: numbers to the right, units from the contract, nothing left out without saying so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table as Grid
from rich.text import Text

from nextgen_tui.text import formats
from nextgen_tui.text.safe_text import safe_text

if TYPE_CHECKING:
    import polars as pl

    from lake.contract import Column, Table

MAX_CELL = 48
"""Characters of a text that a table cell shows; --json gives all of it."""
COLUMN_GAP = 3
"""Characters between two columns."""
_VERDICTS = {
    "ok": "green",
    "done": "green",
    "warn": "yellow",
    "fail": "bold red",
    "failed": "bold red",
    "dead": "bold red",
}


def grid(title: str | None = None) -> Grid:
    """An empty table in the house style."""
    return Grid(
        title=title,
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        header_style="bold",
        title_justify="left",
        title_style="bold",
        show_edge=False,
    )


def frame_grid(
    frame: pl.DataFrame,
    contract: Table | None = None,
    title: str | None = None,
    units: Mapping[str, Column] | None = None,
) -> Grid:
    """A frame's rows as a table; a contract gives the units, or columns by name where rows are of no one table."""
    table = grid(title)
    for name, dtype in frame.schema.items():
        table.add_column(Text(name), justify="right" if dtype.is_numeric() else "left", no_wrap=True)
    columns = contract.columns if contract else units or {}
    for row in frame.iter_rows():
        cells = zip(frame.columns, row, strict=True)
        table.add_row(*(cell(value, columns.get(name)) for name, value in cells))
    return table


def cell(value: Any, column: Column | None = None) -> Text:
    """One value, formatted by its type and unit, and safe to show."""
    words = _words(value, column)
    return Text(words, style=_VERDICTS.get(words, "dim" if words == formats.MISSING else ""))


def _words(value: Any, column: Column | None) -> str:
    if value is None:
        return formats.MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return _float(value, column)
    if isinstance(value, int):
        return formats.whole(value)
    if isinstance(value, Decimal):
        return f"{value:,}"
    if isinstance(value, datetime):
        return formats.instant(value)
    if isinstance(value, date):
        return formats.day(value)
    if isinstance(value, bytes):
        return formats.counted(len(value), "byte")
    if isinstance(value, list):
        return _list_values(value)
    return safe_text(value, MAX_CELL)


def _float(value: float, column: Column | None) -> str:
    if column is not None and column.unit.startswith("fraction"):
        return formats.percent(value)
    if column is not None and column.unit.startswith("currency"):
        return formats.money(value)
    if value and (abs(value) < 1e-3 or abs(value) >= 1e9):
        return f"{value:.3e}"
    return formats.number(value)


def _list_values(values: list[Any]) -> str:
    if values and isinstance(values[0], dict):
        return formats.counted(len(values), "entry", "entries")
    return safe_text(", ".join(str(value) for value in values), MAX_CELL)


def choose_columns(
    frame: pl.DataFrame,
    first: Sequence[str],
    width: int,
    contract: Table | None = None,
    units: Mapping[str, Column] | None = None,
) -> list[str]:
    """As many columns as fit the width, those named first before the others; always at least one."""
    order = dict.fromkeys((*first, *frame.columns))
    columns = contract.columns if contract else units or {}
    chosen: list[str] = []
    used = 0
    for name in order:
        widest = max((len(_words(value, columns.get(name))) for value in frame[name]), default=0)
        used += max(len(name), widest) + COLUMN_GAP
        if chosen and used > width:
            break
        chosen.append(name)
    return chosen
