"""The summary of a lake on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from nextgen_tui.text import formats
from nextgen_tui.text.safe_text import safe_text
from nextgen_tui.text.table_view import grid
from pipeline.reading.results.summary import (
    BookFacts,
    ClosedTrade,
    CoverageFacts,
    DataFacts,
    LedgerFacts,
    PlanFacts,
    SkillFacts,
)

_FINDING_STYLES = {"better than naive": "green", "worse than naive": "red"}
_METRIC_NAMES = {"pinball_skill": "less loss than naive", "ic": "rank correlation"}
_PATH_WIDTH = 48
_HEADING_WIDTH = 76


def heading(words: str) -> RenderableType:
    """A quiet line above a part."""
    return Text.assemble("\n", (words, "bold"), (f" {'─' * (_HEADING_WIDTH - len(words))}", "dim"))


def data_part(facts: DataFacts) -> RenderableType:
    """What came in."""
    came = Text(
        f"{formats.whole(facts.bars)} bars of {formats.counted(facts.tickers, 'ticker')} from "
        f"{formats.day(facts.first)} to {formats.day(facts.last)}, "
        f"{formats.counted(facts.restated, 'restatement')}; {formats.counted(facts.articles, 'article')}."
    )
    return Group(heading("Data"), came, set_aside_part(facts.quarantined))


def set_aside_part(quarantined: Sequence[tuple[str, int]]) -> RenderableType:
    """Which rules set rows aside, and how many; the most frequent first."""
    total = sum(count for _, count in quarantined)
    if not total:
        return Text("No row was set aside.")
    table = Grid.grid(padding=(0, 2))
    table.add_column(justify="right")
    table.add_column()
    for rule, count in quarantined[:6]:
        table.add_row(formats.whole(count), Text(safe_text(rule, 80)))
    if rest := sum(count for _, count in quarantined[6:]):
        table.add_row(formats.whole(rest), Text("by other rules", "dim"))
    return Group(Text(f"{formats.counted(total, 'row')} set aside for breaking a rule:"), table)


def skill_part(skills: Sequence[SkillFacts]) -> RenderableType:
    """How good the forecasts were beside naive ones."""
    if not skills:
        return Group(heading("Forecasts"), Text("No forecast has fallen due yet."))
    table = grid()
    for name, justify in (("measure", "left"), ("horizon", "right"), ("value", "right"), ("95 % interval", "left")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("naive", justify="right")
    table.add_column("forecasts", justify="right")
    table.add_column("finding")
    for one in skills:
        table.add_row(
            _METRIC_NAMES.get(one.metric, one.metric),
            str(one.horizon),
            _figure(one.metric, one.value),
            _interval(one),
            _figure(one.metric, one.naive),
            formats.whole(one.n),
            Text(one.finding, _FINDING_STYLES.get(one.finding, "")),
        )
    return Group(heading("Forecasts, compared with the naive one"), table)


def _interval(one: SkillFacts) -> str:
    if one.low is None or one.high is None:
        return formats.MISSING
    return f"{_figure(one.metric, one.low)} to {_figure(one.metric, one.high)}"


def _figure(metric: str, value: float | None) -> str:
    return formats.number(value, 3, signed=True) if metric == "ic" else formats.percent(value, 1, signed=True)


def coverage_part(coverages: Sequence[CoverageFacts]) -> RenderableType:
    """How many outcomes fell into the intervals."""
    table = Grid.grid(padding=(0, 2))
    for justify in ("right", "right", "left", "right", "left"):
        table.add_column(justify=justify)
    for one in coverages:
        table.add_row(
            formats.counted(one.horizon, "session"),
            f"{formats.percent(one.stated, 0)} stated",
            Text(formats.bar(one.measured, 20), "cyan"),
            f"{formats.percent(one.measured, 1)} measured",
            one.verdict,
        )
    return Group(heading("Intervals"), table if coverages else Text("No interval has been tested yet."))


def book_part(facts: BookFacts | None, plans: PlanFacts) -> RenderableType:
    """How the book did."""
    if facts is None:
        return Group(heading("The book"), Text("The book has not been opened."))
    paths = [("book", facts.nav_path, facts.total), ("equal weight", facts.equal_weight_path, facts.equal_weight)]
    if facts.benchmark is not None:
        paths.append(("benchmark", facts.benchmark_path, facts.benchmark))
    low = min(min(path) for _, path, _ in paths)
    high = max(max(path) for _, path, _ in paths)
    table = Grid.grid(padding=(0, 2))
    table.add_column()
    table.add_column()
    table.add_column(justify="right")
    for name, path, total in paths:
        table.add_row(
            name,
            Text(formats.sparkline(path, _PATH_WIDTH, low, high), "cyan" if name == "book" else "dim"),
            formats.percent(total, signed=True),
        )
    costs = (
        f"Costs {formats.money(facts.costs)}: commission {formats.money(facts.commission)}, half-spreads "
        f"{formats.money(facts.spread_cost)}, impact {formats.money(facts.impact_cost)}. "
        f"Maximum drawdown {formats.percent(facts.deepest, 1)}; {formats.percent(facts.turnover, 1)} of the book "
        "traded per session."
    )
    worth = (
        f"{formats.counted(facts.sessions, 'session')} from {facts.first} to {facts.last}: "
        f"{formats.money(facts.capital)} became {formats.money(facts.nav)}; "
        f"{formats.counted(facts.positions, 'position')} held."
    )
    return Group(heading("The book"), Text(worth), table, Text(costs), _plans(plans))


def _plans(plans: PlanFacts) -> Text:
    refused = ", ".join(f"{rule} {formats.whole(count)}" for rule, count in plans.blocked_by[:4])
    tail = f" Refused first by: {safe_text(refused, 160)}." if refused else ""
    return Text(
        f"{formats.counted(plans.considered, 'plan')} considered, {formats.whole(plans.taken)} taken, "
        f"{formats.counted(plans.filled, 'fill')}.{tail}"
    )


def trades_part(best: Sequence[ClosedTrade], worst: Sequence[ClosedTrade]) -> RenderableType:
    """The trades worth remembering, in the reflection's own words."""
    if not best and not worst:
        return Group(heading("Trades"), Text("No position has been sold yet."))
    table = grid()
    for name, justify in (("", "left"), ("sold", "left"), ("profit", "right"), ("return", "right")):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("expected", justify="right", no_wrap=True)
    table.add_column("review")
    for label, trades, style in (("best", best, "green"), ("worst", worst, "red")):
        for trade in trades:
            table.add_row(
                f"{label} {trade.ticker}",
                formats.day(trade.session),
                Text(formats.money(trade.profit, signed=True), style),
                formats.percent(trade.realised, 1, signed=True),
                formats.percent(trade.expected, 1, signed=True),
                Text(safe_text(trade.lesson, 240)),
            )
    return Group(heading("Trades"), table)


def ledger_part(facts: LedgerFacts) -> RenderableType:
    """Whether the books add up."""
    return Group(heading("Books"), Text(facts.sentence, "green" if facts.balances else "bold red"))
