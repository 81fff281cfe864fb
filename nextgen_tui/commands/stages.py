"""`nextgen stages`: what runs, in order."""

from __future__ import annotations

import click

from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation


@click.command("stages", cls=ReadingCommand)
@pass_invocation
def command(invocation: Invocation) -> None:
    """List the stages with what they read and write."""
    from nextgen_tui.text.table_view import grid
    from pipeline.engine.stages import STAGES

    view = grid()
    for heading in ("stage", "kind", "writes", "reads", "what it does"):
        view.add_column(heading)
    for stage in STAGES:
        reads = ", ".join(dict.fromkeys(read.table.name for read in stage.reads))
        view.add_row(stage.name, stage.kind, stage.writes.name, reads, stage.doc)
    invocation.output.show(view)
    invocation.output.record(
        [
            {
                "stage": stage.name,
                "kind": stage.kind,
                "section": stage.section,
                "writes": stage.writes.name,
                "reads": list(dict.fromkeys(read.table.name for read in stage.reads)),
                "doc": stage.doc,
            }
            for stage in STAGES
        ]
    )
