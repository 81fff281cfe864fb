"""`nextgen compact`: keep reading and writing fast over thousands of commits."""

from __future__ import annotations

import click

from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation


@click.command("compact", cls=ReadingCommand)
@click.option("--all", "everything", is_flag=True, help="Also tables with only a few small files.")
@pass_invocation
def command(invocation: Invocation, everything: bool) -> None:
    """Write the many small files of each table as a few large ones.

    The rows stay the same; the new version stands among the runs, and older versions stay readable.
    """
    from lake.upkeep.checkpoints import write_checkpoints
    from lake.upkeep.compaction import DUE_FILES, compact_tables
    from nextgen_tui.text.formats import counted

    invocation.runner.recover()
    with invocation.lake.lock("compact"):
        runs = compact_tables(invocation.lake, min_files=2 if everything else DUE_FILES)
        write_checkpoints(invocation.lake, {})
    for run in runs:
        invocation.output.say(f"{run.recipe.output_table}: {run.written:,} rows written in one piece")
    invocation.output.say(f"{counted(len(runs), 'table')} compacted; `nextgen gc` gives back what nothing needs")
    invocation.output.record([run.row() for run in runs])
