"""The widget that shows pictures, in the theme's colours."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.events import MouseMove
from textual.strip import Strip
from textual.widget import Widget

from nextgen_tui.console.charts.chart import Chart, Sign
from nextgen_tui.console.charts.charts import arrange, position_at
from nextgen_tui.console.charts.crosshair import positions, stand_at

ROLES = ("past", "median", "outcome", "own", "other", "benchmark", "good", "bad", "label", "title", "rule", "hot")


class ChartWidget(Widget):
    """One picture, or several above each other."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"chart--{role}" for role in (*ROLES, "band1", "band2", "band3", "band4")}

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.charts: tuple[Chart, ...] = ()
        self.cross: float | None = None
        """The position of the crosshair; none where None."""
        self._drawn: tuple[tuple[int, int], list[list[Sign]]] | None = None
        self._styles: dict[tuple[str, int], Style] = {}

    def notify_style_update(self) -> None:
        """Another theme, other colours."""
        super().notify_style_update()
        self._styles.clear()

    def show(self, charts: Sequence[Chart]) -> None:
        """Show other pictures."""
        if tuple(charts) != self.charts:
            self.charts, self._drawn, self.cross = tuple(charts), None, None
            self.refresh()

    def move_cross(self, step: int | None) -> None:
        """Move the crosshair by so many positions, from the last one where there was none; None takes it away."""
        there = sorted({x for chart in self.charts for x in positions(chart)})
        if step is None or not there:
            self._stand(None)
        elif self.cross is None:
            self._stand(there[-1] if step < 0 else there[0])
        else:
            at = min(range(len(there)), key=lambda number: abs(there[number] - (self.cross or 0.0)))
            self._stand(there[min(max(at + step, 0), len(there) - 1)])

    def on_mouse_move(self, event: MouseMove) -> None:
        """The crosshair follows the mouse."""
        if len(self.charts) == 1 or self.size.width < 3 * self.size.height:
            self._stand(position_at(self.charts, event.x, self.size.width, self.size.height))

    def on_leave(self) -> None:
        """Without the mouse there is no crosshair."""
        self._stand(None)

    def _stand(self, x: float | None) -> None:
        if x != self.cross:
            self.cross, self._drawn = x, None
            self.refresh()

    def signs(self) -> list[list[Sign]]:
        """What is drawn at the present size."""
        size = self.size.width, self.size.height
        if self._drawn is None or self._drawn[0] != size:
            self._drawn = (size, arrange(stand_at(self.charts, self.cross), *size))
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
