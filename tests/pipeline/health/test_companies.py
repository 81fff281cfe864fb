"""What is decided about who a ticker is, without being known, is told in words for some sessions."""

from __future__ import annotations

import polars as pl

from pipeline.health.companies import check_companies
from pipeline.health.params import HealthParams
from tests.frames import market
from tests.frames.trading import CALENDAR, DAYS, members

NOBODY = market.actions(calendar=CALENDAR)


def told(actions: pl.DataFrame, universe: pl.DataFrame, session: int = 15, sessions: int = 20) -> list[str]:
    at = market.moment(DAYS[session], calendar=CALENDAR)
    return [one.message for one in check_companies(actions, universe, at, HealthParams(doubt_sessions=sessions))]


def traded(*tickers: str) -> pl.DataFrame:
    return pl.concat([members(DAYS[n], *tickers) for n in range(16)])


def rename(old: str, new: str, day: int) -> pl.DataFrame:
    return market.actions(
        {"ticker": old, "ex_date": DAYS[day], "kind": "rename", "successor": new, "amount": None}, calendar=CALENDAR
    )


def test_nothing_is_told_where_nothing_is_in_doubt() -> None:
    assert told(NOBODY, traded("AAA")) == []
    assert told(rename("OLD", "NEW", 14), traded("AAA", "OLD")) == []


def test_a_rename_to_a_ticker_in_use_is_told_for_some_sessions() -> None:
    [message] = told(rename("TGT", "ACQ", 12), traded("TGT", "ACQ"))
    assert "TGT: renamed to ACQ, which was in use: taken for a merger into it" in message
    assert told(rename("TGT", "ACQ", 12), traded("TGT", "ACQ"), sessions=3) == []
    assert told(rename("TGT", "ACQ", 12), traded("TGT", "ACQ"), sessions=0) == []


def test_who_trades_after_a_long_gap_is_told_unless_an_end_was_known() -> None:
    before = members(DAYS[13], "REC", stale=130, history=40, reason="no bar for 130 sessions (at most 2)")
    after = members(DAYS[14], "REC", stale=0, history=1)
    [message] = told(NOBODY, pl.concat([before, after]))
    assert f"REC: another company is taken to trade since {DAYS[14]}, after 130 sessions without a bar" in message
    ended = before.with_columns(reason=pl.lit("delisted on 2020-01-02"))
    assert told(NOBODY, pl.concat([ended, after])) == []
