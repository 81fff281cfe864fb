"""`nextgen explain`: why a forecast is what it is."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

import click

from nextgen_tui.cli.arguments import DAY, count_from
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation


@click.command("explain", cls=ReadingCommand)
@click.argument("ticker")
@click.option("--session", type=DAY, help="Explain this session's forecast (default: the last one).")
@click.option("--horizon", type=count_from(1), help="Only the forecast so many sessions ahead.")
@click.option("--cases", type=click.IntRange(0, 50), default=5, show_default=True, help="Show N nearest past cases.")
@pass_invocation
def command(invocation: Invocation, ticker: str, session: date | None, horizon: int | None, cases: int) -> None:
    """Show what moved a ticker's forecasts, and what came of past cases.

    The parts add up to the forecast: a line's terms are exact, a network's are gradients along a path from average
    inputs. The names with the largest forecasts are explained each session (prediction.explained).
    Example: nextgen explain ACME --horizon 5
    """
    from nextgen_tui.learning.explanation_view import show_explanation
    from pipeline.reading.learning.explanations import read_explanations
    from pipeline.reading.learning.past_cases import find_past_cases

    calendar, records = invocation.runner.calendar, []
    for one in read_explanations(invocation.lake, ticker, session, horizon):
        near = find_past_cases(invocation.lake, calendar, one, cases) if cases else ()
        records.append(asdict(one) | {"cases": [asdict(case) for case in near]})
        invocation.output.show(show_explanation(one, near))
    invocation.output.record(records)
