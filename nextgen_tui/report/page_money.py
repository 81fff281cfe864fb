"""What became of the money, on the page: headline, equity and drawdown, months, performance, trading and costs."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from nextgen_tui.report.charts import Line, area_chart, bar_chart, line_chart
from nextgen_tui.report.markup import Html, join, table, tag
from nextgen_tui.report.report_rows import (
    comparison_rows,
    describe_evidence,
    describe_year,
    ladder_rows,
    performance_rows,
    source_rows,
    trading_rows,
)
from nextgen_tui.report.summary_view import describe_ladder, describe_lead
from nextgen_tui.text import formats
from pipeline.reading.report.full_report import Report
from pipeline.reading.report.profit_origins import ProfitView
from pipeline.reading.report.tracks import PeriodReturns, Track

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
SPACE = Html(" ")
_SHOWN = 8
"""Items of a part in a table."""
FULL_COLOUR = 0.08
"""Return of a month from which on its colour is no stronger."""


def headline(report: Report) -> Html:
    """Title, the figures that matter most, and the verdict on skill."""
    summary, book = report.summary, report.summary.book
    tiles = [
        _tile("Value", formats.money(book.value), f"{book.currency}, from {formats.money(book.start_value)}"),
        _tile("Return", formats.percent(book.total_return, signed=True), _profit(report), _tone(book.total_return)),
    ]
    for name, total in summary.baselines.items():
        lead = f"the book did {describe_lead(book.total_return - total)}"
        tiles.append(_tile(name.capitalize(), formats.percent(total, signed=True), lead))
    tiles.append(_tile("Maximum drawdown", formats.percent(book.max_drawdown, 1), "from a peak in these sessions"))
    share = book.costs / book.start_value if book.start_value else None
    of_start = f"{formats.percent(None if share is None else float(share))} of the start value"
    tiles.append(_tile("Costs", formats.money(book.costs), of_start))
    sessions = formats.counted(summary.sessions, "session")
    return tag(
        "header",
        tag("h1", f"{summary.first} to {summary.last}"),
        tag("p", f"{sessions} of the book in {report.provenance.lake}", class_="quiet"),
        tag("div", tiles, class_="tiles"),
        tag("p", tag("b", "Skill."), SPACE, summary.quality.sentence),
        tag("p", tag("b", "Books."), SPACE, summary.ledger.sentence, class_=None if summary.ledger.balances else "bad"),
    )


def _tile(name: str, value: str, below: str, tone: str = "") -> Html:
    return tag("div", tag("span", name), tag("b", value, class_=tone or None), tag("span", below), class_="tile")


def _profit(report: Report) -> str:
    return f"{formats.money(report.summary.book.profit, signed=True)} {report.summary.book.currency}"


def _tone(value: float) -> str:
    return "good" if value > 0 else "bad" if value < 0 else ""


def _class(track: Track) -> str:
    return track.name.replace(" ", "-")


def book_section(report: Report) -> Html:
    """Equity and drawdown beside the baselines."""
    tracks, sessions = report.summary.tracks, report.series.sessions
    growth = [Line(track.name, _class(track), track.growth) for track in tracks]
    falls = [Line(track.name, _class(track), track.drawdowns) for track in tracks]
    totals = ", ".join(f"{track.name} {formats.percent(track.total, signed=True)}" for track in tracks)
    depths = ", ".join(f"{track.name} {formats.percent(track.max_drawdown, 1)}" for track in tracks)
    return _section(
        "The book beside doing nothing clever",
        line_chart("Change since the start", growth, sessions, _percent, f"Change since the start: {totals}"),
        area_chart("Drawdown from the highest point", falls, sessions, _percent, f"Deepest drawdown: {depths}"),
        ladder_table(report),
        _restated(report),
    )


def ladder_table(report: Report) -> Html:
    """The references from cash up, and the book."""
    rows = [[name, *cells] for name, *cells in ladder_rows(report)]
    heads = ["", "Value", "Return", "Active", "Swings a year", "Deepest fall", "Costs"]
    return table(heads, rows)


def _restated(report: Report) -> Html:
    restated = report.summary.book.restated
    if not restated:
        return Html()
    words = f"{formats.money(restated, signed=True)} of the value was learned of earlier sessions: it is in the value "
    return tag("p", f"{words}and in the return, and in no session's return.", class_="quiet")


def months_section(report: Report) -> Html:
    """A line for each year and track, a cell for each month, and the year at the end."""
    names = [track.name for track in report.summary.tracks]
    rows: list[list[str | Html]] = []
    for year in sorted({one.year for one in report.months}):
        inside = {one.month: one for one in report.months if one.year == year}
        for number, name in enumerate(names):
            cells = [_month(inside.get(month), number) for month in range(1, 13)]
            rows.append([f"{year} {name}", *cells, _month(inside[None], number, "year")])
    return _section("Returns by month, in percent", table(["", *MONTHS, "Year"], rows, "months"))


def _month(period: PeriodReturns | None, track: int, kind: str | None = None) -> Html:
    if period is None:
        return tag("td", "", class_=kind)
    gain = period.returns[track]
    strength = min(abs(gain) / FULL_COLOUR, 1.0) * 0.45
    colour = "good" if gain > 0 else "bad"
    style = f"background:rgba(var(--{colour}-soft),{strength:.2f})" if strength >= 0.005 else None
    return tag("td", formats.number(100 * gain, 1, signed=True), class_=kind, style=style)


def performance_section(report: Report) -> Html:
    """Every figure of the record, alone and beside the baselines."""
    names = [track.name for track in report.summary.tracks]
    others = [f"beside {name}" for name in report.figures.against]
    return _section(
        "Performance",
        tag("p", describe_year(report), class_="quiet"),
        _explained(names, performance_rows(report)),
        tag("h3", "The book beside the others"),
        _explained(others, comparison_rows(report)),
        tag("p", describe_evidence(report)),
        tag("p", describe_ladder(report.summary.ladder), class_="quiet"),
    )


def _explained(names: Iterable[str], rows: Iterable[tuple[str, tuple[str, ...]]]) -> Html:
    body = [[*row, tag("td", doc, class_="words quiet")] for doc, row in rows]
    return table(["", *names, ""], body)


def trading_section(report: Report) -> Html:
    """Exposure, turnover and costs."""
    series, book = report.series, report.summary.book
    exposure = Line("exposure", "book", series.exposure)
    mean = formats.percent(book.mean_exposure, 1)
    turnover = Line("turnover", "book", series.turnover)
    traded = formats.percent(book.mean_turnover, 1)
    costs = Line("costs", "book", series.costs)
    paid = f"{formats.money(book.costs)} {book.currency}"
    return _section(
        "Exposure, turnover and costs",
        area_chart("Exposure: invested share of the book", [exposure], series.sessions, _percent, f"{mean} on average"),
        bar_chart("Turnover: traded share of the book", turnover, series.sessions, _percent, f"{traded} on average"),
        line_chart(f"Costs paid so far, {book.currency}", [costs], series.sessions, _whole, f"Costs reached {paid}"),
        table(["", "in these sessions"], [list(row) for row in trading_rows(report)], "narrow"),
        tag("h3", "What the profit is made of"),
        table(["", book.currency], [list(row) for row in source_rows(report)], "narrow"),
        tag("p", "Half-spreads and impact are inside the gains: fills are at the prices they made.", class_="quiet"),
    )


def origins_section(report: Report) -> Html:
    """Where the profit came from, in each view; each adds up to it."""
    views = report.summary.origins
    if not views:
        return Html()
    tables = [_origins_table(view, report.summary.book.currency) for view in views]
    told = (
        "Each table adds up to the profit of these sessions, to the cent. A rule or a forecast is credited with the "
        "weight that it moved, times what the name made beyond the benchmark in the session after."
    )
    return _section("Where the profit came from", tag("p", told, class_="quiet"), tag("div", tables, class_="columns"))


def _origins_table(view: ProfitView, currency: str) -> Html:
    rows: list[list[str | Html]] = []
    for part in view.parts:
        rows.append([part.title.capitalize(), _amount(part.amount)])
        rows += [[tag("td", name, class_="item"), _amount(amount, "item")] for name, amount in part.items[:_SHOWN]]
        if rest := part.items[_SHOWN:]:
            rest_amount = sum((amount for _, amount in rest), Decimal(0))
            rows.append([tag("td", f"{len(rest)} others", class_="item"), _amount(rest_amount, "item")])
    rows.append([tag("b", "Profit"), tag("td", tag("b", formats.money(view.profit, signed=True)))])
    return tag("div", tag("h3", view.title), table(["", currency], rows, "narrow"))


def _amount(amount: Decimal, kind: str = "") -> Html:
    return tag("td", formats.money(amount, signed=True), class_=f"{_tone(float(amount))} {kind}".strip() or None)


def _percent(value: float) -> str:
    return formats.percent(value, 0 if abs(100 * value - round(100 * value)) < 1e-9 else 1)


def _whole(value: float) -> str:
    return formats.number(value, 0)


def _section(title: str, *content: Html) -> Html:
    return tag("section", tag("h2", title), join(content))
