"""`nextgen approve`: the operator's decision on a planned trade."""

from __future__ import annotations

import click

from nextgen_tui.cli.arguments import REASON
from nextgen_tui.cli.completion import complete_plan
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation
from nextgen_tui.research.rehearsal_view import DECISION, dry_run_option, show_consequences


@click.command("approve", cls=ReadingCommand)
@click.argument("plan", shell_complete=complete_plan)
@click.option("--reason", type=REASON, default="", help="Why; it is recorded.")
@dry_run_option(DECISION)
@pass_invocation
def command(invocation: Invocation, plan: str, reason: str, dry_run: bool) -> None:
    """Approve a planned trade before the open.

    PLAN is session and ticker, such as 2026-01-05:AAPL; `nextgen show trade_plans --where taken=true` lists them.
    The decision is recorded and evaluated later, and revokes an earlier veto. Where the setting trading.approval is
    `required`, only approved orders and stops are executed.
    """
    if dry_run:
        show_consequences(invocation, "approve", plan)
        return
    from nextgen_tui.cli.decision_output import record_decision, show_trade_decision
    from pipeline.control.operator.decisions import decide

    show_trade_decision(invocation, record_decision(lambda: decide(invocation.runner, plan, "approve", reason, "cli")))
