"""`nextgen pause`: no new orders from now on, until `nextgen resume`."""

from __future__ import annotations

import click

from nextgen_tui.cli.arguments import REASON, require_reason
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation
from nextgen_tui.research.rehearsal_view import DECISION, dry_run_option, show_consequences


@click.command("pause", cls=ReadingCommand)
@click.option("--reason", type=REASON, default="", help="Why; it is recorded. Only --dry-run needs none.")
@dry_run_option(DECISION)
@pass_invocation
def command(invocation: Invocation, reason: str, dry_run: bool) -> None:
    """Pause trading: nothing new is ordered from now on.

    Orders whose plan is published stand, unless you veto them; `nextgen kill` stops those as well. Positions are kept,
    and no stop sells them. The daemon goes on: it fetches, learns and forecasts. A cycle that is at work obeys.
    """
    if dry_run:
        show_consequences(invocation, "pause", "")
        return
    require_reason(reason)
    from nextgen_tui.cli.switch_output import switch_and_show

    switch_and_show(invocation, "pause", reason)
