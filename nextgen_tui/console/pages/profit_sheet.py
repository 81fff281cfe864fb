"""Where profit came from: of the book as a sheet, and of a closed position as notes."""

from __future__ import annotations

from nextgen_tui.console.notes import Line, fact, note
from nextgen_tui.console.page import Row
from nextgen_tui.console.sheet.sheet import Col, signed
from nextgen_tui.text import formats
from pipeline.reading.report.profit_origins import RECENT

MONEY = signed(lambda value: formats.money(value, signed=True))
MEANINGS = {
    "benchmark": "What the benchmark's weights made.",
    "horizon": "Bets that the forecasts of this horizon argued for, beyond the benchmark, before any rule.",
    "member": "Bets that this model's forecasts argued for, beyond the benchmark, before any rule.",
    "balancing": "Bets that no forecast argued for: they paid for others, hedged them, or cost more to leave.",
    "rule": "The weight that this rule moved, times what the names made beyond the benchmark.",
    "rest": "Partial fills, whole shares, and prices that moved weights since the plan.",
    "timing": "What opens were better than the closes at which the trades were decided.",
    "restated": "What was learned of earlier sessions; it is in the value and in no session's return.",
}
COLS = (
    Col("view", "view"),
    Col("part", "title"),
    Col("of", "item", lambda value: value or formats.MISSING),
    Col("last session", "last", MONEY, right=True),
    Col(f"{RECENT} sessions", "recent", MONEY, right=True, rank=1),
    Col("since the start", "amount", MONEY, right=True),
)


def profit_notes(row: Row) -> tuple[Line, ...]:
    """What a part means."""
    return (note(MEANINGS.get(row["part"], f"{row['title'].capitalize()}.")),)


def lesson_notes(row: Row) -> tuple[Line, ...]:
    """What a closed position taught, and what its profit is made of."""
    parts = [(name, row[f"{name}_gain"]) for name in ("expected", "timing", "luck", "error")]
    told = [fact(name, formats.money(amount, signed=True), right=14) for name, amount in parts if amount is not None]
    if told:
        told += [fact("costs", formats.money(-row["cost"], signed=True), right=14)]
        told += [fact("profit", formats.money(row["profit"], signed=True), right=14)]
    words = note(row["lesson"]), fact("verdict", row["verdict"]), fact("surprise", _sigmas(row["surprise"]))
    return (*words, *told)


def _sigmas(value: float | None) -> str:
    return formats.MISSING if value is None else f"{value:+.1f} of the forecast's standard deviations"
