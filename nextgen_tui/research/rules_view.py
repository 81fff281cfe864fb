"""What each rule of the book brought, as a person reads it: what earned most first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from nextgen_tui.text import formats
from nextgen_tui.text.safe_text import safe_text
from nextgen_tui.text.table_view import grid
from pipeline.research.desk.rules_apart import RuleApart
from pipeline.trading.books.money import format_cents

VERDICTS = {"helped": "green", "hurt": "red"}


def show_rules(rules: Sequence[RuleApart]) -> RenderableType:
    """A row for each rule; those that changed nothing together in a sentence."""
    idle = [one.rule for one in rules if not one.profit and not one.commission]
    acting = sorted((one for one in rules if one.rule not in idle), key=lambda one: -one.profit)
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
    told = ", ".join(name.replace("_", " ") for name in idle)
    return Group(view, Text(f"Changed nothing: {safe_text(told, 600)}.", "dim")) if idle else view


def _interval(one: RuleApart) -> str:
    low, high = one.returned.low, one.returned.high
    if low is None or high is None:
        return "too few"
    return f"{formats.percent(low, signed=True)} to {formats.percent(high, signed=True)}"


def record_rules(rules: Sequence[RuleApart]) -> list[dict[str, Any]]:
    """The same for a script: money in the book's currency."""
    return [
        {
            "rule": one.rule,
            "profit": one.profit / 100,
            "commission": one.commission / 100,
            "return": {**vars(one.returned), "verdict": one.returned.verdict},
        }
        for one in rules
    ]
