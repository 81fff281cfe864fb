"""`nextgen impact`: what was made from a row, and what would move if it said otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nextgen_tui.cli.arguments import find_table
from nextgen_tui.cli.completion import complete_column, complete_table
from nextgen_tui.cli.conditions import parse_key
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from lake.impact import Impact


@click.command("impact", cls=ReadingCommand)
@click.argument("table", shell_complete=complete_table)
@click.argument("keys", metavar="COLUMN=VALUE...", nargs=-1, required=True, shell_complete=complete_column)
@click.option("--column", "columns", multiple=True, metavar="COLUMN", help="Count this column of it only.")
@click.option(
    "--change",
    "changes",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="List what would move if the row said this: features are computed anew.",
)
@pass_invocation
def command(
    invocation: Invocation, table: str, keys: tuple[str, ...], columns: tuple[str, ...], changes: tuple[str, ...]
) -> None:
    """List everything derived from a row, in every table.

    For a price that turns out wrong: the features, forecasts, scores and trades that used it, and each value of a
    feature that is made of it, of whatever ticker. With --change, those that would be another, with both values.
    Example: nextgen impact market_prices ticker=ACME session=2022-03-01 --change close=101.5
    """
    from lake.impact import trace_impact
    from lake.tables import TABLES
    from nextgen_tui.text.formats import counted
    from pipeline.engine.executor import Executor
    from pipeline.reading.provenance.changed_row import ChangedRow
    from pipeline.reading.provenance.row_impact import RowImpact

    if columns and changes:
        raise click.UsageError("--column and --change are two questions; ask one of them")
    contract = find_table(table)
    if unknown := [name for name in columns if name not in contract.columns]:
        raise click.UsageError(f"{table} has no column {unknown[0]!r}; it has {', '.join(contract.columns)}")
    lake, executor = invocation.lake, Executor(invocation.lake, invocation.settings)
    told = ChangedRow(lake, executor, contract, parse_key(contract, changes)) if changes else None
    made = RowImpact(lake, executor, contract, columns)
    derive = {"feature_rows": told.derive_rows if told else made.derive_rows}
    found = trace_impact(lake, contract, parse_key(contract, keys), derive)
    values = told.values if told else made.values
    _show_tables(invocation, found)
    _show_features(invocation, values)
    rows = counted(sum(one.rows.height for one in found), "row")
    invocation.output.say(f"{rows} in {len(found)} tables were derived from it")
    if values:
        count = counted(sum(rows.height for rows in values.values()), "value")
        invocation.output.say(
            f"{count} of {counted(len(values), 'feature')} {'would move' if told else 'are made of it'}"
        )
    invocation.output.record(
        [_record(one, TABLES[one.table].key, values if one.table == "feature_rows" else {}) for one in found]
    )


def _show_tables(invocation: Invocation, found: Sequence[Impact]) -> None:
    from lake.tables import TABLES
    from nextgen_tui.text.safe_text import safe_text
    from nextgen_tui.text.table_view import grid

    view = grid()
    for heading in ("table", "rows", "first", "last"):
        view.add_column(heading)
    for one in found:
        named = one.rows.select(TABLES[one.table].key)
        ends = [", ".join(safe_text(value, 40) for value in named.row(at)) for at in (0, -1)]
        view.add_row(one.table, f"{one.rows.height:,}", *ends)
    invocation.output.show(view)


def _show_features(invocation: Invocation, values: Mapping[str, pl.DataFrame]) -> None:
    from nextgen_tui.text.table_view import grid

    if not values:
        return
    view = grid()
    for heading in ("feature", "values", "tickers", "first", "last"):
        view.add_column(heading, justify="right" if heading in ("values", "tickers") else "left")
    for name, rows in values.items():
        span = [str(rows["session"].min()), str(rows["session"].max())]
        view.add_row(name, f"{rows.height:,}", f"{rows['ticker'].n_unique():,}", *span)
    invocation.output.show(view)


def _record(one: Impact, key: Sequence[str], values: Mapping[str, pl.DataFrame]) -> dict[str, Any]:
    told = {"table": one.table, "through": one.through, "rows": one.rows.select(key).to_dicts()}
    if not values:
        return told
    by_feature = {name: rows.sort(*key).to_dicts() for name, rows in values.items()}
    return told | {"values": by_feature}
