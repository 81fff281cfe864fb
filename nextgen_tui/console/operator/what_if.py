"""What the book would have been, asked from the console: a child answers, since it takes seconds of a processor."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from nextgen_tui.console.charts.chart import Chart, Curve, day_ticks
from nextgen_tui.console.notes import Line, fact, note
from nextgen_tui.console.page import Detail, Section
from nextgen_tui.console.sheet.sheet import Style
from nextgen_tui.text import formats
from pipeline.engine.child_command import python_command

EXAMPLE = "what-if trading.philosophy.turnover=0.1"
STYLES: dict[str, Style] = {"helped": "good", "hurt": "bad", "cannot be told": "warn"}


class WhatIfError(ValueError):
    """A question that cannot be answered; the text says why."""


def ask(lake: Path, words: str) -> Detail:
    """Return the answer as something to be opened.

    Args:
        lake: its folder.
        words: settings, each as KEY=VALUE, with spaces between them.

    Raises:
        WhatIfError: if no setting is given, there is no such one, or the lake cannot tell.
    """
    if not words:
        raise WhatIfError(f"what-if needs a setting that differs: `{EXAMPLE}`")
    settings = [f"--set={one}" for one in words.split()]
    command = python_command("nextgen_tui.cli.main", "--lake", lake, "--json", "what-if", *settings)
    child = subprocess.run(command, capture_output=True, text=True, check=False)
    if child.returncode:
        last = (child.stderr.strip().splitlines() or ["what-if gave no answer, and no reason"])[-1]
        raise WhatIfError(last.removeprefix("Error: "))
    return describe(json.loads(child.stdout), words)


def describe(answer: Mapping[str, Any], words: str) -> Detail:
    """An answer as it is printed with `--json`, to be opened."""
    return Detail(
        f"what if {words}",
        (
            Section("The answer", tuple(_answer(answer))),
            Section("Figures: the book's, what it would have been, and if that is chance", tuple(_figures(answer))),
        ),
        (_chart(answer),),
        copies=f"nextgen what-if {' '.join(f'--set {one}' for one in words.split())}",
    )


def _answer(answer: Mapping[str, Any]) -> Iterator[Line]:
    yield note(answer["sentence"], STYLES.get(answer["verdict"], ""))
    if (found := answer["first_difference"]) is not None:
        yield note(f"They first differ at {found['sentence']}.", "dim")
    if answer["computed"]:
        yield note(answer["computed"], "dim")
    for key, (one, other) in answer["settings"].items():
        yield fact("setting", f"{key}: {one} -> {other}")


def _figures(answer: Mapping[str, Any]) -> Iterator[Line]:
    for figure in answer["figures"]:
        low, high = figure["low"], figure["high"]
        chance = "too few sessions" if low is None else f"{low:+.4g} to {high:+.4g}"
        told = f"{figure['one']:.4g} -> {figure['other']:.4g} {figure['unit']}; difference {chance}"
        verdict = figure["verdict"] if figure["better"] else ""
        yield fact(figure["name"], f"{told}: {verdict}" if verdict else told, STYLES.get(verdict, ""))
    one, other = answer["drawdowns"]
    yield fact("deepest fall", f"{formats.percent(one, 1)} -> {formats.percent(other, 1)}")


def _chart(answer: Mapping[str, Any]) -> Chart:
    rows = answer["equity"]
    days = [date.fromisoformat(str(row["session"])[:10]) for row in rows]
    xs = tuple(float(at) for at in range(len(rows)))
    lines = (
        Curve(xs, tuple(row["one"] for row in rows), "own"),
        Curve(xs, tuple(row["other"] for row in rows), "other", dotted=True),
    )
    legend = (("─", "own", "book"), ("┄", "other", "what if"))
    ticks = day_ticks(days)
    return Chart(
        "growth of one", lines, label=lambda level: f"{level:.3f}", legend=legend, ticks=ticks, days=tuple(days)
    )
