"""`nextgen show`: the rows of a table, now or at a past moment."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from nextgen_tui.cli.arguments import INSTANT, count_from, find_table
from nextgen_tui.cli.completion import complete_column, complete_table
from nextgen_tui.cli.conditions import parse_condition
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation

if TYPE_CHECKING:
    import polars as pl

    from lake.contract import Table
    from lake.store import Lake


@click.command("show", cls=ReadingCommand)
@click.argument("table", shell_complete=complete_table)
@click.option("--version", type=count_from(0), help="Version of the table (default: the published one).")
@click.option("--as-of", type=INSTANT, help="Show what was public then: a date, or a time with its zone.")
@click.option(
    "--where",
    multiple=True,
    metavar="COLUMN=VALUE",
    shell_complete=complete_column,
    help="Filter rows; also != < <= > >=; repeatable.",
)
@click.option("--columns", metavar="A,B,...", help="Show only these columns, in this order.")
@click.option(
    "--limit",
    metavar="N",
    type=count_from(1),
    default=20,
    show_default=True,
    help="Show at most N rows (the last ones).",
)
@pass_invocation
def command(
    invocation: Invocation,
    table: str,
    version: int | None,
    as_of: datetime | None,
    where: tuple[str, ...],
    columns: str | None,
    limit: int,
) -> None:
    """Show rows of a table, as published or as of a past moment.

    The last rows by the table's clock are shown. Example: nextgen show predictions --where ticker=ACME --limit 5
    """
    from nextgen_tui.cli.output import to_records
    from nextgen_tui.text.table_view import choose_columns, frame_grid

    lake = invocation.lake
    contract = lake.contract(find_table(table))
    wanted = _columns(contract, columns)
    _refuse_future(lake, contract, version)
    rows = _rows(lake, contract, version, as_of, where)
    shown = rows.sort(contract.clock, *contract.key).tail(limit)
    shown = shown.select(wanted) if wanted else shown
    output = invocation.output
    output.record(to_records(shown))
    if not output.as_json:
        at = output.data.width
        if shown.is_empty():
            output.show("No such row.")
            return
        names = shown.columns if wanted else choose_columns(shown, (contract.clock, *contract.key), at, contract)
        output.show(frame_grid(shown.select(names), contract))
        _say_what_is_left_out(invocation, rows, shown, names)


def _rows(
    lake: Lake, table: Table, version: int | None, as_of: datetime | None, where: tuple[str, ...]
) -> pl.DataFrame:
    from lake.queries import query

    asked = query(lake, table)
    for text in where:
        asked = asked.having(*parse_condition(table, text))
    asked = asked.as_of(as_of) if as_of is not None else asked
    asked = asked.at(version) if version is not None else asked
    return asked.read()


def _refuse_future(lake: Lake, table: Table, version: int | None) -> None:
    if version is not None and version > (newest := lake.newest(table)):
        raise click.UsageError(f"{table.name} has versions 0 to {newest}; there is no version {version}")


def _columns(table: Table, text: str | None) -> list[str]:
    names = [name.strip() for name in text.split(",")] if text else []
    for name in names:
        if name not in table.stored_schema:
            raise click.UsageError(f"{table.name} has no column {name!r}; it has {', '.join(table.stored_schema)}")
    return names


def _say_what_is_left_out(invocation: Invocation, rows: pl.DataFrame, shown: pl.DataFrame, names: list[str]) -> None:
    if shown.height < rows.height:
        invocation.output.say(f"the last {shown.height} of {rows.height:,} rows; --limit shows more")
    if len(names) < shown.width:
        left = [name for name in shown.columns if name not in names]
        some = "1 column does" if len(left) == 1 else f"{len(left)} columns do"
        invocation.output.say(f"{some} not fit: {', '.join(left)}; choose with --columns, or use --json")
