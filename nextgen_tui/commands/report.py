"""`nextgen report`: everything about a span of sessions, on the terminal or as one page."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nextgen_tui.cli.arguments import DAY, count_from, require_folder
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation

if TYPE_CHECKING:
    from pipeline.reading.report.full_report import Report


@click.command("report", cls=ReadingCommand)
@click.option("--from", "first", type=DAY, help="First session (default: the book's first).")
@click.option("--to", "last", type=DAY, help="Last session (default: the book's last).")
@click.option(
    "--html",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write one page of HTML that needs nothing else, and replace the file.",
)
@click.option(
    "--trials",
    type=count_from(1),
    metavar="N",
    help="Configurations tried to find this one, itself included (default: those the lake knows of).",
)
@pass_invocation
def command(
    invocation: Invocation, first: date | None, last: date | None, page: Path | None, trials: int | None
) -> None:
    """Report on sessions of the book: money, risk, skill and trades.

    Equity and drawdown beside equal weight and the benchmark, months, exposure, turnover and costs, forecast skill and
    calibration with their intervals, what blocked most, best and worst sales with their reviews, soundness of the
    data, versions, and the command that makes it again. Example: nextgen report --html report.html
    """
    from nextgen_tui.cli.version import describe_version
    from nextgen_tui.report.report_view import show_report
    from pipeline.reading.report.full_report import build_report

    if first is not None and last is not None and last < first:
        raise click.UsageError(f"a report from {first} cannot end earlier, at {last}")
    report = build_report(invocation.lake, invocation.loaded, invocation.runner.calendar, first, last, trials)
    if page is not None:
        _write(invocation, report, page)
    else:
        invocation.output.show(show_report(report, describe_version(), invocation.shown_lake))
    invocation.output.record(report.as_dict())


def _write(invocation: Invocation, report: Report, page: Path) -> None:
    from lake.access import write_output
    from nextgen_tui.cli.version import describe_version
    from nextgen_tui.report.page import write_page
    from nextgen_tui.report.summary_view import write_command
    from nextgen_tui.text.formats import counted

    folder = page.absolute().parent
    require_folder(page, "page", "--html")
    if folder.resolve().is_relative_to(invocation.lake_path.resolve()):
        raise click.UsageError(f"{page} lies in the lake, which holds tables only; choose another place with --html")
    source = report.provenance
    again = write_command((*source.command, "--html", str(page)), invocation.lake_name)
    proof = write_command(source.proof, invocation.lake_name)
    write_output(page, write_page(report, describe_version(), again, proof))
    sessions = counted(report.summary.sessions, "session")
    invocation.output.say(f"{sessions} from {report.summary.first} to {report.summary.last} are told in {page}")
