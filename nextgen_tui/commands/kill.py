"""`nextgen kill`: no order is filled from now on, until `nextgen resume`."""

from __future__ import annotations

import click

from nextgen_tui.cli.arguments import REASON, require_reason
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation
from nextgen_tui.research.rehearsal_view import DECISION, dry_run_option, show_consequences


@click.command("kill", cls=ReadingCommand)
@click.option("--reason", type=REASON, default="", help="Why; it is recorded. Only --dry-run needs none.")
@click.option("--close-positions", is_flag=True, help="Sell all that is held at the next open.")
@dry_run_option(DECISION)
@pass_invocation
def command(invocation: Invocation, reason: str, close_positions: bool, dry_run: bool) -> None:
    """Stop trading at once: no order goes to its open, decided or not.

    Orders that wait for their open are cancelled for good. Positions are kept, and no stop sells them, unless
    --close-positions asks for their sale; what an open's volume does not take is sold at those that follow. The daemon
    goes on: it fetches, learns and forecasts. A cycle that is at work obeys.
    """
    if dry_run:
        show_consequences(invocation, "kill", "close" if close_positions else "")
        return
    require_reason(reason)
    from nextgen_tui.cli.switch_output import switch_and_show

    switch_and_show(invocation, "kill", reason, close_positions=close_positions)
