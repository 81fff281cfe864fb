"""`nextgen scrub`: is every byte still what was published?"""

from __future__ import annotations

from dataclasses import asdict

import click

from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation


@click.command("scrub", cls=ReadingCommand)
@pass_invocation
def command(invocation: Invocation) -> int:
    """Verify every file against its recorded checksum.

    Changes nothing, and may run while the lake is written. Exit code 74 if a file is damaged or missing; restore it
    from a backup with `nextgen restore`.
    """
    from lake.store import Lake
    from lake.upkeep.scrub import scrub
    from nextgen_tui.text.formats import counted
    from nextgen_tui.text.safe_text import safe_text
    from nextgen_tui.text.table_view import grid

    with invocation.output.progress("scrubbing") as progress:
        result = scrub(Lake.open(invocation.lake_path, older=True), progress)
    if result.findings:
        view = grid()
        for heading in ("table", "file", "what"):
            view.add_column(heading)
        for one in result.findings:
            view.add_row(one.table, safe_text(one.file, 200), safe_text(one.what, 300))
        invocation.output.show(view)
    bare = (
        f"; {result.without_checksum} of them have no recorded checksum and were only read"
        if result.without_checksum
        else ""
    )
    invocation.output.say(f"{counted(result.files, 'file')} checked, {len(result.findings)} damaged or missing{bare}")
    if result.findings:
        remedy = "`nextgen restore BACKUP --lake NEW` gives the whole lake as it was, and each file to copy from there"
        invocation.output.say(remedy)
    invocation.output.record(asdict(result))
    return exit_codes.DAMAGE if result.findings else exit_codes.DONE
