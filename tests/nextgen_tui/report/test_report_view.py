"""The report on a terminal has the figures of the page."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

from rich.console import Console

from nextgen_tui.report.report_view import show_report
from nextgen_tui.report.summary_view import describe_lead, write_command
from pipeline.reading.report.full_report import Report


def shown(report: Report) -> str:
    written = StringIO()
    Console(width=160, file=written).print(show_report(report, "nextgen 1.0", None))
    return written.getvalue()


def test_all_of_it_is_told(report: Report) -> None:
    said = shown(report)
    for words in ("1,000.00 became 1,039.50 USD", "2022-01", "Sharpe ratio", "Alpha", "beside equal weight"):
        assert words in said
    for words in ("Deflated for 1 configuration", "hit rate", "cost_awareness", "what CCC taught"):
        assert words in said
    for words in ("came from, by decision", "5 sessions 5", "came from, by exposure"):
        assert words in said
    assert "nextgen report --from 2022-01-28 --to 2022-02-03 --trials 1" in said


def test_escape_sequences_of_a_lesson_do_not_reach_the_terminal(report: Report) -> None:
    sale = replace(report.summary.best[0], lesson="\x1b]0;title\x07 and more")
    assert "\x1b]" not in shown(replace(report, summary=replace(report.summary, best=(sale,))))


def test_a_command_is_what_a_shell_reads() -> None:
    assert write_command(("show", "x", "--where", "a=b c"), "/a b") == "nextgen show x --where 'a=b c' --lake '/a b'"


def test_a_lead_is_told_in_points() -> None:
    assert describe_lead(-0.0554) == "5.54 points worse"
    assert describe_lead(0.01) == "1.00 points better"
    assert describe_lead(0.00001) == "the same"
