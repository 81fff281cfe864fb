"""What was refused and what was sold, on the page: rules that blocked, best and worst sales, and their reviews."""

from __future__ import annotations

from collections.abc import Sequence

from nextgen_tui.report.charts import share_mark
from nextgen_tui.report.markup import Html, table, tag, words
from nextgen_tui.text import formats
from pipeline.reading.report.closed_trades import ClosedTrade
from pipeline.reading.report.full_report import Report


def blocked_section(report: Report) -> Html:
    """The rules that refused first, and what they said."""
    plans = report.summary.plans
    said = (
        f"{formats.counted(plans.considered, 'plan')} considered, {formats.whole(plans.taken)} taken, "
        f"{formats.counted(plans.filled, 'fill')}; {formats.whole(plans.refused)} refused."
    )
    rows = [
        [
            one.rule,
            formats.whole(one.plans),
            formats.percent(one.share, 1),
            share_mark(one.share),
            formats.whole(one.buys),
            tag("td", one.meaning, class_="words"),
            tag("td", one.last_reason, class_="words quiet"),
        ]
        for one in plans.refusals
    ]
    headings = ("rule", "refused first", "share", "", "of them buys", words("what it asks"), words("what it said last"))
    stops = [tag("p", one) for one in plans.stops]
    found = table(headings, rows) if rows else Html()
    return tag("section", tag("h2", "What blocked most"), tag("p", said), *stops, found)


def trades_section(report: Report) -> Html:
    """The best and worst sales with their reviews, and what explains all of them."""
    summary = report.summary
    if not report.trading.closed:
        return tag("section", tag("h2", "Sales"), tag("p", "No position has been sold in these sessions."))
    explained = [[verdict, formats.whole(sales), _money(profit)] for verdict, sales, profit in report.verdicts]
    return tag(
        "section",
        tag("h2", "Best and worst sales"),
        _sales("Gained most", summary.best),
        _sales("Lost most", summary.worst),
        tag("h3", "What explains all sales"),
        table(("by their reviews", "sales", "profit"), explained, "narrow"),
    )


def _sales(title: str, sales: Sequence[ClosedTrade]) -> Html:
    if not sales:
        return tag("p", f"{title}: none.")
    rows = [
        [
            one.ticker,
            tag("td", formats.day(one.session), class_="nowrap"),
            str(one.held_sessions),
            _money(one.profit),
            formats.percent(one.realised, 1, signed=True),
            formats.percent(one.expected, 1, signed=True),
            tag("td", one.lesson.replace(" %", "\N{NO-BREAK SPACE}%"), class_="words"),
        ]
        for one in sales
    ]
    headings = (title, "sold", "sessions held", "profit", "return", "expected", words("review"))
    return table(headings, rows)


def _money(amount: object) -> Html:
    written = formats.money(amount, signed=True)  # type: ignore[arg-type]
    tone = "good" if written.startswith("+") else "bad" if written.startswith("-") else None
    return tag("td", tag("span", written, class_=tone), class_="nowrap")
