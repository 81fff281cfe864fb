"""The operator's decisions: a veto keeps an order from its open, an approval lets it go, and the last one counts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from lake.tables.control import TRADE_DECISIONS
from pipeline.trading.params import Costs, TradingParams
from tests.frames.trading import CALENDAR, DAYS, World, bar

FUND, DAY1 = DAYS[:2]
EVENING = timedelta(hours=2)


def decide(decision: str, ticker: str = "AAA", **given: Any) -> dict[str, Any]:
    """Decided two hours after the close at which the order was planned."""
    return {
        "decision_id": f"{decision}-{ticker}-{given.get('decided_at', '')}",
        "plan_id": f"{FUND}:{ticker}",
        "for_session": DAY1,
        "ticker": ticker,
        "decision": decision,
        "reason": "earnings tomorrow",
        "decided_at": CALENDAR.close_at(FUND) + EVENING,
        "origin": "cli",
        **given,
    }


def world(*decisions: dict[str, Any], closes: tuple[float, ...] = (100.0,) * 6, **params: Any) -> World:
    """A hundred shares of AAA planned for DAY1's open at 100, and what was decided about it."""
    free = TradingParams(costs=Costs(half_spread=0.0, impact=0.0, commission_per_share=0, min_commission=0), **params)
    made = World(*(bar("AAA", day, close) for day, close in zip(DAYS, closes, strict=False)), params=free)
    made.order(FUND, "AAA", "buy", 100)
    if decisions:
        made.add(TRADE_DECISIONS, pl.DataFrame(list(decisions), schema=TRADE_DECISIONS.schema))
    return made


def trade(made: World) -> dict[str, Any]:
    return made.settle_to(DAY1).trade(f"{DAY1}:AAA:buy")


def test_a_vetoed_order_is_not_filled_and_says_why() -> None:
    found = trade(world(decide("veto")))
    assert (found["status"], found["shares"], found["ordered"]) == ("unfilled", 0, 100)
    assert found["reason"] == "vetoed: earnings tomorrow"


def test_an_approved_order_is_filled_as_without_a_decision() -> None:
    assert trade(world(decide("approve"))) == trade(world())


def test_the_last_decision_before_the_open_counts() -> None:
    later = CALENDAR.close_at(FUND) + 2 * EVENING
    assert trade(world(decide("veto"), decide("approve", decided_at=later)))["status"] == "filled"
    assert trade(world(decide("approve"), decide("veto", decided_at=later)))["status"] == "unfilled"


@pytest.mark.parametrize("late", [timedelta(), timedelta(hours=1)])
def test_a_decision_at_the_open_or_later_does_not_count(late: timedelta) -> None:
    assert trade(world(decide("veto", decided_at=CALENDAR.open_at(DAY1) + late)))["status"] == "filled"


def test_a_veto_of_another_plan_touches_nothing() -> None:
    assert trade(world(decide("veto", "BBB")))["status"] == "filled"


def test_where_approval_is_required_an_order_without_one_is_held() -> None:
    assert "nobody approved" in trade(world(approval="required"))["reason"]
    assert trade(world(decide("approve"), approval="required"))["status"] == "filled"
    assert trade(world(decide("veto"), approval="required"))["reason"].startswith("vetoed")


def test_a_stop_needs_no_approval_but_can_be_vetoed() -> None:
    for decisions, status in (
        ((), "filled"),
        ((decide("veto", plan_id=f"{DAY1}:AAA", for_session=DAYS[2]),), "unfilled"),
    ):
        made = world(decide("approve"), *decisions, approval="required")
        made.settle_to(DAY1)
        made.order(DAY1, "AAA", "sell", 100, intent="stop")
        assert made.settle_to(DAYS[2]).trade(f"{DAYS[2]}:AAA:sell")["status"] == status


def test_a_reason_of_any_length_fits_beside_the_order() -> None:
    assert len(trade(world(decide("veto", reason="x" * 1_000)))["reason"]) <= 300
