"""The report as one page of HTML that needs nothing else: no script, no network, charts drawn in it."""

from __future__ import annotations

from collections.abc import Sequence

from nextgen_tui.report.markup import Html, join, tag
from nextgen_tui.report.page_forecasts import forecast_section
from nextgen_tui.report.page_models import models_section
from nextgen_tui.report.page_money import (
    book_section,
    headline,
    months_section,
    origins_section,
    performance_section,
    trading_section,
)
from nextgen_tui.report.page_sources import quality_section, source_section
from nextgen_tui.report.page_style import STYLE
from nextgen_tui.report.page_trades import blocked_section, trades_section
from pipeline.reading.report.full_report import Report

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""What a browser is told to load for the page: nothing. Its own style is in it."""


def write_page(report: Report, version: str, command: str, proof: str) -> str:
    """The page.

    Args:
        report: what it tells.
        version: the program's version and commit.
        command: the command line that writes the page again.
        proof: the one that recomputes every run.
    """
    summary = report.summary
    title = f"nextgen report, {summary.first} to {summary.last}"
    body: Sequence[Html] = (
        headline(report),
        book_section(report),
        months_section(report),
        performance_section(report),
        trading_section(report),
        origins_section(report),
        forecast_section(report),
        models_section(report),
        blocked_section(report),
        trades_section(report),
        quality_section(report),
        source_section(report, version, command, proof),
        tag("footer", "Paper trading on the data of this lake. Past results say little about later ones."),
    )
    head = join(
        Html('<meta charset="utf-8"/>'),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        Html(f"<style>{STYLE}</style>"),
    )
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body>\n{chr(10).join(body)}\n</body></html>\n'
