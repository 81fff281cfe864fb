"""`nextgen service`: keep the daemon running under systemd or launchd."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from nextgen_tui.cli.invocation import Command, Invocation, common_options, pass_invocation


@click.group("service", params=common_options())
def command() -> None:
    """Install the daemon as a systemd or launchd service."""


@command.command("install", cls=Command)
@click.option("--print", "only_print", is_flag=True, help="Print the unit, and change nothing.")
@click.option(
    "--for",
    "manager",
    type=click.Choice(["systemd", "launchd"]),
    help="Service manager (default: that of this computer).",
)
@click.option(
    "--metrics",
    type=click.IntRange(1, 65_535),
    metavar="PORT",
    help="Serve Prometheus metrics on loopback.",
)
@pass_invocation
def install_command(invocation: Invocation, only_print: bool, manager: str | None, metrics: int | None) -> None:
    """Install the unit for this lake.

    It is written to where the service manager looks for it.
    """
    from pipeline.control.daemon.service_units import choose_service_unit
    from pipeline.engine.child_command import installed_script

    program = installed_script("nextgen-daemon")
    platform = {"systemd": "linux", "launchd": "darwin"}.get(manager or "", sys.platform)
    try:
        place, text = choose_service_unit(program, invocation.lake_path, platform, metrics)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if only_print:
        click.echo(text, nl=False)
        return
    path = Path.home() / place
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise click.UsageError(f"{path} already exists with other content; move it away, or use --print")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    start = (
        f"launchctl bootstrap gui/$(id -u) {path}"
        if platform == "darwin"
        else "systemctl --user enable --now nextgen-daemon"
    )
    invocation.output.say(f"{path} was written; start the daemon with `{start}`")
