"""`nextgen impact`: what was made from a row."""

from __future__ import annotations

import click

from nextgen_tui.cli.arguments import find_table
from nextgen_tui.cli.completion import complete_column, complete_table
from nextgen_tui.cli.conditions import parse_key
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation


@click.command("impact", cls=ReadingCommand)
@click.argument("table", shell_complete=complete_table)
@click.argument("keys", metavar="COLUMN=VALUE...", nargs=-1, required=True, shell_complete=complete_column)
@pass_invocation
def command(invocation: Invocation, table: str, keys: tuple[str, ...]) -> None:
    """List everything derived from a row, in every table.

    For a price that turns out wrong: the features, forecasts, scores and trades that used it. Example:
    nextgen impact market_prices ticker=ACME session=2022-03-01
    """
    from lake.impact import trace_impact
    from lake.tables import TABLES
    from lake.tables.market import MARKET_PRICES
    from nextgen_tui.text.formats import counted
    from nextgen_tui.text.safe_text import safe_text
    from nextgen_tui.text.table_view import grid
    from pipeline.engine.stages import find_stage

    contract = find_table(table)
    reach = max(read.lookback or 0 for read in find_stage("features").reads if read.table is MARKET_PRICES)
    found = trace_impact(invocation.lake, contract, parse_key(contract, keys), reach)
    view = grid()
    for heading in ("table", "rows", "first", "last"):
        view.add_column(heading)
    for one in found:
        named = one.rows.select(TABLES[one.table].key)
        ends = [", ".join(safe_text(value, 40) for value in named.row(at)) for at in (0, -1)]
        view.add_row(one.table, f"{one.rows.height:,}", *ends)
    invocation.output.show(view)
    invocation.output.say(
        f"{counted(sum(one.rows.height for one in found), 'row')} in {len(found)} tables were derived from it"
    )
    invocation.output.record(
        [
            {"table": one.table, "through": one.through, "rows": one.rows.select(TABLES[one.table].key).to_dicts()}
            for one in found
        ]
    )
