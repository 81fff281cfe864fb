"""`nextgen model`: a model's card, and how trainings went, pass by pass."""

from __future__ import annotations

from dataclasses import asdict

import click

from nextgen_tui.cli.invocation import Invocation, ReadingCommand, common_options, json_option, pass_invocation


@click.group("model", params=[*common_options(), json_option()])
def command() -> None:
    """Show a model's card, or how trainings went."""


@command.command("card", cls=ReadingCommand)
@click.argument("model_id", required=False)
@pass_invocation
def card(invocation: Invocation, model_id: str | None) -> None:
    """Show what a stranger needs to judge a model: data, figures beside baselines, trials, limits.

    By default the champion's; MODEL_ID names any other that is registered. `nextgen report` has the cards of all
    champions of its sessions. Example: nextgen model card m-20220815-1a2b3c4d
    """
    from nextgen_tui.learning.card_view import show_card
    from pipeline.reading.report.model_cards import read_model_card

    found = read_model_card(invocation.lake, model_id)
    invocation.output.record(None if found is None else found.as_dict())
    if found is None:
        invocation.output.show("No model has earned to decide: every forecast is naive. Name one to see its card.")
    else:
        invocation.output.show(show_card(found))


@command.command("curves", cls=ReadingCommand)
@click.option("--last", type=click.IntRange(1, 100), default=1, show_default=True, help="Show the last N trainings.")
@pass_invocation
def curves(invocation: Invocation, last: int) -> None:
    """Show the loss of every pass of the newest trainings, also of one that runs now.

    For each network of each fold: the loss on the rows it learned from and on held-back rows, and the pass kept.
    """
    from nextgen_tui.learning.training_view import show_training
    from pipeline.reading.learning.trainings import read_trainings

    found = read_trainings(invocation.lake, last)
    invocation.output.record([asdict(one) for one in found])
    if not found:
        invocation.output.show("Nothing was trained yet; `nextgen train` does so.")
    for one in found:
        invocation.output.show(show_training(one))
