"""`nextgen gc`: give back the space of files that no run needs."""

from __future__ import annotations

from dataclasses import asdict

import click

from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation


@click.command("gc", cls=ReadingCommand)
@click.option("--dry-run", is_flag=True, help="Show what would be deleted, and delete nothing.")
@pass_invocation
def command(invocation: Invocation, dry_run: bool) -> None:
    """Delete data files that no recorded run refers to.

    Every version that a run read or wrote stays readable, however old it is.
    """
    from lake.upkeep.vacuum import find_unneeded, vacuum
    from nextgen_tui.text.formats import counted
    from nextgen_tui.text.table_view import grid

    found = find_unneeded(invocation.lake) if dry_run else vacuum(invocation.lake)
    if found:
        view = grid()
        for heading in ("table", "files", "bytes", "why"):
            view.add_column(heading)
        for table, why in sorted({(one.table, one.why) for one in found}):
            sizes = [one.size for one in found if (one.table, one.why) == (table, why)]
            view.add_row(table, str(len(sizes)), f"{sum(sizes):,}", why)
        invocation.output.show(view)
    verb = "would be deleted" if dry_run else "deleted"
    total = f"{counted(len(found), 'file')} {verb}, {sum(one.size for one in found):,} bytes."
    invocation.output.say(total if found else "Nothing to delete.")
    invocation.output.record([asdict(one) for one in found])
