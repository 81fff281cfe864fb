"""The widget that shows pictures, in the theme's colours."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from nextgen_tui.console.charts.chart import Chart, Sign
from nextgen_tui.console.charts.charts import arrange

ROLES = ("past", "median", "outcome", "own", "other", "benchmark", "good", "bad", "label", "title", "rule", "hot")


class ChartWidget(Widget):
    """One picture, or several above each other."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"chart--{role}" for role in (*ROLES, "band1", "band2", "band3", "band4")}

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.charts: tuple[Chart, ...] = ()
        self._drawn: tuple[tuple[int, int], list[list[Sign]]] | None = None
        self._styles: dict[tuple[str, int], Style] = {}

    def notify_style_update(self) -> None:
        """Another theme, other colours."""
        super().notify_style_update()
        self._styles.clear()

    def show(self, charts: Sequence[Chart]) -> None:
        """Show other pictures."""
        if tuple(charts) != self.charts:
            self.charts, self._drawn = tuple(charts), None
            self.refresh()

    def signs(self) -> list[list[Sign]]:
        """What is drawn at the present size."""
        size = self.size.width, self.size.height
        if self._drawn is None or self._drawn[0] != size:
            self._drawn = (size, arrange(self.charts, *size))
        return self._drawn[1]

    def render_line(self, y: int) -> Strip:
        """One row, its signs joined where they look alike."""
        rows = self.signs()
        if y >= len(rows):
            return Strip.blank(self.size.width, self._style("", 0))
        parts = groupby(rows[y], key=lambda sign: (sign.role, sign.band))
        row = [Segment("".join(s.sign for s in signs), self._style(*look)) for look, signs in parts]
        return Strip(row).adjust_cell_length(self.size.width, self._style("", 0))

    def _style(self, role: str, band: int) -> Style:
        """Ink and ground: asking the stylesheet for each sign would cost more than drawing them all."""
        if (role, band) not in self._styles:
            self._styles[role, band] = self._resolve_style(role, band)
        return self._styles[role, band]

    def _resolve_style(self, role: str, band: int) -> Style:
        ground = self._ground(band)
        if role.startswith("band"):
            return Style(color=self._ground(int(role[4:])).bgcolor, bgcolor=ground.bgcolor)
        ink = self.get_component_rich_style(f"chart--{role}") if role in ROLES else self.rich_style
        return Style(color=ink.color, bold=ink.bold, bgcolor=ground.bgcolor)

    def _ground(self, band: int) -> Style:
        return self.get_component_rich_style(f"chart--band{band}") if band else self.rich_style
