"""What an operator types, read: sessions, instants, keys and conditions on a table."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, cast

import click

if TYPE_CHECKING:
    from lake.contract import Table
    from lake.queries import Sign
    from pipeline.engine.stage import Stage

_CONDITION = re.compile(r"\s*([a-z_0-9]+)\s*(>=|<=|!=|=|>|<)\s*(.*?)\s*", re.DOTALL)


class Day(click.ParamType[date]):
    """A calendar date as YYYY-MM-DD."""

    name = "YYYY-MM-DD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Read a date."""
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a date; write it as 2026-01-05", param, ctx)


class Instant(click.ParamType[datetime]):
    """A moment: an ISO time with its zone, or a date, which means the end of that day in UTC."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read a moment as UTC."""
        if isinstance(value, datetime):
            return value
        try:
            if len(value) == 10:
                midnight = datetime.combine(date.fromisoformat(value), time(), UTC)
                return midnight + timedelta(days=1, microseconds=-1)
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a time; write it as 2026-01-05 or 2026-01-05T21:20Z", param, ctx)
        if moment.tzinfo is None:
            self.fail(f"{value!r} has no time zone; add Z for UTC, or an offset such as -05:00", param, ctx)
        return moment.astimezone(UTC)


DAY = Day()
INSTANT = Instant()


def find_table(name: str) -> Table:
    """The table of that name, or a usage error naming the nearest."""
    from lake.tables import table

    try:
        return table(name)
    except KeyError as error:
        raise click.UsageError(str(error.args[0])) from None


def find_stage(name: str) -> Stage:
    """The stage of that name, or a usage error naming the nearest."""
    from pipeline.engine.stages import STAGES

    for stage in STAGES:
        if stage.name == name:
            return stage
    near = get_close_matches(name, [stage.name for stage in STAGES], n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "; `nextgen stages` lists them"
    raise click.UsageError(f"there is no stage {name!r}{hint}")


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
