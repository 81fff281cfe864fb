"""The book's risk: what was won and lost lately in money, what a fall to every stop would cost, and the sectors."""

from __future__ import annotations

import polars as pl

from nextgen_tui.console.notes import Line, fact, heading
from nextgen_tui.console.page import Row
from nextgen_tui.console.sheet.sheet import Cell, Col, Style, signed, strip
from nextgen_tui.text import formats
from pipeline.reading.risk import Limits, recent_gains

CLOSE = 0.02
"""Distance to a stop, as a fraction of the close, below which it is coloured."""
BAR = 20
MONEY = signed(lambda value: formats.money(value, signed=True))


def gain_notes(value: pl.DataFrame) -> tuple[Line, ...]:
    """Today, this week and this month, in money and as a share."""
    lines: list[Line] = []
    for one in recent_gains(value):
        style: Style = "good" if one.amount > 0 else "bad" if one.amount < 0 else ""
        share = f"  {formats.percent(one.share, signed=True):>8}"
        amount = formats.money(one.amount, signed=True)
        lines.append((*fact(one.name, amount, style, right=14), Cell(share, style)))
    return tuple(lines)


def risk_notes(last: Row, holdings: pl.DataFrame, sectors: pl.DataFrame, limits: Limits | None) -> tuple[Line, ...]:
    """What is held and how much of it could be lost, beside the limits where they are known."""
    lines = [heading("what is my risk?")]
    lines.append(
        fact("exposure", f"{formats.percent(last['exposure'], 0)} in {formats.counted(last['positions'], 'name')}")
    )
    lines.append(fact("drawdown", f"{formats.percent(last['drawdown'], 1)} from {formats.money(last['peak'])}"))
    lines.append(fact("cash", formats.money(last["cash"])))
    if holdings.is_empty():
        return tuple(lines)
    lost = sum(amount for amount in holdings["at_stop"].to_list() if amount is not None)
    share = formats.percent(lost / float(last["nav"]), 1, signed=True)
    lines.append(fact("at all stops", f"{formats.money(lost, signed=True)}  {share}", "warn"))
    nearest = holdings.filter(pl.col("to_stop").is_not_null()).sort("to_stop", "ticker").head(1)
    for ticker, away in nearest.select("ticker", "to_stop").iter_rows():
        lines.append(fact("nearest stop", f"{ticker}, {formats.percent(away, 1)} below its close"))
    heavy = holdings.sort("weight", "ticker", descending=[True, False]).row(0, named=True)
    lines.append(fact("largest name", _beside(heavy["ticker"], heavy["weight"], limits.name if limits else None)))
    top = sectors.row(0, named=True)
    lines.append(fact("top sector", _beside(top["sector"], top["weight"], top["limit"])))
    return tuple(lines)


def _beside(name: str, weight: float, limit: float | None) -> str:
    bound = f" (limit {formats.percent(limit, 0)})" if limit is not None else ""
    return f"{name} {formats.percent(weight, 1)}{bound}"


def distance(value: float | None) -> Cell:
    """How far a close is above its stop."""
    if value is None:
        return Cell(formats.MISSING, "dim")
    return Cell(formats.percent(value, 1), "bad" if value < 0 else "warn" if value < CLOSE else "")


def next_action(value: str | None) -> Cell:
    """What the last plan does with a holding: an order stands out, a refusal does not shout."""
    if value is None or value == "keep" or value.startswith("no "):
        return Cell(value or formats.MISSING, "dim")
    return Cell(value, "accent")


def _room(value: Row) -> Cell:
    """The weight as a bar, with its limit as a mark on it."""
    full = max(value["weight"], value["limit"] or 0.0) or 1.0
    filled = round(value["weight"] / full * BAR)
    over = value["limit"] is not None and value["weight"] > value["limit"]
    limit = round(value["limit"] / full * BAR) if value["limit"] is not None else -1
    style: Style = "warn" if over else "trend"
    return strip([("┃", "accent") if n == limit else ("━", style) if n < filled else (" ", "") for n in range(BAR + 1)])


SECTOR_COLS = (
    Col("sector", "sector"),
    Col("names", "names", formats.whole, right=True),
    Col("value", "value", formats.money, right=True),
    Col("weight", "weight", lambda value: formats.percent(value, 1), right=True),
    Col("room", "beside", _room, sort="weight", drawn=True, legend="━ weight ┃ limit"),
    Col("limit", "limit", lambda value: formats.percent(value, 0), right=True, rank=1),
    Col("gain", "unrealised", MONEY, right=True, rank=1),
    Col("at all stops", "at_stop", MONEY, right=True, rank=2),
)
