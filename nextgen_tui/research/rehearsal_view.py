"""What a command would do, shown before it does it: `--dry-run`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any, TypeVar

import click

from nextgen_tui.cli.invocation import Invocation

if TYPE_CHECKING:
    from pipeline.engine.work import Work

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


WORK = "Tell what would be read and written, how long it takes and what it costs, and do nothing."
DECISION = "Tell what will be true afterwards, and do nothing."


def dry_run_option(words: str = WORK) -> Callable[[Decorated], Decorated]:
    """The option --dry-run, as `dry_run`."""
    return click.option("--dry-run", is_flag=True, help=words)


def show_consequences(invocation: Invocation, action: str, target: str) -> None:
    """Show what will be true after something is done, as the console's dialog does before it is."""
    from nextgen_tui.text.safe_text import safe_text
    from pipeline.reading.foresight.consequences import find_consequences

    told = find_consequences(invocation.lake, action, target)
    for sentence in told or ("Only the daemon can tell what comes of it.",):
        invocation.output.show(safe_text(sentence, 600))
    invocation.output.show("Nothing was done.")
    invocation.output.record({"action": action, "target": target, "consequences": list(told)})


def show_cycles(invocation: Invocation, first: date, last: date) -> None:
    """Show what the cycles of a span would do: those that are done are left alone.

    Raises:
        CycleOrderError: if they could not run, as they would say.
    """
    from pipeline.engine import work

    due = invocation.runner.list_due(first, last)
    if not due:
        invocation.output.show(f"Every session from {first} to {last} is done already.")
    show_rehearsal(invocation, work.cycle(due[0] if due else first), len(due))


def show_rehearsal(invocation: Invocation, wanted: Work, pieces: int = 1) -> None:
    """Show what work would do, by what the last pieces of its kind did."""
    from nextgen_tui.text import formats
    from nextgen_tui.text.table_view import grid
    from pipeline.reading.foresight.rehearsal import rehearse

    told = rehearse(invocation.lake, wanted, pieces)
    view = grid(f"{formats.counted(pieces, told.kind.replace('-', ' '))}, each")
    for heading in ("stage", "reads", "writes", "new rows", "seconds", "requests"):
        view.add_column(heading, justify="right" if heading in ("new rows", "seconds", "requests") else "left")
    for one in told.stages:
        figures = (formats.number(value, 1) for value in (one.rows, one.seconds, one.requests))
        view.add_row(one.stage, ", ".join(one.reads), one.writes, *figures)
    invocation.output.show(view)
    basis = f"by the mean of the last {formats.counted(told.based_on, 'piece')} of such work"
    if told.seconds is None or told.rows is None:
        invocation.output.show("How long it takes is not known: no such work was done in this lake yet.")
    else:
        took = formats.duration(told.seconds)
        asked = f"{told.requests:,.0f} answers from outside, {told.dollars:.2f} dollars for language models"
        invocation.output.show(f"In all about {told.rows:,.0f} new rows in {took}, {asked}; {basis}.")
    invocation.output.show("Nothing was done.")
    stages = [{**vars(one), "reads": list(one.reads)} for one in told.stages]
    totals = {"seconds": told.seconds, "rows": told.rows, "requests": told.requests, "dollars": told.dollars}
    invocation.output.record({"kind": told.kind, "pieces": pieces, "stages": stages, **totals})
