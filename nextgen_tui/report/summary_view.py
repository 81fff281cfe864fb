"""The summary of a span of sessions on a terminal, the same after a replay, a cycle and the demo."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from nextgen_tui.text import formats
from nextgen_tui.text.safe_text import remove_unsafe, safe_text
from nextgen_tui.text.table_view import grid
from pipeline.reading.report.closed_trades import ClosedTrade
from pipeline.reading.report.forecast_quality import ForecastQuality
from pipeline.reading.report.ladder import Rung
from pipeline.reading.report.next_steps import NextStep
from pipeline.reading.report.profit_origins import DECISION, ProfitPart, ProfitView
from pipeline.reading.report.refusals import PlanFacts
from pipeline.reading.report.span_summary import BookFacts, SpanSummary
from pipeline.reading.report.tracks import BOOK, CASH, TOP_K, Track
from pipeline.reading.results.accuracy import measure_title
from pipeline.reading.results.summary import SKILL_METRICS, CoverageFacts, DataFacts, LedgerFacts, SkillFacts

_FINDING_STYLES = {"better than naive": "green", "worse than naive": "red"}
_PATH_WIDTH = 12
_HEADING_WIDTH = 76
_SHOWN_REFUSALS = 5
_SHOWN_ITEMS = 4


def show_summary(summary: SpanSummary, lake_option: str | None) -> RenderableType:
    """All of it: money first, then whether skill explains it, what stood in the way, and what to look at next."""
    parts = [
        book_part(summary),
        skill_part(summary.quality, SKILL_METRICS),
        coverage_part(summary.quality.coverages),
        plans_part(summary.plans),
        *origins_part([view for view in summary.origins if view.name == DECISION]),
        trades_part(summary.best, summary.worst),
        ledger_part(summary.ledger),
        next_part(summary.next_steps, lake_option),
    ]
    return Group(*parts)


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


def skill_part(quality: ForecastQuality, measures: Sequence[str]) -> RenderableType:
    """How good the forecasts were beside naive ones, by these measures."""
    said = Text(quality.sentence)
    if not quality.skills:
        return Group(heading("Forecasts"), said)
    table = grid()
    for name in ("measure", "horizon", "value"):
        table.add_column(name, justify="left" if name == "measure" else "right")
    table.add_column("95 % interval")
    table.add_column("naive", justify="right")
    table.add_column("forecasts", justify="right")
    table.add_column("finding")
    for one in (skill for skill in quality.skills if skill.metric in measures):
        table.add_row(
            measure_title(one.metric),
            str(one.horizon),
            figure(one.metric, one.value),
            interval(one),
            figure(one.metric, one.naive),
            formats.whole(one.n),
            Text(one.finding, _FINDING_STYLES.get(one.finding, "")),
        )
    return Group(heading("Forecasts, compared with the naive one"), said, Text(), table)


def interval(one: SkillFacts) -> str:
    """The 95 % interval of a measure, in its unit."""
    if one.low is None or one.high is None:
        return formats.MISSING
    return f"{figure(one.metric, one.low)} to {figure(one.metric, one.high)}"


def figure(metric: str, value: float | None) -> str:
    """A value of a measure, in its unit."""
    if metric == "ic":
        return formats.number(value, 3, signed=True)
    return formats.percent(value, 1, signed=metric != "hit_rate")


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


def book_part(summary: SpanSummary) -> RenderableType:
    """What became of the money, beside doing nothing clever."""
    book = summary.book
    worth = Text.assemble(
        f"{formats.counted(summary.sessions, 'session')} from {summary.first} to {summary.last}: "
        f"{formats.money(book.start_value)} became ",
        (f"{formats.money(book.value)} {book.currency}", "bold"),
        ", ",
        (formats.money(book.profit, signed=True), gain_style(book.profit)),
        f". {formats.counted(book.positions, 'position')} held.",
    )
    beside = _ladder(summary.ladder, summary.tracks)
    said = Text(describe_ladder(summary.ladder), "dim")
    return Group(heading("The book"), worth, beside, said, Text(describe_risk(book)), _costs(book))


def _ladder(rungs: Sequence[Rung], tracks: Sequence[Track]) -> RenderableType:
    """Each reference with its way, its risk and its costs; the book is the last rung."""
    low = min(min(track.growth) for track in tracks)
    high = max(max(track.growth) for track in tracks)
    ways = {track.name: formats.sparkline(track.growth, _PATH_WIDTH, low, high) for track in tracks}
    table = grid()
    for name in ("", "", "value", "return", "active", "swings", "deepest fall", "costs"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for rung in rungs:
        own = rung.name == BOOK
        table.add_row(
            Text(rung.name, "bold" if own else ""),
            Text(ways.get(rung.name, ""), "cyan" if own else "dim"),
            formats.number(rung.value, 0),
            Text(formats.percent(rung.total_return, signed=True), gain_style(rung.total_return) if own else ""),
            formats.MISSING if rung.name == rung.against else formats.percent(rung.active, signed=True),
            formats.percent(rung.volatility, 1),
            formats.percent(rung.max_drawdown, 1),
            formats.number(rung.costs, 0),
        )
    return table


def describe_ladder(rungs: Sequence[Rung]) -> str:
    """What the rungs are, and what the costs in them are."""
    names = {rung.name for rung in rungs}
    against = next((rung.against for rung in rungs), "")
    words = f"Active is the return less that of {against}; swings are a year's standard deviation."
    if TOP_K in names:
        words += " Top-k dropout holds the best names by the same forecasts, bought at the open after them."
    uncharged = [rung.name for rung in rungs if rung.costs is None and rung.name != CASH]
    return words + (f" Without costs: {', '.join(uncharged)}." if uncharged else "")


def describe_lead(difference: float) -> str:
    """How far one return is ahead of another: '5.54 points worse'."""
    points = f"{abs(100 * difference):.2f} points"
    return f"{points} {'better' if difference > 0 else 'worse'}" if round(100 * difference, 2) else "the same"


def gain_style(amount: object) -> str:
    """Green above 0, red below."""
    return "green" if amount > 0 else "red" if amount < 0 else ""  # type: ignore[operator]


def describe_risk(book: BookFacts) -> str:
    """Drawdown, exposure and turnover in a sentence."""
    ratio = "" if book.sharpe is None else f"; Sharpe ratio {formats.number(book.sharpe, 2)} a year"
    return (
        f"Maximum drawdown {formats.percent(book.max_drawdown, 1)}{ratio}; "
        f"{formats.percent(book.mean_exposure, 0)} invested on average, "
        f"{formats.percent(book.mean_turnover, 1)} of the book traded per session."
    )


def _costs(book: BookFacts) -> Text:
    return Text(
        f"Costs {formats.money(book.costs)}: commission {formats.money(book.commission)}, half-spreads "
        f"{formats.money(book.spread_cost)}, impact {formats.money(book.impact_cost)}."
    )


def plans_part(plans: PlanFacts) -> RenderableType:
    """What was planned, and what blocked the rest most."""
    said = Text(
        f"{formats.counted(plans.considered, 'plan')} considered, {formats.whole(plans.taken)} taken, "
        f"{formats.counted(plans.filled, 'fill')}; {formats.whole(plans.refused)} refused."
    )
    table = Grid.grid(padding=(0, 2))
    for justify in ("right", "right", "left", "left"):
        table.add_column(justify=justify)
    for one in plans.refusals[:_SHOWN_REFUSALS]:
        reason = safe_text(one.last_reason or one.meaning, 120)
        name = Text(safe_text(one.rule, 60), "bold" if one is plans.refusals[0] else "")
        table.add_row(formats.whole(one.plans), formats.percent(one.share, 0), name, Text(reason, "dim"))
    if rest := plans.refusals[_SHOWN_REFUSALS:]:
        count = sum(one.plans for one in rest)
        table.add_row(formats.whole(count), formats.percent(sum(one.share for one in rest), 0), Text("others", "dim"))
    stops = [Text(safe_text(one, 400), "bold") for one in plans.stops]
    return Group(heading("What blocked most"), said, *stops, table)


def origins_part(views: Sequence[ProfitView]) -> Iterator[RenderableType]:
    """Where the profit came from, in each of the views; nothing where no session was attributed."""
    for view in views:
        table = Grid.grid(padding=(0, 2))
        for justify in ("left", "right", "left"):
            table.add_column(justify=justify)
        for part in view.parts:
            amount = Text(formats.money(part.amount, signed=True), gain_style(part.amount))
            table.add_row(part.title, amount, Text(list_items(part), "dim"))
        table.add_row(Text("profit", "bold"), Text(formats.money(view.profit, signed=True), "bold"), "")
        yield heading(f"Where the profit came from, {view.title.lower()}")
        yield table


def list_items(part: ProfitPart) -> str:
    """The items of a part that weigh most, each with its amount."""
    told = [f"{safe_text(name, 40)} {formats.whole(round(amount))}" for name, amount in part.items[:_SHOWN_ITEMS]]
    if rest := part.items[_SHOWN_ITEMS:]:
        told.append(f"others {formats.whole(round(sum(amount for _, amount in rest)))}")
    return ", ".join(told)


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


def next_part(steps: Sequence[NextStep], lake_option: str | None) -> RenderableType:
    """What to look at next, each with the command to type."""
    lines = [heading("Next")]
    for step in steps:
        lines += [Text(safe_text(step.sentence, 200)), Text(f"  {write_command(step.command, lake_option)}", "cyan")]
    return Group(*lines)


def write_command(words: Sequence[str], lake_option: str | None) -> str:
    """The command line that a shell reads as these words, in the lake that the operator named."""
    lake = ("--lake", lake_option) if lake_option else ()
    return remove_unsafe(shlex.join(("nextgen", *words, *lake)))
