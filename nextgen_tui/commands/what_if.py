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
@click.option("--stages", is_flag=True, help="Run the stages again even where the book alone can be computed.")
@click.option("--each-rule", is_flag=True, help="Tell what each rule brought: the book beside one without it.")
@pass_invocation
def command(
    invocation: Invocation,
    chosen: tuple[str, ...],
    first: date | None,
    last: date | None,
    keep: str,
    code: bool,
    stages: bool,
    each_rule: bool,
) -> None:
    """Tell what the book would have been under other settings, and compare.

    Nothing of the operation changes; the question is counted as a trial, once. Where settings change no more than
    orders and what they bring, the book is decided, filled and valued again in memory from stored forecasts, to the
    cent. Else the sessions run on a branch that is taken away afterwards: only stages whose settings, code or inputs
    differ are computed, and what others gave is taken over. For example:

    \b
      nextgen what-if --set trading.mandate.risk_aversion=10
      nextgen what-if --set trading.philosophy.turnover=0.1 --from 2022-03-01 --keep slower
      nextgen what-if --each-rule
    """
    if each_rule:
        if chosen or keep or code or stages:
            raise click.UsageError("--each-rule is about the book as it is; leave the other options out")
        _tell_rules_apart(invocation, first, last)
        return
    from nextgen_tui.research.comparison_view import record_comparison, show_comparison
    from pipeline.research.what_if import ask_what_if

    with invocation.output.progress("what if") as progress:
        compared = ask_what_if(
            invocation.lake,
            invocation.settings,
            invocation.calendar,
            parse_settings(chosen),
            first,
            last,
            keep,
            progress,
            tries_code=code,
            runs_stages=stages,
        )
    invocation.output.show(show_comparison(compared))
    if keep:
        invocation.output.show(f"Kept as branch {keep}: nextgen --branch {keep} report shows all of it.")
    invocation.output.record(record_comparison(compared))


def _tell_rules_apart(invocation: Invocation, first: date | None, last: date | None) -> None:
    from nextgen_tui.research.rules_view import record_rules, show_rules
    from pipeline.research.what_if import ask_each_rule

    with invocation.output.progress("rules") as progress:
        asked = (invocation.lake, invocation.settings, invocation.calendar, first, last, progress)
        rules = ask_each_rule(*asked)
    invocation.output.show(show_rules(rules))
    invocation.output.record(record_rules(rules))
