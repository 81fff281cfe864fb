"""The demo's summary says what the frames say, and nothing more."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from lake.tables.books import LEDGER_ENTRIES, PORTFOLIO_VALUE
from lake.tables.feedback import FEEDBACK_METRICS
from lake.tables.market import MARKET_PRICES, QUARANTINED_ROWS
from lake.tables.news import NEWS_ARTICLES
from pipeline.reading.results import summary
from tests.nextgen_tui.lakes import SESSION, bars, rows


def test_bars_restatements_and_quarantined_rows_are_counted_apart() -> None:
    made = bars("ACME", [1.0, 2.0, 3.0])
    facts = summary.data_facts(
        rows(MARKET_PRICES, *made, {**made[-1], "revision": 1}),
        rows(NEWS_ARTICLES, {}, {}),
        rows(QUARANTINED_ROWS, {"rule": "b"}, {"rule": "a"}, {"rule": "a"}),
    )
    assert (facts.bars, facts.restated, facts.articles, facts.tickers) == (3, 1, 2, 1)
    assert facts.quarantined == (("a", 2), ("b", 1))
    assert facts.last == SESSION


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.01, 0.05, "better than naive"),
        (-0.01, 0.05, "no skill shown"),
        (0.0, 0.05, "no skill shown"),
        (-0.05, -0.01, "worse than naive"),
        (None, None, "too few to say"),
    ],
)
def test_skill_is_claimed_only_where_the_interval_leaves_out_the_naive_forecast(
    low: float | None, high: float | None, expected: str
) -> None:
    metric = {
        "scope": "all",
        "slice": "all",
        "horizon": 5,
        "metric": "ic",
        "value": 0.02,
        "low": low,
        "high": high,
        "baseline": 0.0,
        "n": 100,
    }
    (one,) = summary.skill_facts(rows(FEEDBACK_METRICS, metric))
    assert one.finding == expected


def test_only_the_last_overall_measurement_counts() -> None:
    metric = {"scope": "all", "slice": "all", "horizon": 1, "metric": "coverage_80", "value": 0.7, "n": 10}
    frame = rows(
        FEEDBACK_METRICS,
        {**metric, "session": date(2022, 2, 1), "value": 0.1},
        {**metric, "scope": "sector", "slice": "Energy", "value": 0.2},
        {**metric, "verdict": "too narrow"},
    )
    (one,) = summary.coverage_facts(frame)
    assert (one.stated, one.measured, one.verdict) == (0.8, 0.7, "too narrow")


def value_row(session: date, nav: str, **given: object) -> dict[str, object]:
    return {
        "session": session,
        "capital": Decimal("100.00"),
        "nav": Decimal(nav),
        "cash": Decimal(nav),
        "equal_weight": 110.0,
        "benchmark": None,
        **given,
    }


def leg(event: str, account: str, amount: str) -> dict[str, object]:
    return {"entry_id": f"{event}/{account}", "event_id": event, "account": account, "amount": Decimal(amount)}


def test_the_ledger_is_added_up_to_the_cent() -> None:
    entries = rows(
        LEDGER_ENTRIES,
        leg("fund", "cash", "100.00"),
        leg("fund", "capital", "-100.00"),
        leg("buy", "cash", "-30.10"),
        leg("buy", "positions", "30.10"),
    )
    book = rows(PORTFOLIO_VALUE, value_row(SESSION, "69.90"))
    facts = summary.ledger_facts(entries, book)
    assert facts.balances
    assert "balances to the cent: 4 entries in 2 events, cash 69.90" in facts.sentence


@pytest.mark.parametrize(
    ("amount", "cash", "unexplained"),
    [("30.11", "69.90", "0.00"), ("30.10", "69.91", "0.00"), ("30.10", "69.90", "-0.01")],
)
def test_one_cent_off_anywhere_is_said_aloud(amount: str, cash: str, unexplained: str) -> None:
    entries = rows(
        LEDGER_ENTRIES,
        leg("fund", "cash", "100.00"),
        leg("fund", "capital", "-100.00"),
        leg("buy", "cash", "-30.10"),
        leg("buy", "positions", amount),
    )
    book = rows(PORTFOLIO_VALUE, value_row(SESSION, cash, unexplained=Decimal(unexplained)))
    facts = summary.ledger_facts(entries, book)
    assert not facts.balances
    assert "does NOT balance" in facts.sentence
