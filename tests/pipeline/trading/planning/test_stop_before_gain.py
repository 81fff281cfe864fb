"""A8 of the accounting cases: a bar that touches both a stop and a gain is never read the lucky way round."""

from __future__ import annotations

import polars as pl
import pytest

from tests.frames.trading import DAYS, World
from tests.pipeline.trading.planning.test_plan import NEXT, START, holder, planned, predict


def with_range(given: World, low: float, high: float) -> World:
    """The session's bar of AAA reaches that far down and up."""
    at = (pl.col("ticker") == "AAA") & (pl.col("session") == NEXT)
    given.tables["market_prices"] = given.rows("market_prices").with_columns(
        low=pl.when(at).then(low).otherwise("low"), high=pl.when(at).then(high).otherwise("high")
    )
    return given


@pytest.mark.parametrize("point", [0.10, -0.05])
def test_a8_where_a_stop_and_a_reason_to_hold_or_leave_meet_the_stop_comes_first(point: float) -> None:
    given = with_range(holder(94.0, stop=95.0), 80.0, 130.0)
    predict(given, {"point": point}, session=NEXT)
    row = planned(given, session=NEXT)
    assert (row["intent"], row["shares"], row["taken"]) == ("stop", 400, True)
    assert given.settle(DAYS[START + 2]).trade(f"{DAYS[START + 2]}:AAA:sell")["open_price"] == 94


def test_a8_a_bar_that_only_reached_both_within_the_session_sells_at_neither() -> None:
    given = with_range(holder(100.0, stop=95.0), 80.0, 130.0)
    predict(given, {"point": 0.10}, session=NEXT)
    row = planned(given, session=NEXT)
    assert row["intent"] in ("keep", "add")
    assert row["stop"] == 95.0  # a high that did not last raises no stop either
