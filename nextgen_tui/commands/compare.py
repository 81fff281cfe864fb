"""`nextgen compare`: an older system's figures beside the lake's."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING

import click

from nextgen_tui.cli.arguments import DAY
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation

if TYPE_CHECKING:
    from pipeline.comparison.compare import Comparison
    from pipeline.comparison.figure import Figure

_FRACTION = click.FloatRange(min=0)


@click.command("compare", cls=ReadingCommand)
@click.argument("system", required=False)
@click.option("--from", "first", type=DAY, help="First session (default: the first that was imported).")
@click.option("--to", "last", type=DAY, help="Last session (default: the last that both have).")
@click.option(
    "--tolerance",
    type=_FRACTION,
    default=1e-4,
    show_default=True,
    help="Relative difference allowed.",
)
@click.option("--forecast-tolerance", type=_FRACTION, help="Compare forecasts too, with this tolerance.")
@pass_invocation
def command(
    invocation: Invocation,
    system: str | None,
    first: date | None,
    last: date | None,
    tolerance: float,
    forecast_tolerance: float | None,
) -> int:
    """Compare an imported system's figures with the lake's.

    Compares closes, forecasts by horizon, fills, positions and realised profit for the same sessions. Exit code 0 if
    they agree within the tolerance, 1 if not, 2 if nothing was imported. Forecasts count only with
    --forecast-tolerance.
    """
    from nextgen_tui.cli import exit_codes
    from pipeline.comparison.compare import Tolerances, compare

    tolerances = Tolerances(relative=tolerance, forecast=forecast_tolerance)
    calendar = invocation.runner.calendar
    found = compare(invocation.lake, calendar, tolerances, source=system, first=first, last=last)
    _show(invocation, found)
    return exit_codes.DONE if found.within else exit_codes.DEGRADED


def _show(invocation: Invocation, found: Comparison) -> None:
    from nextgen_tui.text import formats
    from nextgen_tui.text.safe_text import safe_text
    from nextgen_tui.text.table_view import grid

    output = invocation.output
    view = grid()
    view.add_column("")
    for heading in ("matched", "imported", "differs", "missing here", "missing there"):
        view.add_column(heading, justify="right")
    view.add_column("verdict")
    view.add_column("first difference")
    for one in found.figures:
        counts = (one.matched, one.taken_over, one.differs, one.missing_here, one.missing_there)
        verdict = "not compared" if not one.judged else "agrees" if one.within else "differs"
        view.add_row(safe_text(one.name, 60), *map(formats.whole, counts), verdict, safe_text(one.first, 120))
    output.show(view)
    for one in found.figures:
        if any(one.numbers.values()):
            output.show(safe_text(f"{one.name}: {_numbers(one)}", 400))
    output.say(f"{found.source}, {found.first} to {found.last}")
    if not found.figures:
        output.say("the two systems have no figure in common")
    record = {**asdict(found), "within": found.within}
    output.record({**record, "figures": [{**asdict(one), "within": one.within} for one in found.figures]})


def _numbers(figure: Figure) -> str:
    from nextgen_tui.text import formats

    known = {name: value for name, value in figure.numbers.items() if value is not None}
    return ", ".join(f"{name.replace('_', ' ')} {formats.number(value)}" for name, value in known.items())
