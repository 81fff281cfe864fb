"""`nextgen doctor`: one page on everything that the operation rests on, each finding with what mends it."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.table import Table

    from pipeline.reading.doctor.finding import Finding
    from pipeline.reading.doctor.terminal import TerminalState


@click.command("doctor", cls=ReadingCommand)
@click.option("--online", is_flag=True, help="Ask each machine that the configuration names whether it answers.")
@click.option("--problems", is_flag=True, help="Show only what is not as it should be.")
@pass_invocation
def command(invocation: Invocation, online: bool, problems: bool) -> int:
    """Look at machine, lake, network, keys, clock and more, with fixes.

    Each finding that is not as it should be has what mends it. Nothing is changed, no key is shown, and no other
    machine is asked without --online, which also compares clocks. Exit code 1 if something failed.
    """
    from nextgen_tui.cli.version import describe_version
    from pipeline.reading.doctor.examine import Surroundings, examine

    place = Surroundings(
        lake_path=invocation.lake_path,
        environ=invocation.environ,
        version=describe_version(),
        terminal=_terminal(invocation),
        online=online,
        debug=invocation.debug,
    )
    findings = examine(place)
    failed = any(one.status == "fail" for one in findings)
    shown = [one for one in findings if one.status != "ok"] if problems else findings
    if shown:
        invocation.output.show(_page(shown))
    invocation.output.show(_sentence(findings))
    invocation.output.record({"healthy": not failed, "findings": [asdict(one) for one in findings]})
    return exit_codes.DEGRADED if failed else exit_codes.DONE


def _terminal(invocation: Invocation) -> TerminalState:
    from pipeline.reading.doctor.terminal import TerminalState

    is_terminal = sys.stdout.isatty()
    columns, rows = invocation.output.data.size if is_terminal else (0, 0)
    return TerminalState(is_terminal, columns, rows, sys.stdout.encoding or "", invocation.environ)


def _page(findings: Iterable[Finding]) -> Table:
    from rich.table import Table as Grid
    from rich.text import Text

    from nextgen_tui.text.safe_text import safe_text

    view = Grid.grid(padding=(0, 2))
    view.add_column(no_wrap=True)
    view.add_column(no_wrap=True)
    view.add_column()
    topic = ""
    for one in findings:
        sign, style = SIGNS[one.status]
        named = Text("" if one.topic == topic else one.topic, "bold")
        topic = one.topic
        view.add_row(named, Text(sign, style), Text(safe_text(one.what, 600)))
        if one.fix and one.status != "ok":
            view.add_row("", "", Text(safe_text(f"→ {one.fix}", 400), style))
    return view


SIGNS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "bold red")}
"""Status -> its sign and colour."""


def _sentence(findings: Sequence[Finding]) -> Any:
    from rich.text import Text

    from nextgen_tui.text.formats import counted

    wrong = {status: sum(one.status == status for one in findings) for status in ("fail", "warn")}
    if not any(wrong.values()):
        return Text(f"All {len(findings)} findings are as they should be.", "green")
    words = f"{counted(wrong['fail'], 'failure')}, {counted(wrong['warn'], 'warning')}, {len(findings)} findings."
    return Text(words, SIGNS["fail" if wrong["fail"] else "warn"][1])
