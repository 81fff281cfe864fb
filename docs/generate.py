"""Write the pages of the documentation that are made from the code: tables, stages, commands, configuration."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from lake.contract import Column, Table
from lake.tables import DOMAINS, TABLES
from lake.tables.features import FEATURE_ROWS
from pipeline.engine.stages import IMPORT_ONLY, STAGES
from pipeline.features.catalogue import BUILT_IN, NAMED_SETS
from pipeline.features.feature import Feature

HERE = Path(__file__).parent
NOTE = "<!-- Made from the code by `make docs`; change the code, not this page. -->\n"


def tables_page() -> str:
    """Every table: what it holds, its key, who writes it, each column with unit and meaning, each rule."""
    lines = [
        NOTE,
        "# Tables",
        "",
        "Every table is a Delta Lake table under `tables/` in the lake. It also has `run_id`: who wrote the row.",
        "`append` tables never change a row, `merge` tables keep a key's last row.",
        "",
    ]
    for domain in DOMAINS:
        lines += [f"## {domain}", ""]
        for table in TABLES.values():
            if table.domain == domain:
                lines += list(_table(table))
    return "\n".join(lines) + "\n"


def _table(table: Table) -> Iterator[str]:
    yield f"### {table.name}"
    yield ""
    facts = [f"key `{', '.join(table.key)}`", f"mode `{table.mode}`", f"written by `{table.owner}`"]
    facts += [f"public at `{table.available}`"] if table.available else []
    yield f"{table.doc} ({'; '.join(facts)})"
    yield ""
    yield "| column | type | unit | meaning |"
    yield "|---|---|---|---|"
    for name, column in table.columns.items():
        yield f"| `{name}` | {_type(column)} | {_cell(column.unit)} | {_cell(column.doc)} |"
    if table is FEATURE_ROWS:
        yield from (
            f"| `{one.name}` | Float32, may be null | {_cell(one.unit)} | {_cell(one.formula)} |" for one in BUILT_IN
        )
        sets = ", ".join(f"{len(features)} of `{name}`" for name, features in NAMED_SETS.items())
        listed = f"{sets} or a plugin's; `nextgen features` lists them"
        yield f"| further ones | Float32, may be null | see the feature | {listed} |"
    elif table.further is not None:
        yield f"| further ones | {_type(table.further)} | {_cell(table.further.unit)} | {_cell(table.further.doc)} |"
    yield ""
    if table is FEATURE_ROWS:
        yield " ".join((Feature.__doc__ or "").split("\n\n")[1].split())
        yield ""
    if table.references:
        sources = [f"`{one.table}` by `{'`, `'.join(one.columns.values())}`" for one in table.references]
        yield f"Derived from: {'; '.join(sources)}."
        yield ""
    if table.rules:
        yield "Rules: " + "; ".join(table.rules) + "."
        yield ""


def _type(column: Column) -> str:
    name = str(column.dtype)
    name = {"Datetime(time_unit='us', time_zone='UTC')": "Datetime (UTC)"}.get(name, name)
    name = name.split("(")[0] if name.startswith(("List(Struct", "Struct")) else name
    return f"{name}{', may be null' if column.nullable else ''}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def stages_page() -> str:
    """Every stage in the order a session runs them."""
    order = "In the order a session runs them; each reads pinned versions and writes one table. "
    order += f"Only an import runs {', '.join(f'`{stage.name}`' for stage in IMPORT_ONLY)}."
    lines = [NOTE, "# Stages", "", order, ""]
    lines += ["| stage | what it does | reads | writes |", "|---|---|---|---|"]
    for stage in STAGES:
        reads = ", ".join(f"`{read.table.name}`" for read in stage.reads) or "the source"
        lines.append(f"| `{stage.name}` | {_cell(stage.doc)} | {reads} | `{stage.writes.name}` |")
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    """Every command with its help text."""
    from nextgen_tui.cli.main import main

    lines = [NOTE, "# Commands", ""]
    for path, command in _commands(main, ("nextgen",)):
        # Under the settings that users get: without them the page depends on who asked click for help first.
        context = click.Context(command, info_name=" ".join(path), terminal_width=100, **main.context_settings)
        lines += [f"## {' '.join(path)}", "", "```text", command.get_help(context).rstrip(), "```", ""]
    return "\n".join(lines)


def _commands(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=" ".join(path))
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None and not found.hidden:
                yield from _commands(found, (*path, name))


PAGES = {"tables.md": tables_page, "stages.md": stages_page, "commands.md": commands_page}


def stale() -> list[str]:
    """The generated pages that no longer say what the code says."""
    return [
        name
        for name, page in PAGES.items()
        if not (HERE / name).exists() or (HERE / name).read_text(encoding="utf-8") != page()
    ]


if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
        sys.stderr.write(f"wrote docs/{name}\n")
