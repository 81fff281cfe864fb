"""`nextgen promote`: the operator's choice of champion."""

from __future__ import annotations

import click

from nextgen_tui.cli.arguments import REASON
from nextgen_tui.cli.completion import complete_model
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation
from nextgen_tui.research.rehearsal_view import DECISION, dry_run_option, show_consequences


@click.command("promote", cls=ReadingCommand)
@click.argument("model", shell_complete=complete_model)
@click.option("--reason", type=REASON, default="", help="Why; it is recorded.")
@dry_run_option(DECISION)
@pass_invocation
def command(invocation: Invocation, model: str, reason: str, dry_run: bool) -> None:
    """Promote a trained model to champion.

    It takes effect with the next cycle, which records it like every decision on the champion. `nextgen show
    model_promotions` lists the models that were evaluated.
    """
    if dry_run:
        show_consequences(invocation, "promote", model)
        return
    from nextgen_tui.cli.decision_output import record_decision, show_model_choice
    from pipeline.control.operator.decisions import promote

    show_model_choice(invocation, record_decision(lambda: promote(invocation.runner, model, reason, "cli")))
