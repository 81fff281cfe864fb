"""What happened in a lake, in figures: data, skill, coverage and ledger; pure functions over frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

import polars as pl

from pipeline.feedback.metrics import CALIBRATION, COVERAGES
from pipeline.text_format import counted

COVERAGE_LEVELS = {metric.name: metric.level for metric in COVERAGES}
"""Measure of coverage -> the share of outcomes that its interval promises."""
MAX_INTERVAL = 0.2
"""Width of a coverage's 95 % interval, as a share, beyond which it shows no calibration."""
TOO_FEW = "too few"
"""The verdict of what too few forecasts tell."""
SkillFinding = Literal["better than naive", "no skill shown", "worse than naive", "too few to say"]


@dataclass(frozen=True)
class DataFacts:
    """What came in, and what was set aside."""

    tickers: int
    bars: int
    first: date | None
    last: date | None
    restated: int
    articles: int
    quarantined: tuple[tuple[str, int], ...]
    """Rule and rows set aside by it, most frequent first."""


def data_facts(
    market_prices: pl.DataFrame,
    news_articles: pl.DataFrame,
    quarantined_rows: pl.DataFrame,
) -> DataFacts:
    """Count bars, articles and quarantined rows.

    Args:
        market_prices: ticker, session, revision; all revisions.
        news_articles: one row per article.
        quarantined_rows: rule.
    """
    current = market_prices.filter(pl.col("revision") == 0)
    return DataFacts(
        tickers=current["ticker"].n_unique(),
        bars=current.height,
        first=_day(current["session"].min()),
        last=_day(current["session"].max()),
        restated=market_prices.height - current.height,
        articles=news_articles.height,
        quarantined=count_by_rule(quarantined_rows),
    )


def count_by_rule(quarantined_rows: pl.DataFrame) -> tuple[tuple[str, int], ...]:
    """Rule and rows set aside by it, most frequent first."""
    counts = quarantined_rows.group_by("rule").len().sort(["len", "rule"], descending=[True, False])
    return tuple((str(rule), int(count)) for rule, count in counts.iter_rows())


@dataclass(frozen=True)
class SkillFacts:
    """One measure of forecast quality beside what the naive forecast would give."""

    horizon: int
    metric: str
    value: float
    low: float | None
    high: float | None
    naive: float
    n: int

    @property
    def finding(self) -> SkillFinding:
        """What the interval allows one to say."""
        return compare_with_naive(self.low, self.high, self.naive)


SKILL_METRICS = ("pinball_skill", "ic")


def skill_facts(feedback_metrics: pl.DataFrame, measures: Sequence[str] = SKILL_METRICS) -> tuple[SkillFacts, ...]:
    """Skill per horizon as last measured, with what its interval allows one to say."""
    rows = _last_overall(feedback_metrics).filter(pl.col("metric").is_in(measures))
    wanted = rows.sort("metric", "horizon", descending=[True, False]).select(
        "horizon", "metric", "value", "low", "high", "baseline", "n"
    )
    return tuple(SkillFacts(*row) for row in wanted.iter_rows())


def compare_with_naive(low: float | None, high: float | None, naive: float) -> SkillFinding:
    """What an interval says about a figure for which more is better; one that holds the naive value says nothing."""
    if low is None or high is None:
        return "too few to say"
    if low > naive:
        return "better than naive"
    return "worse than naive" if high < naive else "no skill shown"


@dataclass(frozen=True)
class CoverageFacts:
    """How many outcomes fell into an interval, beside how many were promised."""

    horizon: int
    stated: float
    measured: float
    low: float | None
    high: float | None
    n: int
    verdict: str


def coverage_facts(feedback_metrics: pl.DataFrame) -> tuple[CoverageFacts, ...]:
    """Coverage per horizon and stated level, as last measured."""
    rows = _last_overall(feedback_metrics).filter(pl.col("metric").is_in(list(COVERAGE_LEVELS)))
    rows = correct_verdicts(rows)
    wanted = rows.sort("horizon", "metric").select("horizon", "metric", "value", "low", "high", "n", "verdict")
    return tuple(CoverageFacts(horizon, COVERAGE_LEVELS[metric], *row) for horizon, metric, *row in wanted.iter_rows())


def correct_verdicts(feedback_metrics: pl.DataFrame) -> pl.DataFrame:
    """The same where a coverage whose interval is too wide to tell is not called calibrated.

    An interval that reaches from 50 to 85 % holds the promised 80 %, and says nothing for it.
    """
    wide = pl.col("high") - pl.col("low") > MAX_INTERVAL
    vague = pl.col("metric").is_in(list(COVERAGE_LEVELS)) & (pl.col("verdict") == CALIBRATION[1]) & wide
    return feedback_metrics.with_columns(verdict=pl.when(vague).then(pl.lit(TOO_FEW)).otherwise("verdict"))


@dataclass(frozen=True)
class LedgerFacts:
    """Whether the ledger's own sums agree with the book."""

    events: int
    entries: int
    unbalanced: int
    """Events whose legs do not sum to zero."""
    cash: Decimal
    """Cash by the ledger's legs alone."""
    difference: Decimal
    """Ledger less book, over cash and dividends due, plus whatever value the book cannot explain."""
    restated: Decimal = Decimal(0)
    """What was learned of past value after its session, over all sessions; in no session's return."""
    first_difference: str | None = None
    """The first event that ledger and reconciliation tell differently, in words."""

    @property
    def balances(self) -> bool:
        """Whether not one cent is off."""
        return self.unbalanced == 0 and self.difference == 0 and not self.first_difference

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        past = f" Restated: {self.restated:+,.2f} of earlier sessions, in no session's return." if self.restated else ""
        if self.balances:
            return (
                f"The ledger balances to the cent: {counted(self.entries, 'entry')} in "
                f"{counted(self.events, 'event')}, cash {self.cash:,.2f} by the entries and in the book.{past}"
            )
        where = f" First: {self.first_difference}." if self.first_difference else ""
        return (
            f"The ledger does NOT balance: {self.unbalanced:,} of {self.events:,} events are uneven, and the book "
            f"is off by {self.difference:,.2f}.{where}{past}"
        )


def ledger_facts(ledger_entries: pl.DataFrame, portfolio_value: pl.DataFrame) -> LedgerFacts:
    """Add the ledger up again, exactly, and compare it with the book's last session."""
    events = ledger_entries.group_by("event_id").agg(pl.col("amount").sum())
    last = portfolio_value.sort("session").tail(1).to_dicts()
    book = last[0] if last else {"cash": Decimal(0), "receivable": Decimal(0)}
    cash = _account(ledger_entries, "cash")
    off = abs(cash - book["cash"]) + abs(_account(ledger_entries, "receivable") - book["receivable"])
    unexplained = sum((abs(value) for value in portfolio_value["unexplained"]), Decimal(0))
    return LedgerFacts(
        events=events.height,
        entries=ledger_entries.height,
        unbalanced=events.filter(pl.col("amount") != 0).height,
        cash=cash,
        difference=off + unexplained,
        restated=sum(portfolio_value["restated"].drop_nulls().to_list(), Decimal(0)),
        first_difference=next(iter(portfolio_value.sort("session")["difference"].drop_nulls().tail(1)), None),
    )


def _account(ledger_entries: pl.DataFrame, name: str) -> Decimal:
    amounts = ledger_entries.filter(pl.col("account") == name)["amount"]
    return sum(amounts.to_list(), Decimal(0))


def _last_overall(feedback_metrics: pl.DataFrame) -> pl.DataFrame:
    overall = feedback_metrics.filter(pl.col("scope") == "all")
    return overall.filter(pl.col("session") == pl.col("session").max())


def _day(value: object) -> date | None:
    return value if isinstance(value, date) else None
