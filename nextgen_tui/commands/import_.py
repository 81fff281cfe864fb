"""`nextgen import`: an older system's prices, news, forecasts and trades into the lake."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nextgen_tui.cli.invocation import (
    Invocation,
    ReadingCommand,
    common_options,
    json_option,
    pass_invocation,
)
from pipeline.config.folder_option import Folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.table import Table as Grid

    from pipeline.ingestion.imports.old_system import Store
    from pipeline.ingestion.imports.run_import import Account, ImportReport


@click.group("import", params=[*common_options(), json_option()])
def command() -> None:
    """Import an older system's prices, news, forecasts and trades.

    A mapping file states which column means what; --propose prints a first draft. Rows that break a rule are set
    aside, and importing the same file again adds nothing.
    """


def _options(function: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--mapping", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Mapping file."),
        click.option("--propose", is_flag=True, help="Print a draft of the mapping, and import nothing."),
        click.option("--dry-run", is_flag=True, help="Show what would become of each row, and write nothing."),
        click.option("--create", is_flag=True, help="Create the lake if there is none."),
    ):
        function = option(function)
    return function


@command.command("sqlite", cls=ReadingCommand)
@click.argument("file", type=click.Path(path_type=Path))
@_options
@pass_invocation
def sqlite_command(
    invocation: Invocation, file: Path, mapping: Path | None, propose: bool, dry_run: bool, create: bool
) -> None:
    """Import from a SQLite database, opened read-only.

    Start with --propose > mapping.toml, correct it, then check it with --dry-run.
    """
    from pipeline.ingestion.imports.sqlite import open_sqlite

    with open_sqlite(file) as store:
        _run(invocation, store, mapping, propose=propose, dry=dry_run, create=create)


@command.command("parquet", cls=ReadingCommand)
@click.argument("folder", type=Folder())
@_options
@pass_invocation
def parquet_command(
    invocation: Invocation, folder: Path, mapping: Path | None, propose: bool, dry_run: bool, create: bool
) -> None:
    """Import from a folder of Parquet files, opened read-only.

    Each file is a table of that name; so is each subfolder, whose files are its parts.
    """
    from pipeline.ingestion.imports.parquet import ParquetStore

    _run(invocation, ParquetStore(folder), mapping, propose=propose, dry=dry_run, create=create)


def _run(invocation: Invocation, store: Store, mapping: Path | None, *, propose: bool, dry: bool, create: bool) -> None:
    from datetime import UTC, datetime

    from pipeline.ingestion.imports.infer_mapping import propose as proposed
    from pipeline.ingestion.imports.mapping import read_mapping
    from pipeline.ingestion.imports.run_import import import_system

    if propose == (mapping is not None):
        raise click.UsageError("give either --mapping FILE, or --propose for a draft of it")
    if mapping is None:
        text = proposed(store)
        invocation.output.document(text)
        invocation.output.record({"mapping": text})
        return
    wanted = read_mapping(mapping)
    if create and not dry:
        _create(invocation)
    with invocation.output.progress("dry run" if dry else "import") as progress:
        report = import_system(invocation.runner, store, wanted, datetime.now(UTC), dry=dry, progress=progress)
    _show(invocation, report)


def _create(invocation: Invocation) -> None:
    from lake.store import MANIFEST, Lake

    if not (invocation.lake_path / MANIFEST).exists():
        Lake.create(invocation.lake_path)
        invocation.output.say(
            f"created an empty lake at {invocation.lake_name}; set source.name in its nextgen.toml before a cycle"
        )


def _show(invocation: Invocation, report: ImportReport) -> None:
    from nextgen_tui.text.formats import counted, whole
    from nextgen_tui.text.table_view import grid

    output = invocation.output
    view = grid()
    view.add_column("rows of")
    for heading in ("read", "accepted", "known", "unchanged", "compared", "set aside"):
        view.add_column(heading, justify="right")
    for account in report.accounts:
        aside = sum(count for count, _ in account.quarantined.values())
        counts = (account.read, account.accepted, account.known, account.unchanged, account.compared, aside)
        view.add_row(f"{account.kind} -> {account.table}", *map(whole, counts))
    output.show(view)
    if any(account.quarantined for account in report.accounts):
        output.show(_broken(report))
    verb = "would be imported" if report.dry else "imported"
    output.say(f"{counted(report.written, 'row')} {verb} from {report.source}, {report.first} to {report.last}")
    if report.settled is not None and any(account.kind == "prices" for account in report.accounts):
        output.say(f"cycles have run to {report.settled}: bars are only compared with the lake's")
    prices = next((account for account in report.accounts if account.kind == "prices"), None)
    if prices is not None and prices.accepted:
        output.say(
            "bars count as public soon after their close, as in any load of history, unless the mapping has "
            "available_at; corrected bars count from this import on"
        )
    output.record({**asdict(report), "written": report.written, "accounts": list(map(_to_record, report.accounts))})


def _broken(report: ImportReport) -> Grid:
    from nextgen_tui.text import formats
    from nextgen_tui.text.safe_text import safe_text
    from nextgen_tui.text.table_view import grid

    view = grid("Set aside" if not report.dry else "Would be set aside")
    for heading in ("table", "broken rule"):
        view.add_column(heading)
    view.add_column("rows", justify="right")
    view.add_column("first case")
    for account in report.accounts:
        for rule, (count, first) in account.quarantined.items():
            view.add_row(account.table, safe_text(rule, 60), formats.whole(count), safe_text(first, 160))
    return view


def _to_record(account: Account) -> dict[str, object]:
    aside = [{"rule": rule, "rows": rows, "first": first} for rule, (rows, first) in account.quarantined.items()]
    return {**asdict(account), "known": account.known, "quarantined": aside}
