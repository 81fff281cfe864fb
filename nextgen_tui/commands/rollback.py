"""`nextgen rollback`: back to the previous champion."""

from __future__ import annotations

import click

from nextgen_tui.cli.arguments import REASON
from nextgen_tui.cli.completion import complete_model
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation
from nextgen_tui.research.rehearsal_view import DECISION, dry_run_option, show_consequences


@click.command("rollback", cls=ReadingCommand)
@click.argument("model", default="", shell_complete=complete_model)
@click.option("--reason", type=REASON, default="", help="Why; it is recorded.")
@dry_run_option(DECISION)
@pass_invocation
def command(invocation: Invocation, model: str, reason: str, dry_run: bool) -> None:
    """Restore the previous champion.

    It takes effect with the next cycle. Give MODEL, the champion you mean to replace, to have the command refuse if
    another model is champion by now.
    """
    if dry_run:
        show_consequences(invocation, "rollback", model)
        return
    from nextgen_tui.cli.decision_output import record_decision, show_model_choice
    from pipeline.control.operator.decisions import rollback

    show_model_choice(invocation, record_decision(lambda: rollback(invocation.runner, model, reason, "cli")))
