"""Conditions on rows as an operator types them: `column=value` for a filter or a key, parsed by the column's type."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, cast

import click

from nextgen_tui.cli.arguments import INSTANT

if TYPE_CHECKING:
    from lake.contract import Table
    from lake.queries import Sign

_CONDITION = re.compile(r"\s*([a-z_0-9]+)\s*(>=|<=|!=|=|>|<)\s*(.*?)\s*", re.DOTALL)


def parse_condition(table: Table, text: str) -> tuple[str, Sign, Any]:
    """A condition such as `ticker=ACME` or `session>=2026-01-05`: column, sign, value; nothing after = is null."""
    column, sign, value = _split(table, text)
    if value == "" and sign in ("=", "!="):
        return column, cast("Sign", sign), None
    return column, cast("Sign", sign), _parse_value(table, column, value)


def parse_key(table: Table, texts: tuple[str, ...]) -> dict[str, Any]:
    """Column -> value from texts such as `ticker=ACME`; a usage error unless each is `column=value`."""
    found: dict[str, Any] = {}
    for text in texts:
        column, sign, value = _split(table, text)
        if sign != "=":
            raise click.UsageError(f"a key needs exact values; write {column}={value or 'VALUE'}")
        found[column] = _parse_value(table, column, value)
    return found


def _split(table: Table, text: str) -> tuple[str, str, str]:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise click.UsageError(f"{text!r} is not a condition; write it as column=value, with = != < <= > or >=")
    column, sign, value = match.groups()
    if column not in table.stored_schema:
        near = get_close_matches(column, table.stored_schema, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(table.stored_schema)}"
        raise click.UsageError(f"{table.name} has no column {column!r}; {hint}")
    return column, sign, value


def _parse_value(table: Table, column: str, text: str) -> Any:
    import polars as pl

    dtype = table.stored_schema[column]
    try:
        if isinstance(dtype, pl.Datetime):
            return INSTANT.convert(text, None, None)
        if isinstance(dtype, pl.Date):
            return date.fromisoformat(text)
        if isinstance(dtype, pl.Decimal):
            return Decimal(text)
        if isinstance(dtype, pl.Boolean):
            return {"true": True, "false": False, "yes": True, "no": False}[text.lower()]
        if dtype.is_integer():
            return int(text)
        if dtype.is_float():
            return float(text)
    except (ValueError, KeyError, InvalidOperation, click.BadParameter):
        raise click.UsageError(f"{column} of {table.name} is {dtype}, and {text!r} is not") from None
    if isinstance(dtype, pl.String):
        return text
    raise click.UsageError(f"{column} of {table.name} is of type {dtype}, which cannot be compared")
