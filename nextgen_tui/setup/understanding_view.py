"""Shows what was understood of the operator's files before a lake is made of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from nextgen_tui.text import formats
from nextgen_tui.text.safe_text import safe_text
from nextgen_tui.text.table_view import grid

if TYPE_CHECKING:
    from pipeline.ingestion.sources.files.checks.understanding import Layout, Understanding

SHOWN = 20
"""Files passed over, and doubts, that are listed."""


def understanding_view(found: Understanding) -> RenderableType:
    """Layouts with their columns, the first bars, what would be set aside, and what stops the load."""
    market = (
        f"exchange {found.exchange}, zone {found.zone}, currency {found.currency}, interval {found.interval}; "
        "change one with --set market.exchange=CODE, or source.files.zone, .currency, .interval"
    )
    parts: list[RenderableType] = [_layouts(found), Text(market), _first_bars(found)]
    if found.interval != "1d":
        parts.append(Text(f"The bars of {found.interval} are summed up to daily ones, by which everything is decided."))
    if found.set_aside:
        parts.append(_set_aside(found))
    parts += [Text(safe_text(note, 400)) for note in tell_notes(found)]
    parts += [Text(f"This stops the load: {safe_text(problem, 2_000)}", style="bold red") for problem in found.problems]
    return Group(*parts)


def tell_notes(found: Understanding) -> Iterator[str]:
    """What is worth a word of any load: columns and files that are not used, and actions that the prices tell."""
    for layout in found.layouts:
        if layout.unused:
            yield f"columns of {layout.first_file} that are not used: {', '.join(layout.unused)}"
    told = ", ".join(formats.counted(count, kind) for kind, count in found.actions.items())
    columns = ", ".join(dict.fromkeys(column for layout in found.layouts for column in layout.actions_from))
    if told and found.actions_file:
        yield f"not used: {told} told by {columns}; the actions are those of {found.actions_file}"
    elif told:
        verb = "is" if sum(found.actions.values()) == 1 else "are"
        yield f"{told} {verb} told by {columns}; corporate actions known at their ex-dates come of it"
    elif columns:
        yield f"{columns} tell of no split and no dividend"
    for file, reason in found.passed_over[:SHOWN]:
        yield f"{file} is passed over: {reason}"
    if len(found.passed_over) > SHOWN:
        yield f"{len(found.passed_over) - SHOWN} more files are passed over"
    yield from found.doubts[:SHOWN]
    if len(found.doubts) > SHOWN:
        yield f"{len(found.doubts) - SHOWN} more things that the prices say of actions are not believed"


def to_record(found: Understanding) -> dict[str, Any]:
    """The same for --json."""
    return {
        **{name: getattr(found, name) for name in ("exchange", "zone", "currency", "interval", "actions", "problems")},
        "layouts": [vars(layout) for layout in found.layouts],
        "passed_over": dict(found.passed_over),
        "first_bars": found.first_bars.to_dicts(),
        "set_aside": [vars(rows) for rows in found.set_aside],
        "notes": list(tell_notes(found)),
    }


def _layouts(found: Understanding) -> RenderableType:
    view = grid("What was understood")
    for heading in ("files", "layout", "rows", "tickers", "first", "last", "columns"):
        view.add_column(heading, justify="right" if heading in ("rows", "tickers") else "left")
    for layout in found.layouts:
        files = safe_text(layout.first_file.rsplit("/", 1)[-1], 40)
        files += f" and {layout.files - 1} more" if layout.files > 1 else ""
        numbers = formats.whole(layout.rows), formats.whole(layout.tickers)
        view.add_row(files, layout.name, *numbers, str(layout.first), str(layout.last), _columns(layout))
    return view


def _columns(layout: Layout) -> str:
    return safe_text(", ".join(f"{name}={column}" for name, column in layout.used.items()), 400)


def _first_bars(found: Understanding) -> RenderableType:
    view = grid("The first bars as they would land")
    for column in found.first_bars.columns:
        view.add_column(column)
    for row in found.first_bars.iter_rows():
        view.add_row(*(safe_text("" if cell is None else cell, 30) for cell in row))
    return view


def _set_aside(found: Understanding) -> RenderableType:
    view = grid("Would be set aside" if found.interval == "1d" else "Would be no part of a daily bar")
    view.add_column("rule that is broken")
    view.add_column("rows", justify="right")
    view.add_column("first case")
    for rows in found.set_aside:
        cells = ", ".join(f"{name} {cell}" for name, cell in rows.cells.items())
        view.add_row(safe_text(rows.rule, 60), formats.whole(rows.rows), safe_text(f"{rows.place}: {cells}", 300))
    return view
