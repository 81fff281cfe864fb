"""`nextgen console`: the operator's screen."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from stat import S_ISFIFO, S_ISSOCK

import click

from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.invocation import Command, Invocation, pass_invocation
from pipeline.config.folder_option import Folder


@click.command("console", cls=Command)
@click.option("--light", is_flag=True, help="Start in the light theme.")
@click.option("--at", metavar="SESSION", default="", help="Start in the past: a session, a UTC time, or a run's id.")
@click.option("--read-only", is_flag=True, help="Allow no requests and no decisions.")
@click.option(
    "--screenshot",
    type=Folder(),
    metavar="DIR",
    help="Save every screen as an SVG picture in a folder, and exit.",
)
@click.option("--size", default="140x40", metavar="WxH", help="Size of the pictures in characters.", show_default=True)
@click.option("--web", is_flag=True, help="Serve the console to a browser on this machine; needs the extra `web`.")
@click.option("--port", type=click.IntRange(1, 65_535), default=8_137, help="Port for --web.", show_default=True)
@pass_invocation
def command(
    invocation: Invocation,
    light: bool,
    at: str,
    read_only: bool,
    screenshot: Path | None,
    size: str,
    web: bool,
    port: int,
) -> int:
    """Open the console.

    It follows what is published, and starts without a lake as well. It queues requests and records decisions, and
    writes nothing else.
    """
    if web:
        flags = {"--light": light, "--read-only": read_only}
        options = [*(flag for flag, given in flags.items() if given), *(["--at", at] if at else [])]
        return _serve(invocation, port, options)
    if screenshot is None:
        from nextgen_tui.console.runtime.lifeline import Lifeline

        _refuse_without_terminal(invocation)
        lifeline = Lifeline().start()  # before the libraries load: its user can be gone by then
    from nextgen_tui.console.app import ConsoleApp

    if screenshot is None:
        from nextgen_tui.console.runtime.gc_tuning import rare_full_collections
        from nextgen_tui.console.runtime.shutdown import finish
        from nextgen_tui.console.runtime.terminal import restore_terminal
        from nextgen_tui.remembered.preferences import own_preferences
        from nextgen_tui.text.safe_text import safe_text

        preferences = own_preferences(invocation.environ)
        app = ConsoleApp(
            invocation.lake_path,
            light=light,
            at=at,
            read_only=read_only,
            lifeline=lifeline,
            preferences=preferences,
            keymap=_keymap(invocation),
        )
        with restore_terminal(), rare_full_collections():
            app.run()
        if app.health is not None:  # what the screens said is gone with them: the verdict stays in the scrollback
            invocation.output.say(safe_text(f"{app.health.status}: {app.health.sentence}", 400))
        return finish(app.return_code or exit_codes.DONE)
    from nextgen_tui.console.runtime.screenshots import take_screenshots, terminal_size

    app = ConsoleApp(invocation.lake_path, light=light, at=at, read_only=read_only)
    for path in take_screenshots(app, screenshot, terminal_size(size)):
        invocation.output.show(str(path))
    return exit_codes.DONE


def _keymap(invocation: Invocation) -> dict[str, str]:
    from nextgen_tui.console.operator.own_keys import list_keys, reserved_keys
    from nextgen_tui.remembered.keymap_file import KeymapError, keymap_path, read_keymap

    try:
        return read_keymap(keymap_path(invocation.environ, Path.home()), list_keys(), reserved_keys())
    except KeymapError as error:
        raise click.UsageError(str(error)) from None


def _refuse_without_terminal(invocation: Invocation) -> None:
    """Served to a browser it has a driver of its own, and a pipe or socket whose end it can notice; anywhere else it
    would draw into a file for ever."""
    served = "TEXTUAL_DRIVER" in invocation.environ and (S_ISFIFO(mode := os.fstat(0).st_mode) or S_ISSOCK(mode))
    if not served and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError("the console needs a terminal; `nextgen status --json` answers a script")


def _serve(invocation: Invocation, port: int, options: list[str]) -> int:
    try:
        from nextgen_tui.console.runtime.serve import serve
    except ModuleNotFoundError as error:
        raise click.UsageError(
            f"a console in the browser needs the extra `web` ({error.name} is missing): "
            "pip install 'nextgen-trading[web]'"
        ) from None
    serve(invocation.lake_path, port, options, invocation.output.say)
    return exit_codes.DONE
