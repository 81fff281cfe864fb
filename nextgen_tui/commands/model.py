"""`nextgen model`: a model's card, how trainings went, and forecasts beside those of a pretrained model."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

import click

from nextgen_tui.cli.arguments import DAY
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, common_options, json_option, pass_invocation


@click.group("model", params=[*common_options(), json_option()])
def command() -> None:
    """Show a model's card, how trainings went, or what a pretrained model says."""


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


@command.command("baseline", cls=ReadingCommand)
@click.option("--from", "first", type=DAY, help="First session of forecasts (default: the last quarter that came out).")
@click.option("--to", "last", type=DAY, help="Last session of forecasts (default: the last that came out).")
@pass_invocation
def baseline(invocation: Invocation, first: date | None, last: date | None) -> None:
    """Compare forecasts with those of a pretrained model that never saw these prices.

    The weights of Fracast-0 come with its package (pip install 'nextgen-trading[zero-shot]'): nothing is fetched, and
    nothing is trained. It sees two years of each name's path and no feature. Whoever cannot beat it has learned
    nothing here. A session of 60 names takes about 3 s. Example: nextgen model baseline --from 2022-05-02
    """
    from nextgen_tui.learning.zero_shot_view import record_zero_shot, show_zero_shot
    from pipeline.research.zero_shot.beside import compare_with_zero_shot

    with invocation.output.progress("baseline") as progress:
        asked = (invocation.lake, invocation.settings, invocation.calendar, first, last, progress)
        found = compare_with_zero_shot(*asked)
    invocation.output.show(show_zero_shot(found))
    invocation.output.record(record_zero_shot(found))
