"""The widget that shows a ticker's past and the fan of its forecast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from nextgen_tui import formats
from nextgen_tui.console.canvas import Cell, chart, extent
from nextgen_tui.console.forecasts import Fan

LABEL_WIDTH = 10
"""Characters at the left for the highest and lowest level."""


class FanChart(Widget):
    """Past as a line, median as a dotted line, the 50, 80 and 90 % intervals as shades."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "fan-chart--past",
        "fan-chart--median",
        "fan-chart--band1",
        "fan-chart--band2",
        "fan-chart--band3",
        "fan-chart--label",
    }

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._past: tuple[float, ...] = ()
        self._fan: Fan | None = None
        self._drawn: tuple[tuple[int, int], list[list[Cell]]] | None = None

    def draw(self, past: Sequence[float], fan: Fan | None) -> None:
        """Show another ticker."""
        self._past, self._fan, self._drawn = tuple(past), fan, None
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One row of cells, its label before it."""
        width, height = self.size.width - LABEL_WIDTH, self.size.height
        if self._drawn is None or self._drawn[0] != (width, height):
            self._drawn = ((width, height), chart(self._past, self._fan, width, height))
        rows = self._drawn[1]
        label = Segment(self._label(y, height).rjust(LABEL_WIDTH - 1) + " ", self._component("fan-chart--label"))
        cells = rows[y] if y < len(rows) else []
        return Strip([label, *(Segment(cell.sign, self._style(cell)) for cell in cells)])

    def _label(self, y: int, height: int) -> str:
        span = extent(self._past, self._fan)
        if span is None or y not in (0, height - 1):
            return ""
        return formats.money(span[1] if y == 0 else span[0])

    def _style(self, cell: Cell) -> Style:
        if cell.line:
            return self._component(f"fan-chart--{cell.line}")
        return self._component(f"fan-chart--band{cell.band}") if cell.band else self.rich_style

    def _component(self, name: str) -> Style:
        return self.get_component_rich_style(name)
