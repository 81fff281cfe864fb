"""The sheet of challengers: what each would have lost as champion, on live forecasts that both made."""

from __future__ import annotations

from typing import Any

from lake.tables.feedback import SHADOW_SCORES
from nextgen_tui.console.lineage.lineage_view import follow
from nextgen_tui.console.notes import Line, fact
from nextgen_tui.console.page import Row, SheetSpec, row_link
from nextgen_tui.console.sheet.sheet import Cell, Col, signed
from nextgen_tui.text import formats

VERDICTS = {
    "better": Cell("▲ better", "good"),
    "worse": Cell("▼ worse", "bad"),
    "no difference": Cell("= no difference", "dim"),
    "too few": Cell("… too few", "dim"),
}
COLUMNS = (
    Col("challenger", "model_id"),
    Col("against", "against", rank=1),
    Col("horizon", "horizon", right=True),
    Col("sessions", "sessions", formats.whole, right=True),
    Col("lost less by", "gain", signed(lambda value: formats.percent(value, 2, signed=True)), right=True),
    Col("IC", "ic", lambda value: formats.number(value, 3), right=True, rank=2),
    Col("its IC", "champion_ic", lambda value: formats.number(value, 3), right=True, rank=2),
    Col("p", "dm_p", lambda value: formats.number(value, 3), right=True, rank=1),
    Col("verdict", "verdict", lambda value: VERDICTS[str(value)]),
)


def shadow_notes(row: Row) -> tuple[Line, ...]:
    """Both losses, the interval of their difference, and the test."""
    low, high = (formats.percent(row[name], 2, signed=True) for name in ("gain_low", "gain_high"))
    told = f"{formats.percent(row['gain'], 2, signed=True)} ({low} to {high})"
    test = f"{formats.number(row['dm_statistic'], 2, signed=True)}, p {formats.number(row['dm_p'], 4)}"
    over = f"{formats.counted(row['sessions'], 'session')}, {formats.counted(row['n'], 'forecast')} of each"
    return (
        (VERDICTS[row["verdict"]], Cell(f"  {row['model_id']} in the place of {row['against']}")),
        fact("lost less by", told),
        fact("Diebold-Mariano", test),
        fact("over", over),
        fact("its loss", formats.percent(row["loss"], 4)),
        fact("the champion's", formats.percent(row["champion_loss"], 4)),
    )


def shadow_sheet() -> SheetSpec[Any]:
    """Each challenger beside the champion, by horizon."""
    return SheetSpec(
        "shadows",
        lambda data: data.shadows,
        COLUMNS,
        ("model_id", "horizon"),
        "challenger",
        "No challenger has been scored beside the champion yet.",
        notes=lambda _, row: shadow_notes(row),
        detail=lambda view, _, row: follow(view, row_link(SHADOW_SCORES, row)),
        origin=lambda row: row_link(SHADOW_SCORES, row),
    )
