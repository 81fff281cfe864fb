"""`nextgen approve`: the operator's word on a planned trade."""

from __future__ import annotations

import click

from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation


@click.command("approve", cls=ReadingCommand)
@click.argument("plan")
@click.option("--reason", default="", help="Why, for the record.")
@pass_invocation
def command(invocation: Invocation, plan: str, reason: str) -> None:
    """Approve a planned trade before its open.

    PLAN is session and ticker, such as 2026-01-05:AAPL; `nextgen show trade_plans --where taken=true` lists them.
    It is recorded, and judged later. Where the setting trading.approval is `required`, no order but a stop goes to the
    open without it. It takes an earlier veto back.
    """
    from nextgen_tui.cli.decision_output import said, tell_trade
    from pipeline.control.operator.decisions import decide

    tell_trade(invocation, said(lambda: decide(invocation.runner, plan, "approve", reason, "cli")))
