"""`nextgen console`: the operator's screen."""

from __future__ import annotations

import click

from nextgen_tui.invocation import Command, Invocation, pass_invocation


@click.command("console", cls=Command)
@click.option("--light", is_flag=True, help="Start with dark letters on a light ground.")
@pass_invocation
def command(invocation: Invocation, light: bool) -> None:
    """Open the console.

    It only reads the lake, follows what is published, and starts without a lake as well.
    """
    from nextgen_tui.console.app import ConsoleApp

    ConsoleApp(invocation.lake_path, light=light).run()
