"""`nextgen rollback`: the champion taken back."""

from __future__ import annotations

import click

from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation


@click.command("rollback", cls=ReadingCommand)
@click.argument("model", default="")
@click.option("--reason", default="", help="Why, for the record.")
@pass_invocation
def command(invocation: Invocation, model: str, reason: str) -> None:
    """Take the champion back for the one before it.

    It counts from the next cycle on. Give MODEL to be sure that no other champion than the one you mean is taken back.
    """
    from nextgen_tui.cli.decision_output import said, tell_champion
    from pipeline.control.operator.decisions import rollback

    tell_champion(invocation, said(lambda: rollback(invocation.runner, model, reason, "cli")))
