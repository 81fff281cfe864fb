"""The rows of a report's tables, written once for terminal and page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nextgen_tui.text import formats
from pipeline.reading.report.full_report import Report
from pipeline.trading.review.performance import Performance, RecordComparison

Row = tuple[str, ...]
"""What is named, then a value for each column."""


def write_number(value: float | None) -> str:
    """A ratio with two digits."""
    return formats.number(value, 2)


def write_change(value: float | None) -> str:
    """A fraction as percent with its sign."""
    return formats.percent(value, 2, signed=True)


def write_share(value: float | None) -> str:
    """A fraction as percent."""
    return formats.percent(value, 1)


@dataclass(frozen=True)
class Figure:
    """A figure of a record: its name, what it means, and how it is written."""

    title: str
    doc: str
    write: Callable[[float | None], str]


MEASURED = {
    "cagr": Figure("Return a year", "compound; none below a quarter of a year", write_change),
    "volatility": Figure("Volatility", "standard deviation of session returns, a year", write_share),
    "sharpe": Figure("Sharpe ratio", "mean over standard deviation, a year; riskless rate 0", write_number),
    "sortino": Figure("Sortino ratio", "mean over downside deviation, a year", write_number),
    "max_drawdown": Figure("Maximum drawdown", "deepest fall from a peak", write_share),
    "calmar": Figure("Calmar ratio", "return a year over maximum drawdown", write_number),
    "best": Figure("Best session", "highest return of a session", write_change),
    "worst": Figure("Worst session", "lowest return of a session", write_change),
    "hit_rate": Figure("Sessions with a gain", "of those with any change", write_share),
}
"""Fields of `Performance` in the order in which they are told."""
COMPARED = {
    "excess_return": Figure("Return ahead", "total return less the other's", write_change),
    "alpha": Figure("Alpha", "Jensen's, a year; riskless rate 0", write_change),
    "beta": Figure("Beta", "slope of session returns on the other's", write_number),
    "correlation": Figure("Correlation", "of session returns", write_number),
    "tracking_error": Figure("Tracking error", "standard deviation of the difference, a year", write_share),
    "information_ratio": Figure("Information ratio", "mean difference over its deviation, a year", write_number),
}


def ladder_rows(report: Report) -> Iterator[Row]:
    """Each rung with value, return, active return, swings, deepest fall and costs."""
    for rung in report.summary.ladder:
        yield (
            rung.name,
            formats.number(rung.value, 0),
            write_change(rung.total_return),
            formats.MISSING if rung.name == rung.against else write_change(rung.active),
            write_share(rung.volatility),
            write_share(rung.max_drawdown),
            formats.number(rung.costs, 0),
        )


def performance_rows(report: Report) -> Iterator[tuple[str, Row]]:
    """What each row means, and its values for each track."""
    tracks = report.summary.tracks
    yield "value over start value", ("Return", *(write_change(track.total) for track in tracks))
    measured = [report.figures.tracks[track.name] for track in tracks]
    for name, figure in MEASURED.items():
        yield figure.doc, (figure.title, *(figure.write(_value(one, name)) for one in measured))


def comparison_rows(report: Report) -> Iterator[tuple[str, Row]]:
    """What each row means, and the book's values beside each baseline."""
    others = report.figures.against.values()
    for name, figure in COMPARED.items():
        yield figure.doc, (figure.title, *(figure.write(_value(one, name)) for one in others))
    ahead = (f"{write_number(one.sharpe_difference)} {_interval(one)}".rstrip() for one in others)
    yield "95 % interval by stationary bootstrap", ("Sharpe ratio ahead", *ahead)


def _value(record: Performance | RecordComparison, name: str) -> float | None:
    found: float | None = getattr(record, name)
    return found


def _interval(one: RecordComparison) -> str:
    if one.low is None or one.high is None:
        return ""
    return f"({write_number(one.low)} to {write_number(one.high)})"


def trading_rows(report: Report) -> Iterator[Row]:
    """What trading the book did and what it paid."""
    trading, book = report.trading, report.summary.book
    yield "Orders filled", formats.whole(trading.trades)
    yield "Orders not filled", formats.whole(trading.unfilled)
    yield "Turnover a year", _times(trading.turnover)
    yield "Commission", formats.money(book.commission)
    yield "Half-spreads", formats.money(book.spread_cost)
    yield "Impact", formats.money(book.impact_cost)
    yield "All costs", formats.money(book.costs)
    yield "Costs a year, of the mean value", formats.percent(trading.cost_of_nav)
    yield "Positions sold", formats.whole(trading.closed)
    yield "Sold with a profit after costs", write_share(trading.hit_rate)
    yield "Profits over losses of sales", write_number(trading.profit_factor)


def source_rows(report: Report) -> Iterator[Row]:
    """What the profit is made of, and its sum."""
    for title, amount in report.sources:
        if amount:
            yield title, formats.money(amount, signed=True)
    yield "Profit", formats.money(report.summary.book.profit, signed=True)


def _times(value: float | None) -> str:
    return formats.MISSING if value is None else f"{formats.number(value, 1)} x the book"


def describe_evidence(report: Report) -> str:
    """What the Sharpe ratio is worth, given its length and how much was tried."""
    evidence = report.figures.evidence
    if evidence.above_zero is None or evidence.deflated is None:
        return "Too few sessions with different returns to say whether the Sharpe ratio is luck."
    looks = formats.counted(evidence.looks, "time")
    looked = f" What was put aside has been looked at {looks}." if evidence.looks else ""
    tried = formats.counted(evidence.trials, "configuration")
    return (
        f"Probability that the true Sharpe ratio is above 0: {formats.percent(evidence.above_zero, 1)}. Deflated for "
        f"{tried} tried (--trials says how many), it is better than the best of as many worthless ones with "
        f"probability {formats.percent(evidence.deflated, 1)}.{looked}"
    )


def describe_year(report: Report) -> str:
    """By what annual figures are annualised."""
    count = formats.counted(report.figures.sessions_per_year, "session")
    return f"A year has {count} by the lake's calendar; annual figures count so many."
