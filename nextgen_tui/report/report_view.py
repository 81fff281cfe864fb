"""The report on a terminal: the summary, then the tables of figures behind it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from nextgen_tui.report.report_rows import (
    Row,
    comparison_rows,
    describe_evidence,
    describe_year,
    performance_rows,
    source_rows,
    trading_rows,
)
from nextgen_tui.report.summary_view import (
    book_part,
    coverage_part,
    heading,
    ledger_part,
    origins_part,
    plans_part,
    set_aside_part,
    skill_part,
    trades_part,
    write_command,
)
from nextgen_tui.text import formats
from nextgen_tui.text.safe_text import safe_text
from nextgen_tui.text.table_view import grid
from pipeline.reading.report.forecast_quality import REPORTED
from pipeline.reading.report.full_report import Report


def show_report(report: Report, version: str, lake_option: str | None) -> RenderableType:
    """All of it."""
    summary = report.summary
    names = [track.name for track in summary.tracks]
    return Group(
        book_part(summary),
        _months(report, names),
        heading("Performance"),
        Text(describe_year(report)),
        _table(["", *names], (row for _, row in performance_rows(report))),
        Text(),
        _table(["", *(f"beside {name}" for name in report.figures.against)], (r for _, r in comparison_rows(report))),
        Text(describe_evidence(report)),
        heading("Trading"),
        _table(["", ""], trading_rows(report)),
        heading("What the profit is made of"),
        _table(["", summary.book.currency], source_rows(report)),
        *origins_part(summary.origins),
        skill_part(summary.quality, REPORTED),
        coverage_part(summary.quality.coverages),
        plans_part(summary.plans),
        trades_part(summary.best, summary.worst),
        _quality(report),
        ledger_part(summary.ledger),
        _source(report, version, lake_option),
    )


def _months(report: Report, names: Sequence[str]) -> RenderableType:
    rows = (
        (
            f"{one.year}" if one.month is None else f"{one.year}-{one.month:02d}",
            formats.whole(one.sessions),
            *(formats.percent(gain, signed=True) for gain in one.returns),
        )
        for one in report.months
    )
    return Group(heading("Returns by month"), _table(["", "sessions", *names], rows))


def _table(headings: Sequence[str], rows: Iterable[Row]) -> RenderableType:
    view = grid()
    for number, name in enumerate(headings):
        view.add_column(name, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        view.add_row(*row)
    return view


def _quality(report: Report) -> RenderableType:
    quality, data = report.quality, report.quality.data
    came = Text(
        f"{formats.whole(data.bars)} bars of {formats.counted(data.tickers, 'ticker')}, "
        f"{formats.counted(data.restated, 'restatement')}, {formats.counted(data.articles, 'article')}; "
        f"{formats.percent(quality.forecast_share, 1)} of what was to be forecast was forecast."
    )
    checks = [
        Text(f"{one.status} in {formats.counted(one.sessions, 'session')}: {safe_text(one.last, 200)}", "yellow")
        for one in quality.checks
    ]
    if quality.survivors:
        checks.append(Text(safe_text(quality.survivors, 400), "yellow"))
    return Group(heading("Soundness of the data"), came, set_aside_part(data.quarantined), *checks)


def _source(report: Report, version: str, lake_option: str | None) -> RenderableType:
    source = report.provenance
    return Group(
        heading("Where this comes from"),
        Text(f"{version}. {formats.counted(source.runs, 'run')}, {source.failed_runs} failed."),
        Text(f"  {write_command(source.command, lake_option)}", "cyan"),
        Text(f"  {write_command(source.proof, lake_option)}", "cyan"),
    )
