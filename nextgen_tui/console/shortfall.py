"""How far a refused trade was from passing, in the unit of the rule that refused it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nextgen_tui.text import formats

UNMEASURED = (
    "not in the universe",
    "there is no forecast",
    "the naive forecast",
    "too few bars",
    "the book has no capital",
)
"""How the reasons begin that are not a matter of more or less."""
BY_SKILL = "measured information coefficient"


def off_by_briefly(rule: str | None, distance: float | None, reason: str) -> str:
    """The same beside the rule's name, which says what it is a part of."""
    return off_by(rule, distance, reason).partition(" of ")[0]


def off_by(rule: str | None, distance: float | None, reason: str) -> str:
    """The distance with its unit; a dash where nothing was refused, or no distance can be told."""
    if rule is None or distance is None or reason.startswith(UNMEASURED):
        return formats.MISSING
    if rule == "humility" and reason.startswith(BY_SKILL):
        return f"{formats.number(distance, 3)} of skill"
    return UNITS.get(rule, formats.number)(distance)


def _percent_of(whole: str) -> Callable[[float], str]:
    return lambda distance: f"{formats.percent(distance)} of {whole}"


def _sessions(distance: float) -> str:
    return formats.counted(round(distance), "session")


def _names_or_weight(distance: float) -> str:
    return formats.counted(round(distance), "name") if distance >= 1 else _percent_of("NAV")(distance)


UNITS: Mapping[str, Callable[[float], str]] = {
    "eligibility": formats.number,
    "staleness": _sessions,
    "humility": _percent_of("its size"),
    "cost_awareness": _percent_of("edge"),
    "patience": _sessions,
    "cutting_losses": _percent_of("loss"),
    "letting_winners_run": _percent_of("profit"),
    "drawdown_stop": _percent_of("drawdown"),
    "capital_preservation": _percent_of("NAV"),
    "diversification": _names_or_weight,
    "exposure": _percent_of("NAV"),
    "liquidity": lambda distance: formats.counted(round(distance), "share"),
    "turnover": _percent_of("NAV"),
    "solvency": _percent_of("NAV"),
    "significance": lambda distance: f"{formats.money(distance)} of value",
}
"""Rule -> how its distance is told."""
