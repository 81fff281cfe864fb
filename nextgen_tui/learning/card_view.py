"""A model's card on a terminal: data, members, figures beside baselines, trials and limits."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from nextgen_tui.report.summary_view import figure, heading
from nextgen_tui.text import formats
from nextgen_tui.text.safe_text import safe_text
from nextgen_tui.text.table_view import grid
from pipeline.reading.report.model_cards import CardFigure, ModelCard
from pipeline.reading.results.accuracy import measure_title


def show_card(card: ModelCard) -> RenderableType:
    """All of it."""
    parts = [
        Text(safe_text(_title(card), 200), "bold"),
        Text(safe_text(card.reason, 600)),
        heading("Data"),
        _pairs([("trained", str(card.trained)), *card.data]),
        heading("Members"),
        _members(card),
        heading("Figures"),
        _figures(card.figures),
        *([heading("What matters"), _matters(card)] if card.matters else []),
        heading("Trials"),
        _pairs(card.trials),
        heading("Limits"),
        *(Text(f"- {safe_text(one, 300)}") for one in card.limits),
    ]
    return Group(*parts)


def _title(card: ModelCard) -> str:
    if card.decided is None:
        return f"{card.model_id}, never champion"
    return f"{card.model_id}, champion from {card.decided} {f'to {card.until}' if card.until else 'until now'}"


def _pairs(pairs: Iterable[tuple[str, str]]) -> RenderableType:
    table = Grid.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    for name, value in pairs:
        table.add_row(name, Text(safe_text(value, 400)))
    return table


def _members(card: ModelCard) -> RenderableType:
    view = grid()
    view.add_column("member")
    for what in ("ranking", "width"):
        for horizon in card.horizons:
            view.add_column(f"{what}, {horizon}", justify="right")
    for one in card.members:
        shares = [formats.percent(share, 0) for share in (*one.ranking, *one.width)]
        view.add_row(safe_text(one.member, 40), *shares)
    return view


def _figures(figures: Iterable[CardFigure]) -> RenderableType:
    view = grid()
    for name in ("measure", "horizon", "value", "95 % interval", "baseline", "of"):
        view.add_column(name, justify="left" if name == "measure" else "right")
    for one in figures:
        view.add_row(
            f"{one.when}: {measure_title(one.metric)}",
            str(one.horizon),
            figure(one.metric, one.value),
            _ends(one),
            figure(one.metric, one.baseline),
            formats.whole(one.n),
        )
    return view


def _ends(one: CardFigure) -> str:
    if one.low is None or one.high is None:
        return "not measured"
    return f"{figure(one.metric, one.low)} to {figure(one.metric, one.high)}"


def _matters(card: ModelCard) -> RenderableType:
    view = grid()
    for name in ("feature", "member", "horizon", "loss when shuffled", "+-"):
        view.add_column(name, justify="left" if name in ("feature", "member") else "right")
    for one in card.matters:
        view.add_row(
            safe_text(one.feature, 63),
            one.member,
            str(one.horizon),
            formats.percent(one.rise, 2, signed=True),
            formats.percent(one.error, 2),
        )
    return view
