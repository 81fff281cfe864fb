"""`nextgen compare-runs`: whether one branch did better than another over the same sessions, or by chance."""

from __future__ import annotations

from datetime import date

import click

from nextgen_tui.cli.arguments import DAY
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation


@click.command("compare-runs", cls=ReadingCommand)
@click.argument("one", metavar="A")
@click.argument("other", metavar="B")
@click.option("--from", "first", type=DAY, help="First session (default: the first that both have).")
@click.option("--to", "last", type=DAY, help="Last session (default: the last that both have).")
@click.option("--metric", default="return", show_default=True, help="The figure that decides the verdict.")
@pass_invocation
def command(invocation: Invocation, one: str, other: str, first: date | None, last: date | None, metric: str) -> None:
    """Say whether one branch did better than another, or by chance.

    A and B are branches; main is the lake itself, and EXPERIMENT.VARIANT a variant. Shown are the settings that differ,
    where the two first differ (session, stage, row), each figure with the interval of its paired difference, and a
    verdict: helped, hurt, or cannot be told, and after how many sessions it could.
    """
    from nextgen_tui.research.comparison_view import record_comparison, show_comparison
    from pipeline.research.compare_runs import compare_runs
    from pipeline.research.holdout import last_to_compare
    from pipeline.research.sides import open_side

    judged = open_side(invocation.lake, one), open_side(invocation.lake, other)
    until = last_to_compare(invocation.lake, invocation.settings, last)
    compared = compare_runs(*judged, invocation.runner.calendar, first, until, metric)
    invocation.output.show(show_comparison(compared))
    invocation.output.record(record_comparison(compared))
