"""How a forecast is shown in short: its interval as a line around zero, and what such forecasts were worth lately."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nextgen_tui.console.notes import Line
from nextgen_tui.console.sheet.sheet import Cell, Style, dim, strip
from nextgen_tui.text import formats
from pipeline.reading.results.summary import SkillFacts

BAR = 12
"""Characters on either side of zero of an interval's bar."""
SKILL_SIGNS: dict[str, tuple[str, Style]] = {
    "better than naive": ("✓", "good"),
    "no skill shown": ("!", "warn"),
    "worse than naive": ("✗", "bad"),
    "too few to say": ("·", "dim"),
}


def interval_bar(value: Any) -> Cell:
    """The 80 % interval as a line around zero, its middle half heavy, the expectation on it."""
    if value is None or not value["reach"]:
        return dim(None)
    at = {name: BAR + round(value[name] / value["reach"] * BAR) for name in ("q10", "q25", "q75", "q90", "point")}
    signs: list[tuple[str, Style]] = []
    for place in range(2 * BAR + 1):
        sign: tuple[str, Style] = (" ", "")
        if at["q10"] <= place <= at["q90"]:
            sign = ("━", "trend") if at["q25"] <= place <= at["q75"] else ("─", "dim")
        if place == BAR:
            sign = ("┼" if sign[0] != " " else "│", "dim")
        if place == at["point"]:
            sign = ("●", "good" if value["point"] > 0 else "bad" if value["point"] < 0 else "")
        signs.append(sign)
    return strip(signs)


def _sign_style(point: float) -> Style:
    """What rounds to nothing is neither good nor bad."""
    rounded = round(point, 4)
    return "good" if rounded > 0 else "bad" if rounded < 0 else ""


def skill_sentence(skill: Sequence[SkillFacts]) -> str:
    """Whether any horizon was better than naive so far: an expectation is worth what it was worth lately."""
    good = [str(one.horizon) for one in skill if one.finding == "better than naive"]
    if not skill:
        return ""
    return f"Skill shown over {', '.join(good)} sessions: " if good else "NO SKILL SHOWN so far: "


def skill_badge(skill: Sequence[SkillFacts], horizon: int) -> tuple[Line, ...]:
    """What the horizon's forecasts were worth lately, beside the naive one's."""
    found = next((one for one in skill if one.horizon == horizon), None)
    if found is None:
        return ()
    sign, style = SKILL_SIGNS[found.finding]
    low, high = (formats.percent(value, 1, signed=True) for value in (found.low, found.high))
    return ((Cell(f"{sign} {found.finding}", style), Cell(f"  skill {low} to {high} in 95 %", "dim")),)
