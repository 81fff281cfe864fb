"""What `nextgen doctor` finds, opened in the console: one page, each finding with what mends it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from nextgen_tui.cli.version import describe_version
from nextgen_tui.console.notes import Line
from nextgen_tui.console.page import Detail, Section
from nextgen_tui.console.sheet.sheet import Cell, Style
from nextgen_tui.text.formats import counted
from nextgen_tui.text.safe_text import safe_text

if TYPE_CHECKING:
    from pipeline.reading.doctor.finding import Finding

SIGNS: dict[str, tuple[str, Style]] = {"ok": ("✓ ", "good"), "warn": ("! ", "warn"), "fail": ("✗ ", "bad")}


def look(lake: Path, columns: int, rows: int) -> Detail:
    """Look at everything as `nextgen doctor` does, without asking another machine.

    Args:
        lake: the lake's folder.
        columns: characters of the terminal.
        rows: its lines.
    """
    # With the libraries of the network, which nothing on the way to the first screen needs.
    from pipeline.reading.doctor.examine import Surroundings, examine
    from pipeline.reading.doctor.terminal import TerminalState

    environ = dict(os.environ)
    terminal = TerminalState(True, columns, rows, "utf-8", environ)
    place = Surroundings(lake_path=lake, environ=environ, version=describe_version(), terminal=terminal)
    return describe(examine(place))


def describe(findings: Sequence[Finding]) -> Detail:
    """The findings as a page: what is wrong first, then everything by topic."""
    wrong = [one for one in findings if one.status != "ok"]
    told = tuple(line for one in wrong for line in _lines(one)) or ((Cell("✓ nothing is wrong", "good"),),)
    topics = tuple(
        Section(topic, tuple(line for one in found for line in _lines(one)))
        for topic, found in groupby(findings, key=lambda one: one.topic)
    )
    title = f"doctor: {counted(len(wrong), 'problem')}, {counted(len(findings), 'finding')}"
    return Detail(title, (Section("What to see to", told), *topics), copies="nextgen doctor")


def _lines(one: Finding) -> list[Line]:
    sign, style = SIGNS[one.status]
    lines: list[Line] = [(Cell(sign, style), Cell(safe_text(one.what, 600)))]
    return [*lines, *([(Cell("  → ", "dim"), Cell(safe_text(one.fix, 400), style))] if one.status != "ok" else [])]
