"""`nextgen tables`: what the lake holds, and what each column means."""

from __future__ import annotations

from typing import Any

import click

from nextgen_tui.cli.arguments import find_table
from nextgen_tui.cli.completion import complete_table
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation


@click.command("tables", cls=ReadingCommand)
@click.argument("table", required=False, shell_complete=complete_table)
@pass_invocation
def command(invocation: Invocation, table: str | None) -> None:
    """List the tables, or describe the columns of one."""
    if table is None:
        _list(invocation)
    else:
        _describe(invocation, table)


def _list(invocation: Invocation) -> None:
    from lake.errors import NotALakeError
    from lake.tables import TABLES
    from nextgen_tui.text import formats
    from nextgen_tui.text.table_view import grid

    try:
        lake = invocation.lake
        found = {name: (lake.version(table), lake.rows(table)) for name, table in TABLES.items()}
    except NotALakeError as error:
        invocation.output.say(f"{error}; the tables are listed without versions and rows")
        found = {}
    view = grid()
    for heading in ("domain", "table", "mode", "written by", "version", "rows", "what it holds"):
        view.add_column(heading, justify="right" if heading in ("version", "rows") else "left")
    content: list[dict[str, Any]] = []
    for name, table in TABLES.items():
        version, rows = found.get(name, (None, None))
        content.append(
            {
                "domain": table.domain,
                "table": name,
                "mode": table.mode,
                "owner": table.owner,
                "version": version,
                "rows": rows,
                "doc": table.doc,
                "key": table.key,
            }
        )
        view.add_row(
            table.domain,
            name,
            table.mode,
            table.owner,
            formats.whole(version),
            formats.whole(rows),
            table.doc,
        )
    invocation.output.show(view)
    invocation.output.record(content)


def _describe(invocation: Invocation, name: str) -> None:
    from nextgen_tui.text.table_view import grid

    table = find_table(name)
    view = grid(f"{table.name}: {table.doc}")
    for heading in ("column", "type", "unit", "may be missing", "meaning"):
        view.add_column(heading)
    for column_name, column in table.columns.items():
        marked = f"{column_name} *" if column_name in table.key else column_name
        view.add_row(marked, str(column.dtype), column.unit, "yes" if column.nullable else "", column.doc)
    invocation.output.show(view)
    invocation.output.show(f"* key; written by {table.owner} ({table.mode}); clock: {table.clock}")
    for rule_name, rule in table.rules.items():
        invocation.output.show(f"rule: {rule_name} (else: {rule.fix})")
    invocation.output.record(
        {
            "table": table.name,
            "doc": table.doc,
            "domain": table.domain,
            "mode": table.mode,
            "owner": table.owner,
            "key": table.key,
            "clock": table.clock,
            "columns": {
                one: {
                    "type": str(column.dtype),
                    "unit": column.unit,
                    "nullable": column.nullable,
                    "doc": column.doc,
                }
                for one, column in table.columns.items()
            },
            "rules": {one: rule.fix for one, rule in table.rules.items()},
        }
    )
