"""`nextgen resume`: trading goes on after a pause or a kill."""

from __future__ import annotations

import click

from nextgen_tui.cli.arguments import REASON
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation
from nextgen_tui.research.rehearsal_view import DECISION, dry_run_option, show_consequences


@click.command("resume", cls=ReadingCommand)
@click.option("--reason", type=REASON, default="", help="Why; it is recorded.")
@dry_run_option(DECISION)
@pass_invocation
def command(invocation: Invocation, reason: str, dry_run: bool) -> None:
    """Resume trading after a pause or a kill.

    Lifts what holds at this moment; what was stopped until now stays unfilled, and the next plan may order again.
    """
    if dry_run:
        show_consequences(invocation, "resume", "")
        return
    from nextgen_tui.cli.switch_output import switch_and_show

    switch_and_show(invocation, "resume", reason)
