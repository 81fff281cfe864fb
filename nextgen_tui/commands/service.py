"""`nextgen service`: keep the daemon running under systemd or launchd."""

from __future__ import annotations

import sys
from getpass import getuser
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

    It is written to where the service manager looks for it, with the variables NEXTGEN_... that are set now. Keys are
    not written into it; the command says how to give them.
    """
    from lake.access import make_private_folder
    from pipeline.control.daemon.service_environment import CREDENTIALS, take_environment
    from pipeline.control.daemon.service_units import choose_service_unit, ends_at_logout, users_have_namespaces
    from pipeline.engine.child_command import installed_script

    program = installed_script("nextgen-daemon")
    platform = {"systemd": "linux", "launchd": "darwin"}.get(manager or "", sys.platform)
    systemd, fenced = platform != "darwin", users_have_namespaces()
    try:
        taken = take_environment(invocation.environ, Path.home(), systemd=systemd)
        place, text = choose_service_unit(program, invocation.lake_path, platform, metrics, taken, fenced=fenced)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    missing = taken.say_how(Path.home(), systemd=systemd)
    if only_print:
        click.echo(text, nl=False)
        if missing:
            invocation.output.say(missing)
        return
    if missing:
        raise click.UsageError(missing)
    _refuse_without(program, invocation.lake_path)
    path = Path.home() / place
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise click.UsageError(f"{path} already exists with other content; move it away, or use --print")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    make_private_folder(taken.state)  # what is not there when the service starts cannot be made writable
    make_private_folder(Path.home() / CREDENTIALS)
    start = (
        f"launchctl bootstrap gui/$(id -u) {path}"
        if platform == "darwin"
        else "systemctl --user enable --now nextgen-daemon"
    )
    invocation.output.say(f"{path} was written; start the daemon with `{start}`")
    if systemd and not fenced:
        invocation.output.say(
            "this system lets users have no namespaces, so the unit does not fence the daemon's files off"
        )
    if systemd and ends_at_logout(user := getuser()):
        invocation.output.say(
            f"it runs while {user} is logged in; `loginctl enable-linger {user}` starts it with the machine"
        )


def _refuse_without(program: Path, lake: Path) -> None:
    """Refuse a unit that could not start."""
    if not program.is_file():
        raise click.UsageError(f"there is no {program}; install nextgen with its commands first")
    if not (lake / "lake.json").exists():
        raise click.UsageError(
            f"there is no lake at {lake}; create one with `nextgen init`, or choose another with --lake"
        )
