"""`nextgen versions`: which version of each table readers see, for deltalake, DuckDB, Spark and the like."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nextgen_tui.cli.arguments import find_table
from nextgen_tui.cli.completion import complete_table
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation

if TYPE_CHECKING:
    from lake.contract import Table
    from lake.store import Lake


@click.command("versions", cls=ReadingCommand)
@click.argument("table", required=False, shell_complete=complete_table)
@pass_invocation
def command(invocation: Invocation, table: str | None) -> None:
    """Tell which version of each table is published, for other readers.

    A reader that opens a Delta table at its newest version may see half of a cycle; at the published one it sees what
    this program sees. With a table, the statements that read it, and with --json the files of the version.
    """
    from lake.tables import TABLES

    lake = invocation.lake
    chosen = [find_table(table)] if table else list(TABLES.values())
    published = lake.published_versions()
    known = [one for one in chosen if one.name in published and lake.has_table(one)]
    content = {one.name: _facts(lake, one, published[one.name], files=table is not None) for one in known}
    if table is None:
        _list(invocation, content)
    elif known:
        _explain(invocation, table, content[table])
    invocation.output.record({"lake": str(lake.path), "tables": content})


def _facts(lake: Lake, table: Table, version: int, *, files: bool) -> dict[str, Any]:
    folder = lake.uri(table)
    found = {"version": version, "newest": lake.newest(table), "rows": lake.rows(table, version), "path": folder}
    if files:
        found["files"] = [str(Path(folder) / file.path) for file in lake.files(table, version)]
    return found


def _list(invocation: Invocation, content: dict[str, dict[str, Any]]) -> None:
    from rich.text import Text

    from nextgen_tui.text import formats
    from nextgen_tui.text.table_view import grid

    view = grid()
    for name in ("table", "published", "newest", "rows", "folder"):
        view.add_column(name, justify="left" if name in ("table", "folder") else "right")
    for name, one in content.items():
        numbers = (formats.whole(one[key]) for key in ("version", "newest", "rows"))
        view.add_row(name, *numbers, Text(one["path"], overflow="fold"))
    invocation.output.show(view)


def _explain(invocation: Invocation, table: str, one: dict[str, Any]) -> None:
    path, version = one["path"], one["version"]
    # `as_uri` writes blanks and other signs as the two readers of addresses expect them.
    address = Path(path).as_uri()
    opened = f"DeltaTable({path!r}, version={version})"
    # polars looks for the files under the address as it is escaped, where an escaped path is another one.
    plain = address == f"file://{path}"
    frame = f"pl.read_delta({path!r}, version={version})" if plain else f"pl.from_arrow({opened}.to_pyarrow_table())"
    invocation.output.document(
        f"# deltalake, and polars\n"
        f"{opened}\n"
        f"{frame}\n"
        f"-- DuckDB, from what `nextgen versions {table} --json > versions.json` wrote\n"
        f"SET VARIABLE files = (SELECT tables.{table}.files FROM read_json('versions.json'));\n"
        f"SELECT * FROM read_parquet(getvariable('files'), union_by_name = true);\n"
        f"-- DuckDB with its delta extension (not tried)\n"
        f"SELECT * FROM delta_scan({_quote(address)}, version => {version});\n"
        f"-- Spark (not tried)\n"
        f"SELECT * FROM delta.{_back_quote(path)} VERSION AS OF {version};\n"
    )


def _quote(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def _back_quote(text: str) -> str:
    """A name as Spark writes it."""
    return "`" + text.replace("`", "``") + "`"
