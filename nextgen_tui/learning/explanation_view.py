"""Why a forecast is what it is, on a terminal: what moved it, and what came of the nearest past cases."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from nextgen_tui.text import formats
from nextgen_tui.text.safe_text import safe_text
from nextgen_tui.text.table_view import grid
from pipeline.reading.learning.explanations import ExplainedForecast
from pipeline.reading.learning.past_cases import PastCase


def show_explanation(explained: ExplainedForecast, cases: Sequence[PastCase]) -> RenderableType:
    """A forecast and its parts, and the cases with their outcomes."""
    spoke = explained.specialist or explained.model_id
    title = (
        f"{explained.ticker} at {explained.session}, {formats.counted(explained.horizon, 'session')} ahead:"
        f" {formats.percent(explained.point, 2, signed=True)}, by {spoke}"
        f" (80 % between {formats.percent(explained.low, 1)} and {formats.percent(explained.high, 1)})"
    )
    return Group(Text(safe_text(title, 200), "bold"), _parts(explained), *_cases(cases))


def _parts(explained: ExplainedForecast) -> RenderableType:
    view = grid()
    for heading in ("input", "value", "adds", ""):
        view.add_column(heading, justify="left" if heading in ("input", "") else "right")
    for one in explained.parts:
        how = "" if one.exact else "along a path"
        view.add_row(safe_text(one.feature, 63), f"{one.value:.4g}", _signed(one.contribution), Text(how, "dim"))
    for words, value in explained.further:
        view.add_row(Text(words, "dim"), "", _signed(value), "")
    view.add_row("together", "", _signed(explained.point), "")
    return view


def _cases(cases: Sequence[PastCase]) -> list[RenderableType]:
    if not cases:
        return [Text("No past case with a known outcome is on record.", "dim")]
    view = grid()
    for heading in ("nearest past case", "session", "distance", "came to"):
        view.add_column(heading, justify="left" if heading == "nearest past case" else "right")
    for one in cases:
        view.add_row(safe_text(one.ticker, 20), str(one.session), f"{one.distance:.2f}", _signed(one.outcome))
    return [view]


def _signed(value: float) -> str:
    return formats.percent(value, 3, signed=True)
