"""`nextgen backup`: a copy of all that is published."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation
from pipeline.config.folder_option import Folder


@click.command("backup", cls=ReadingCommand)
@click.argument("folder", type=Folder())
@pass_invocation
def command(invocation: Invocation, folder: Path) -> None:
    """Copy everything published to a folder, with checksums.

    A folder that holds an earlier backup of this lake receives only what is new.
    """
    from lake.store import Lake
    from lake.upkeep.backup import backup
    from nextgen_tui.text.formats import counted

    with invocation.output.progress("backup") as progress:
        copied = backup(Lake.open(invocation.lake_path, older=True), folder.absolute(), progress)
    invocation.output.say(
        f"{counted(copied.files, 'file')} ({copied.bytes:,} bytes) backed up in {folder}, {copied.new} of them new; "
        f"`nextgen restore {folder} --lake NEW` restores them"
    )
    invocation.output.record(asdict(copied))
