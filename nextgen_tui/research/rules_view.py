"""What each rule of the book brought, as a person reads it: what earned most first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from nextgen_tui.text import formats
from nextgen_tui.text.safe_text import safe_text
from nextgen_tui.text.table_view import grid
from pipeline.research.desk.rules_apart import RuleApart, RuleUntold
from pipeline.trading.books.money import format_cents

VERDICTS = {"helped": "green", "hurt": "red"}


def show_rules(rules: Sequence[RuleApart | RuleUntold]) -> RenderableType:
    """A row for each rule; those that changed nothing, and those that cannot be told, together in a sentence each."""
    told = [one for one in rules if isinstance(one, RuleApart)]
    untold = [one for one in rules if isinstance(one, RuleUntold)]
    idle = [one.rule for one in told if not one.profit and not one.commission]
    acting = sorted((one for one in told if one.rule not in idle), key=lambda one: -one.profit)
    view = grid("What each rule brought: the book beside one without it")
    for heading in ("rule", "profit", "commission", "return a year", "95 % interval", "verdict"):
        view.add_column(heading, justify="left" if heading in ("rule", "verdict") else "right")
    for one in acting:
        view.add_row(
            safe_text(one.rule.replace("_", " "), 40),
            format_cents(one.profit),
            format_cents(one.commission),
            formats.percent(one.returned.difference, signed=True),
            _interval(one),
            Text(one.returned.verdict, VERDICTS.get(one.returned.verdict, "dim")),
        )
    parts: list[RenderableType] = [view]
    if idle:
        parts.append(Text(f"Changed nothing: {_join(idle)}.", "dim"))
    if untold:
        parts.append(
            Text(
                f"Not told by the book alone: {_join([one.rule for one in untold])}; without {untold[0].rule},"
                f" {safe_text(untold[0].reason, 200)}. `nextgen what-if --set trading.philosophy.order=...`, with all"
                " rules but one, runs the stages for it.",
                "yellow",
            )
        )
    return Group(*parts)


def _join(rules: Sequence[str]) -> str:
    return safe_text(", ".join(name.replace("_", " ") for name in rules), 600)


def _interval(one: RuleApart) -> str:
    low, high = one.returned.low, one.returned.high
    if low is None or high is None:
        return "too few"
    return f"{formats.percent(low, signed=True)} to {formats.percent(high, signed=True)}"


def record_rules(rules: Sequence[RuleApart | RuleUntold]) -> list[dict[str, Any]]:
    """The same for a script: money in the book's currency; of a rule that cannot be told, why."""
    return [
        {"rule": one.rule, "untold": one.reason}
        if isinstance(one, RuleUntold)
        else {
            "rule": one.rule,
            "profit": one.profit / 100,
            "commission": one.commission / 100,
            "return": {**vars(one.returned), "verdict": one.returned.verdict},
        }
        for one in rules
    ]
