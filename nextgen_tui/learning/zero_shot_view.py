"""The lake's forecasts beside a pretrained model's, as a person reads it: three rows and a verdict for each horizon."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from nextgen_tui.text import formats
from nextgen_tui.text.table_view import grid
from pipeline.models.pretrained.fracast_model import NAME
from pipeline.research.zero_shot.beside import HorizonBeside

WORDS = {"helped": ("ahead of it", "green"), "hurt": ("behind it", "red"), "equal": ("equal", "dim")}


def show_zero_shot(found: Sequence[HorizonBeside]) -> RenderableType:
    """Each horizon's figures by forecaster, and whether the champion is told from the pretrained model."""
    view = grid(f"Forecasts beside {NAME}, which never saw these prices")
    for heading in ("horizon", "forecaster", "pinball loss", "rank correlation", "80 % held"):
        view.add_column(heading, justify="left" if heading == "forecaster" else "right")
    for one in found:
        for at, standing in enumerate(one.standings):
            correlation = standing.rank_correlation
            view.add_row(
                str(one.horizon) if at == 0 else "",
                standing.forecaster,
                formats.percent(standing.pinball, 3),
                "ranks nothing" if correlation is None else f"{correlation:+.3f}",
                formats.percent(standing.held),
                end_section=at + 1 == len(one.standings),
            )
    return Group(view, *_verdicts(found))


def _verdicts(found: Sequence[HorizonBeside]) -> Iterator[Text]:
    for one in found:
        words, style = WORDS.get(one.pinball.verdict, ("not told from it", "yellow"))
        counts = f"{formats.counted(one.sessions, 'session')}, {formats.counted(one.forecasts, 'forecast')}"
        line = Text(f"{formats.counted(one.horizon, 'session')} ahead ({counts}): the champion is ")
        line.append(words, style)
        line.append(_state_interval(one))
        yield line


def _state_interval(one: HorizonBeside) -> str:
    told = one.pinball
    if told.low is None or told.high is None:
        return ", and these are too few for an interval"
    low, high = (formats.percent(end, 3, signed=True) for end in (told.low, told.high))
    return f": its loss less the other's is {formats.percent(told.difference, 3, signed=True)} ({low} to {high})"


def record_zero_shot(found: Sequence[HorizonBeside]) -> list[dict[str, Any]]:
    """The same for a script."""
    return [{**asdict(one), "verdict": one.pinball.verdict} for one in found]
