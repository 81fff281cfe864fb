"""A research card as a page of HTML that needs nothing else, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nextgen_tui.report.markup import Html, join, table, tag
from nextgen_tui.report.page import POLICY
from nextgen_tui.report.page_style import STYLE
from nextgen_tui.text import formats
from nextgen_tui.text.safe_text import safe_text
from pipeline.research.card import ResearchCard
from pipeline.research.compare_runs import better_of, unit_of

HEADINGS = ("variant", "base", "variant's", "difference", "95 % interval", "verdict", "kept", "deflated", "sessions")
REFERENCES = ("held", "return", "deepest fall", "costs")


def write_html(card: ResearchCard, version: str) -> str:
    """The card as one page."""
    spec = card.spec
    body: Sequence[Html] = (
        tag("h1", spec.question),
        tag("p", f"Experiment {spec.name}, registered {formats.instant(card.registered_at)}.", class_="quiet"),
        tag("p", tag("b", card.conclusion)),
        *_list("What is missing for more than that", card.caps),
        tag("h2", "What was asked"),
        *(tag("p", tag("b", f"{head}:"), Html(" "), told) for head, told in _facts(card)),
        tag("h2", "What came of it"),
        table(HEADINGS, _rows(card)),
        tag("h2", "What the same sessions gave"),
        table(REFERENCES, _references(card)),
        tag("footer", f"{version}. Paper trading. Past results say little about later ones."),
    )
    head = join(
        Html('<meta charset="utf-8"/>'),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"nextgen research card: {spec.name}"),
        Html(f"<style>{STYLE}</style>"),
    )
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body>\n{chr(10).join(body)}\n</body></html>\n'


def write_markdown(card: ResearchCard, version: str) -> str:
    """The card as Markdown."""
    spec = card.spec
    lines = [
        f"# {_plain(spec.question)}",
        "",
        f"Experiment {spec.name}, registered {formats.instant(card.registered_at)}.",
        "",
        f"**{_plain(card.conclusion)}**",
        "",
        *(f"- {_plain(one)}" for one in card.caps),
        "",
        "## What was asked",
        "",
        *(f"- **{head}:** {_plain(told)}" for head, told in _facts(card)),
        "",
        "## What came of it",
        "",
        *_markdown_table(HEADINGS, _rows(card)),
        "",
        "## What the same sessions gave",
        "",
        *_markdown_table(REFERENCES, _references(card)),
        "",
        f"{version}. Paper trading. Past results say little about later ones.",
        "",
    ]
    return "\n".join(lines)


def _facts(card: ResearchCard) -> Iterator[tuple[str, str]]:
    spec = card.spec
    yield "Given up if", spec.kill
    unit, verb = unit_of(spec.metric), "lowers" if better_of(spec.metric) < 0 else "raises"
    yield "Kept if", f"it {verb} the {spec.metric} by more than {spec.keep_above:g} {unit} in all of its interval"
    yield "Data", f"{card.names} names from {card.source}, {card.sessions} sessions from {card.first} to {card.last}"
    yield "Beside", spec.base
    yield "Costs", card.costs
    yield "Trials", f"{card.trials} variants tried in this lake so far, the holdout opened {card.looks} times"


def _rows(card: ResearchCard) -> Iterator[tuple[str, ...]]:
    for one in card.results.iter_rows(named=True):
        interval = "too few sessions"
        if one["low"] is not None and one["high"] is not None:
            interval = f"{formats.number(one['low'], signed=True)} to {formats.number(one['high'], signed=True)}"
        yield (
            one["variant"],
            formats.number(one["base_value"]),
            formats.number(one["value"]),
            formats.number(one["difference"], signed=True),
            interval,
            one["verdict"],
            "yes" if one["kept"] else "no",
            formats.number(one["deflated"], 2),
            formats.whole(one["sessions"]),
        )


def _references(card: ResearchCard) -> Iterator[tuple[str, ...]]:
    for one in card.references:
        yield one.name, formats.percent(one.total_return), formats.percent(one.max_drawdown), formats.money(one.costs)


def _list(heading: str, sentences: Sequence[str]) -> Iterator[Html]:
    if sentences:
        yield tag("h3", heading)
        yield tag("ul", [tag("li", one) for one in sentences])


def _markdown_table(headings: Sequence[str], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"|{'---|' * len(headings)}"
    for row in rows:
        yield f"| {' | '.join(_plain(cell) for cell in row)} |"


def _plain(text: str) -> str:
    """Text that is no markup of Markdown's and ends no cell."""
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>#|" else sign for sign in safe_text(text, 2_000))
