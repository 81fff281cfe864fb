"""`nextgen compact`: keep reading and writing fast over thousands of commits."""

from __future__ import annotations

import click

from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation
from nextgen_tui.research.rehearsal_view import dry_run_option


@click.command("compact", cls=ReadingCommand)
@click.option("--all", "everything", is_flag=True, help="Include tables with only a few small files.")
@dry_run_option("Tell which tables would be rewritten, and do nothing.")
@pass_invocation
def command(invocation: Invocation, everything: bool, dry_run: bool) -> None:
    """Rewrite each table's many small files as a few large ones.

    The rows stay the same. The new version is recorded as a run, and older versions stay readable.
    """
    from lake.upkeep.checkpoints import write_checkpoints
    from lake.upkeep.compaction import DUE_FILES, compact_tables
    from nextgen_tui.text.formats import counted

    min_files = 2 if everything else DUE_FILES
    if dry_run:
        _show_due(invocation, min_files)
        return
    invocation.runner.recover()
    with invocation.lake.lock("compact"):
        runs = compact_tables(invocation.lake, min_files=min_files)
        write_checkpoints(invocation.lake, {})
    for run in runs:
        invocation.output.say(f"{run.recipe.output_table}: {run.written:,} rows rewritten")
    invocation.output.say(f"{counted(len(runs), 'table')} compacted; `nextgen gc` deletes what is no longer needed")
    invocation.output.record([run.row() for run in runs])


def _show_due(invocation: Invocation, min_files: int) -> None:
    from dataclasses import asdict

    from lake.upkeep.compaction import find_due
    from nextgen_tui.text.formats import counted

    due = find_due(invocation.lake, min_files=min_files)
    for one in due:
        invocation.output.show(f"{one.table}: {one.files:,} small files, at most {one.rows:,} rows rewritten")
    invocation.output.show(f"{counted(len(due), 'table')} would be compacted. Nothing was done.")
    invocation.output.record([asdict(one) for one in due])
