"""`nextgen promote`: the operator's word on who is champion."""

from __future__ import annotations

import click

from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation


@click.command("promote", cls=ReadingCommand)
@click.argument("model")
@click.option("--reason", default="", help="Why, for the record.")
@pass_invocation
def command(invocation: Invocation, model: str, reason: str) -> None:
    """Make a trained model champion.

    It counts from the next cycle on, and is put on record there like every decision on the champion. `nextgen show
    model_promotions` lists the models that were judged.
    """
    from nextgen_tui.cli.decision_output import said, tell_champion
    from pipeline.control.operator.decisions import promote

    tell_champion(invocation, said(lambda: promote(invocation.runner, model, reason, "cli")))
