"""`nextgen pause`: no new orders from now on, until `nextgen resume`."""

from __future__ import annotations

import click

from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation


@click.command("pause", cls=ReadingCommand)
@click.option("--reason", required=True, help="Why; it is recorded.")
@pass_invocation
def command(invocation: Invocation, reason: str) -> None:
    """Pause trading: nothing new is ordered from now on.

    Orders whose plan is published stand, unless you veto them; `nextgen kill` stops those as well. Positions are kept,
    and no stop sells them. The daemon goes on: it fetches, learns and forecasts. A cycle that is at work obeys.
    """
    from nextgen_tui.cli.switch_output import switch_and_show

    switch_and_show(invocation, "pause", reason)
