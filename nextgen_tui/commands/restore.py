"""`nextgen restore`: a lake out of a backup."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation
from pipeline.config.folder_option import Folder


@click.command("restore", cls=ReadingCommand)
@click.argument("folder", type=Folder(exists=True))
@pass_invocation
def command(invocation: Invocation, folder: Path) -> None:
    """Restore a backup into the empty folder given by --lake.

    Every file is verified against its checksum; if one differs, nothing is restored.
    """
    from lake.upkeep.backup import restore
    from nextgen_tui.text.formats import counted

    with invocation.output.progress("restore") as progress:
        copied = restore(folder.absolute(), invocation.lake_path, progress)
    invocation.output.say(
        f"{counted(copied.files, 'file')} ({copied.bytes:,} bytes) restored to {invocation.lake_name}"
    )
    invocation.output.record(asdict(copied))
