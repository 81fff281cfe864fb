"""What the Learning screen says of hypotheses, of biases, and of what a lesson gained."""

from __future__ import annotations

from typing import Any

from lake.tables.learning import HYPOTHESES
from nextgen_tui.console.lineage.lineage_view import follow
from nextgen_tui.console.notes import Line, describe_slice, fact, note
from nextgen_tui.console.page import Row, SheetSpec, row_link
from nextgen_tui.console.sheet.sheet import Cell, Col
from nextgen_tui.text import formats

STATES = {
    "registered": Cell("? registered", "warn"),
    "looked": Cell("… looked at", "accent"),
    "confirmed": Cell("✓ confirmed", "good"),
    "dropped": Cell("· dropped", "dim"),
    "ended": Cell("■ ended", "dim"),
}


def trial_notes(row: Row) -> tuple[Line, ...]:
    """What a lesson gained beside its control arm, and who has read it."""
    lines = []
    if (gained := row["gain"]) is not None:
        low, high = (formats.number(row[name], 4, signed=True) for name in ("gain_low", "gain_high"))
        alone = formats.counted(row["control_n"], "forecast")
        told = f"loss {formats.number(gained, 4, signed=True)} sigma lower than in the control arm"
        lines.append(fact("gain", f"{told} ({low} to {high}; {alone} left alone)"))
    return (*lines, *((fact("readers", row["readers"]),) if row["readers"] else ()))


LEVEL_DOC = (
    "The mean error as far as it is more than chance: drawn towards none by what is known beforehand "
    "(feedback.hypotheses.prior_sessions). The plain mean is the bias of screen 4."
)


def bias_notes(row: Row) -> tuple[Line, ...]:
    """How far a slice errs, how surely, and what was done about it."""
    return (
        (
            Cell(describe_slice(row["scope"], row["slice"]), "accent"),
            Cell(f"  over {formats.counted(row['horizon'], 'session')}", "dim"),
        ),
        fact(
            "level",
            f"{formats.percent(row['mean_error'], 3, signed=True)}, "
            f"standard error {formats.percent(row['standard_error'], 3)}",
        ),
        note(LEVEL_DOC, "dim"),
        fact("t, p", f"{formats.number(row['t'], 2, signed=True)}, {formats.number(row['p_value'], 4)}"),
        fact("forecasts", f"{formats.whole(row['n'])}, {formats.whole(row['adjusted_n'])} adjusted"),
        fact("adjusted", formats.percent(row["adjusted_error"], 3, signed=True)),
        fact("unadjusted", formats.percent(row["unadjusted_error"], 3, signed=True)),
        fact(
            "next",
            f"{formats.percent(row['adjustment'], 3, signed=True)} added" if row["active"] else "as they are",
        ),
    )


def hypothesis_notes(row: Row) -> tuple[Line, ...]:
    """What is believed, why it was proposed, and by what it stands or falls."""
    p = "not looked at yet" if row["p_value"] is None else formats.number(row["p_value"], 4)
    return (
        note(row["statement"]),
        fact("registered", f"{row['registered']}, number {row['number']} of its family ({row['family']})"),
        fact("because", row["reason"]),
        fact("criterion", row["criterion"]),
        fact("scored", f"{formats.whole(row['scored'])} sessions"),
        fact("level", formats.percent(row["mean_error"], 3, signed=True)),
        fact("p", p),
        fact("granted", formats.number(row["level"] / len(row["looks"]), 5)),
    )


COLUMNS = (
    Col("status", "status", lambda value: STATES.get(value, Cell(str(value), "dim")), sort="rank"),
    Col("asks about", "kind"),
    Col("of", "about", lambda value: describe_slice(value["scope"], value["slice"]), max_width=40),
    Col("horizon", "horizon", right=True),
    Col("registered", "registered", rank=1),
    Col("last step", "session", rank=2),
    Col("scored", "scored", formats.whole, right=True, rank=1),
    Col("level", "mean_error", lambda value: formats.percent(value, 3, signed=True), right=True),
    Col("p", "p_value", lambda value: formats.number(value, 4), right=True),
    Col("why", "reason", max_width=60, rank=3),
)


def hypotheses_sheet() -> SheetSpec[Any]:
    """Every hypothesis where it stands."""
    return SheetSpec(
        "hypotheses",
        lambda data: data.hypotheses,
        COLUMNS,
        ("hypothesis_id",),
        "hypothesis",
        "No hypothesis yet: they are registered once forecasts have fallen due.",
        notes=lambda _, row: hypothesis_notes(row),
        detail=lambda view, _, row: follow(view, row_link(HYPOTHESES, row)),
        origin=lambda row: row_link(HYPOTHESES, row),
    )
