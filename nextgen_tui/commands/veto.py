"""`nextgen veto`: the operator's word on a planned trade."""

from __future__ import annotations

import click

from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation


@click.command("veto", cls=ReadingCommand)
@click.argument("plan")
@click.option("--reason", required=True, help="Why, for the record.")
@pass_invocation
def command(invocation: Invocation, plan: str, reason: str) -> None:
    """Keep a planned trade from its open.

    PLAN is session and ticker, such as 2026-01-05:AAPL; `nextgen show trade_plans --where taken=true` lists them.
    The order stands as unfilled with your reason, and what it would have earned is judged later.
    """
    from nextgen_tui.cli.decision_output import said, tell_trade
    from pipeline.control.operator.decisions import decide

    tell_trade(invocation, said(lambda: decide(invocation.runner, plan, "veto", reason, "cli")))
