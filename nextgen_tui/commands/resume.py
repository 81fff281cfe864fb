"""`nextgen resume`: trading goes on after a pause or a kill."""

from __future__ import annotations

import click

from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation


@click.command("resume", cls=ReadingCommand)
@click.option("--reason", default="", help="Why; it is recorded.")
@pass_invocation
def command(invocation: Invocation, reason: str) -> None:
    """Resume trading after a pause or a kill.

    Lifts what holds at this moment; what was stopped until now stays unfilled, and the next plan may order again.
    """
    from nextgen_tui.cli.switch_output import switch_and_show

    switch_and_show(invocation, "resume", reason)
