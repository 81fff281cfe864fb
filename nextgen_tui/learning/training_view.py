"""A training on a terminal: the first and the last loss of everything that it fits by passes."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from nextgen_tui.text.safe_text import safe_text
from nextgen_tui.text.table_view import grid
from pipeline.reading.learning.trainings import TrainingShown


def show_training(shown: TrainingShown) -> RenderableType:
    """How far it is, and a line for each network of each fit."""
    view = grid()
    for heading in ("fit", "part", "passes", "kept", "loss", "held back"):
        view.add_column(heading, justify="left" if heading in ("fit", "part") else "right")
    for one in shown.curves:
        held = [value for value in one.held if value is not None]
        passes, kept = f"{len(one.losses)} of {one.most}", str(one.best) if held else ""
        view.add_row(one.fit, one.part, passes, kept, describe_curve(one.losses), describe_curve(held))
    return Group(Text(safe_text(shown.sentence, 300), "bold"), view)


def describe_curve(values: Sequence[float]) -> str:
    """The first and the last of a curve, and its least where that is neither."""
    if len(values) < 2:
        return f"{values[0]:.4f}" if values else ""
    least = f", least {min(values):.4f}" if min(values) not in (values[0], values[-1]) else ""
    return f"{values[0]:.4f} to {values[-1]:.4f}{least}"
