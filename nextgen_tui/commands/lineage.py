"""`nextgen lineage`: from a row back to what it was made from."""

from __future__ import annotations

from dataclasses import asdict

import click

from nextgen_tui.cli.arguments import find_table
from nextgen_tui.cli.completion import complete_column, complete_table
from nextgen_tui.cli.conditions import parse_key
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation

MANY = 100
"""Rows of a walk from which on it is said how to see fewer."""


@click.command("lineage", cls=ReadingCommand)
@click.argument("table", shell_complete=complete_table)
@click.argument("keys", metavar="COLUMN=VALUE...", nargs=-1, required=True, shell_complete=complete_column)
@click.option("--depth", type=click.IntRange(min=1), metavar="N", help="Go back N steps (default: to the end).")
@pass_invocation
def command(invocation: Invocation, table: str, keys: tuple[str, ...], depth: int | None) -> None:
    """Trace a row back to what it was made from.

    Each line shows a table, the row, the run that wrote it and the version it was read at; the last line, the versions
    that the first row's run read. Example:
    nextgen lineage executed_trades ticker=ACME session=2022-03-01
    """
    from rich.text import Text
    from rich.tree import Tree

    from lake.lineage import trace
    from nextgen_tui.text.safe_text import safe_text

    contract = find_table(table)
    hops = trace(invocation.lake, contract, parse_key(contract, keys), depth=depth)
    branches: list[Tree] = []
    for hop in hops:
        named = ", ".join(f"{name}={safe_text(value, 40)}" for name, value in hop.key.items())
        label = Text.assemble(
            (hop.table, "bold"), f"  {named}  ", (f"v{hop.version}  {safe_text(hop.run_id, 60)}", "dim")
        )
        del branches[hop.depth :]
        branches.append(branches[-1].add(label) if branches else Tree(label))
        for name, count in hop.not_followed.items():
            branches[-1].add(Text(f"and {count:,} more rows of {name}", "dim"))
    invocation.output.show(branches[0])
    if depth is None and len(hops) > MANY:
        invocation.output.say(f"{len(hops):,} rows; --depth 3 shows three steps only")
    if read := ", ".join(f"{name} v{version}" for name, version in hops[0].inputs.items()):
        invocation.output.say(f"{hops[0].run_id} read {read}")
    invocation.output.record([asdict(hop) for hop in hops])
