"""The book at the last snapshot is exact, names what it leaves out, and counts as unofficial."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from lake.tables.books import PORTFOLIO_HOLDINGS
from lake.tables.market import CORPORATE_ACTIONS
from pipeline.reading.results.snapshot_mark import mark_at_snapshot
from tests.nextgen_tui.lakes import rows

NAV = Decimal("100000.00")
AT = datetime(2022, 3, 2, 16, 30, tzinfo=UTC)
NO_ACTIONS = rows(CORPORATE_ACTIONS)


def held(ticker: str, shares: int, value: str, **given: Any) -> dict[str, Any]:
    """A position in the book's currency, unless it says otherwise."""
    own = {"currency": None, "rate": None, "rate_session": None}
    return {"ticker": ticker, "shares": shares, "market_value": Decimal(value)} | own | given


def bars(**closes: float) -> pl.DataFrame:
    """The newest bar of each ticker, and one before it that counts for nothing."""
    usual = {"interval": "5m"}
    newest = [usual | {"ticker": ticker, "ts": AT, "close": close} for ticker, close in closes.items()]
    before = [usual | {"ticker": ticker, "ts": AT.replace(minute=25), "close": 1.0} for ticker in closes]
    return pl.DataFrame([*before, *newest])


def test_positions_are_valued_at_their_newest_bars_to_the_cent() -> None:
    holdings = rows(PORTFOLIO_HOLDINGS, held("AAA", 3, "30.00"), held("BBB", 10, "50.00"))
    mark = mark_at_snapshot(NAV, holdings, bars(AAA=10.015, BBB=4.5), NO_ACTIONS)
    assert mark is not None
    assert (mark.at, mark.change, mark.value) == (AT, Decimal("-4.96"), Decimal("99995.04"))  # 30.045 is 30.04
    assert (mark.marked, mark.held, mark.left) == (2, 2, ())


def test_a_foreign_position_is_converted_at_the_rate_of_its_close() -> None:
    foreign = held("AAA", 100, "1250.00", currency="EUR", rate=Decimal("1.25"), rate_session=date(2022, 3, 1))
    mark = mark_at_snapshot(NAV, rows(PORTFOLIO_HOLDINGS, foreign), bars(AAA=11.0), NO_ACTIONS)
    assert mark is not None and mark.change == Decimal("125.00")


def test_what_has_no_bar_no_rate_or_a_split_of_the_day_stays_at_its_close_and_is_named() -> None:
    unrated = held("CCC", 1, "10.00", currency="EUR")
    positions = [held("AAA", 1, "10.00"), held("BBB", 1, "10.00"), unrated, held("DDD", 1, "10.00")]
    split = rows(CORPORATE_ACTIONS, {"ticker": "BBB", "kind": "split"})
    mark = mark_at_snapshot(NAV, rows(PORTFOLIO_HOLDINGS, *positions), bars(AAA=11.0, BBB=5.0, CCC=11.0), split)
    assert mark is not None
    assert (mark.change, mark.marked, mark.left) == (Decimal("1.00"), 1, ("BBB", "CCC", "DDD"))
    assert mark.sentence == "Unofficial until the close: 100,001.00 at the snapshot of 2022-03-02 16:30 UTC, +1.00."
    assert mark.scope == (
        "1 of 4 positions marked; at their last close stay BBB, CCC, DDD. What was ordered for this session's open is "
        "not in it yet."
    )


def test_without_a_bar_of_what_is_held_there_is_no_mark() -> None:
    assert mark_at_snapshot(NAV, rows(PORTFOLIO_HOLDINGS, held("AAA", 1, "10.00")), bars(BBB=1.0), NO_ACTIONS) is None
