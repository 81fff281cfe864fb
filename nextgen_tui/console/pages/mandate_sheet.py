"""The mandate as a sheet of the Plan screen: each field, since when it has its value, and why."""

from __future__ import annotations

import polars as pl

from lake.tables.trading import MANDATES
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.notes import Line, note
from nextgen_tui.console.page import Row
from nextgen_tui.console.sheet.sheet import Col
from nextgen_tui.text import formats
from pipeline.reading.mandate_fields import read_mandate_fields

COLS = (
    Col("field", "field"),
    Col("value", "value", max_width=40),
    Col("set", "since", lambda value: formats.instant(value) if value else "in the settings", rank=1),
    Col("why", "reason", lambda value: value or "", max_width=60, rank=2),
)


def mandate_rows(view: LakeView) -> pl.DataFrame:
    """The mandate's fields as they stood.

    Raises:
        LakeError: if the lake cannot be read.
    """
    return read_mandate_fields(view.read(MANDATES), view.path)


def mandate_notes(row: Row) -> tuple[Line, ...]:
    """What a field means, and why it was set."""
    why = (note(f"Set because: {row['reason']}", "dim"),) if row["reason"] else ()
    return (note(row["meaning"]), *why, note("Change it with `nextgen mandate set`.", "dim"))
