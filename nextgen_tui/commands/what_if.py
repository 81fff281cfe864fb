"""`nextgen what-if`: what the book would have been under other settings."""

from __future__ import annotations

from datetime import date

import click

from nextgen_tui.cli.arguments import DAY, parse_settings, setting_option
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation


@click.command("what-if", cls=ReadingCommand)
@setting_option("A setting that differs, such as trading.mandate.risk_aversion=10; none tries today's code alone.")
@click.option("--from", "first", type=DAY, help="First session (default: the second that the lake has run).")
@click.option("--to", "last", type=DAY, help="Last session (default: the last that the lake has run).")
@click.option("--keep", metavar="NAME", default="", help="Keep the branch that it was tried on, under this name.")
@click.option("--code", is_flag=True, help="Compute stages too whose code alone has changed since they ran.")
@pass_invocation
def command(
    invocation: Invocation, chosen: tuple[str, ...], first: date | None, last: date | None, keep: str, code: bool
) -> None:
    """Run past sessions again under other settings, and compare.

    The lake itself is not touched: the sessions run on a branch that is taken away afterwards. Only stages whose
    settings, code or inputs differ are computed; what others gave is taken over. For example:

    \b
      nextgen what-if --set trading.mandate.risk_aversion=10
      nextgen what-if --set trading.philosophy.turnover=0.1 --from 2022-03-01 --keep slower
    """
    from nextgen_tui.research.comparison_view import record_comparison, show_comparison
    from pipeline.research.what_if import ask_what_if

    with invocation.output.progress("what if") as progress:
        compared = ask_what_if(
            invocation.lake,
            invocation.settings,
            invocation.runner.calendar,
            parse_settings(chosen),
            first,
            last,
            keep,
            progress,
            tries_code=code,
        )
    invocation.output.show(show_comparison(compared))
    if keep:
        invocation.output.show(f"Kept as branch {keep}: nextgen --branch {keep} report shows all of it.")
    invocation.output.record(record_comparison(compared))
