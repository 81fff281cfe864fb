"""The mandate that counts, field by field: its value, since when, and why it was set so."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.config import ConfigError
from pipeline.config.fields import settings_of
from pipeline.config.loading import load
from pipeline.trading.mandates.mandate import FIELDS, Mandate, from_row

COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "field": pl.String,
    "value": pl.String,
    "since": pl.Datetime("us", "UTC"),
    "reason": pl.String,
    "meaning": pl.String,
}
"""`since` and `reason` are null where the settings' value stands."""


def read_mandate_fields(mandates: pl.DataFrame, lake: Path) -> pl.DataFrame:
    """Return a row for each field of the mandate.

    Args:
        mandates: those set so far.
        lake: its folder, whose settings count until one is set; the built-in ones where they cannot be read.
    """
    default = _default(lake)
    rows = mandates.sort("decided_at", "mandate_id").to_dicts()
    ways = [default, *(from_row(row) for row in rows)]
    set_by: dict[str, dict[str, Any]] = {}
    for (before, after), row in zip(pairwise(ways), rows, strict=True):
        set_by |= {name: row for name in FIELDS if getattr(before, name) != getattr(after, name)}
    told = [
        {
            "field": name,
            "value": write_value(getattr(ways[-1], name)),
            "since": set_by.get(name, {}).get("decided_at"),
            "reason": set_by.get(name, {}).get("reason"),
            "meaning": setting.doc,
        }
        for name, setting in settings_of(Mandate).items()
    ]
    return pl.DataFrame(told, schema=COLUMNS)


def write_value(value: Any) -> str:
    """A field's value in words."""
    return (", ".join(value) or "none") if isinstance(value, tuple) else str(value)


def _default(lake: Path) -> Mandate:
    try:
        return load(lake, os.environ).settings.trading.mandate
    except (ConfigError, OSError):  # the verdict on health says what is wrong with the configuration
        return Mandate()
