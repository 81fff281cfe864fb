"""`nextgen console`: the operator's screen."""

from __future__ import annotations

from pathlib import Path

import click

from nextgen_tui.invocation import Command, Invocation, pass_invocation


@click.command("console", cls=Command)
@click.option("--light", is_flag=True, help="Start with dark letters on a light ground.")
@click.option("--at", metavar="SESSION", default="", help="Start in the past: a session, a UTC time, or a run's id.")
@click.option(
    "--screenshot",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write an SVG picture of every screen into a folder, and end.",
)
@click.option("--size", default="140x40", metavar="WxH", help="Size of the pictures in characters.", show_default=True)
@pass_invocation
def command(invocation: Invocation, light: bool, at: str, screenshot: Path | None, size: str) -> None:
    """Open the console.

    It follows what is published, starts without a lake as well, and asks the daemon for work but writes nothing else.
    """
    from nextgen_tui.console.app import ConsoleApp

    app = ConsoleApp(invocation.lake_path, light=light, at=at)
    if screenshot is None:
        app.run()
        return
    from nextgen_tui.console.screenshots import take, terminal_size

    for path in take(app, screenshot, terminal_size(size)):
        invocation.output.show(str(path))
