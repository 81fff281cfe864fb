"""The operator's word: a veto keeps an order from its open, an approval lets it go, and both are judged later."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from lake.tables.control import TRADE_DECISIONS
from pipeline.trading.params import Costs, TradingParams
from pipeline.trading.review import decision_scores
from tests.frames.trading import CALENDAR, DAYS, World, bar, delisting, dividend, split

FUND, DAY1 = DAYS[:2]
END = DAYS[5]
"""The close five sessions after the decision, which is the fifth session held."""
EVENING = timedelta(hours=2)


def word(decision: str, ticker: str = "AAA", **given: Any) -> dict[str, Any]:
    """Said two hours after the close at which the order was planned."""
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


def world(*words: dict[str, Any], closes: tuple[float, ...] = (100.0,) * 6, **params: Any) -> World:
    """A hundred shares of AAA planned for DAY1's open at 100, and what was said of it."""
    free = TradingParams(costs=Costs(half_spread=0.0, impact=0.0, commission_per_share=0, min_commission=0), **params)
    made = World(*(bar("AAA", day, close) for day, close in zip(DAYS, closes, strict=False)), params=free)
    made.order(FUND, "AAA", "buy", 100)
    if words:
        made.add(TRADE_DECISIONS, pl.DataFrame(list(words), schema=TRADE_DECISIONS.schema))
    return made


def trade(made: World) -> dict[str, Any]:
    return made.settle_to(DAY1).trade(f"{DAY1}:AAA:buy")


def test_a_vetoed_order_is_not_filled_and_says_why() -> None:
    found = trade(world(word("veto")))
    assert (found["status"], found["shares"], found["ordered"]) == ("unfilled", 0, 100)
    assert found["reason"] == "vetoed: earnings tomorrow"


def test_an_approved_order_is_filled_as_one_nobody_spoke_of() -> None:
    assert trade(world(word("approve"))) == trade(world())


def test_the_last_word_before_the_open_counts() -> None:
    later = CALENDAR.close_at(FUND) + 2 * EVENING
    assert trade(world(word("veto"), word("approve", decided_at=later)))["status"] == "filled"
    assert trade(world(word("approve"), word("veto", decided_at=later)))["status"] == "unfilled"


@pytest.mark.parametrize("late", [timedelta(), timedelta(hours=1)])
def test_a_word_said_at_the_open_or_later_does_not_count(late: timedelta) -> None:
    assert trade(world(word("veto", decided_at=CALENDAR.open_at(DAY1) + late)))["status"] == "filled"


def test_a_veto_of_another_plan_touches_nothing() -> None:
    assert trade(world(word("veto", "BBB")))["status"] == "filled"


def test_where_approval_is_required_an_order_without_one_is_held() -> None:
    assert "nobody approved" in trade(world(approval="required"))["reason"]
    assert trade(world(word("approve"), approval="required"))["status"] == "filled"
    assert trade(world(word("veto"), approval="required"))["reason"].startswith("vetoed")


def test_a_stop_needs_no_approval_but_can_be_vetoed() -> None:
    for said, status in (((), "filled"), ((word("veto", plan_id=f"{DAY1}:AAA", for_session=DAYS[2]),), "unfilled")):
        made = world(word("approve"), *said, approval="required")
        made.settle_to(DAY1)
        made.order(DAY1, "AAA", "sell", 100, intent="stop")
        assert made.settle_to(DAYS[2]).trade(f"{DAYS[2]}:AAA:sell")["status"] == status


def test_a_reason_of_any_length_fits_beside_the_order() -> None:
    assert len(trade(world(word("veto", reason="x" * 1_000)))["reason"]) <= 300


# ---- judged


RISE = (100.0, 100.0, 101.0, 102.0, 103.0, 110.0)
FALL = (100.0, 100.0, 99.0, 98.0, 97.0, 90.0)


def score(made: World, session: date = END) -> dict[str, Any]:
    """The one row for a session; the plan's expected cost is 0.1 % of the order's 10,000."""
    return made.settle_to(session).rows("decision_scores").row(0, named=True)


@pytest.mark.parametrize(
    ("decision", "closes", "earned", "verdict"),
    [
        ("veto", RISE, "-990.00", "hurt"),
        ("veto", FALL, "1010.00", "helped"),
        ("approve", RISE, "990.00", "helped"),
        ("approve", FALL, "-1010.00", "hurt"),
    ],
)
def test_a_word_is_judged_by_what_the_trade_would_have_earned(
    decision: str, closes: tuple[float, ...], earned: str, verdict: str
) -> None:
    found = score(world(word(decision), closes=closes))
    assert (found["decision_gain"], found["verdict"]) == (Decimal(earned), verdict)
    assert found["total_return"] == pytest.approx(closes[-1] / 100 - 1)
    assert found["whole_cost"] == Decimal("10.00")
    assert found["session"] == END


def test_a_word_is_judged_once_when_its_horizon_ends_and_nobody_else_is() -> None:
    made = world(word("veto"), closes=(*RISE, 120.0, 130.0))
    assert made.settle_to(DAYS[4]).rows("decision_scores").is_empty()
    made.settle_to(DAYS[7])
    assert made.rows("decision_scores")["session"].to_list() == [END]
    assert world().settle_to(END).rows("decision_scores").is_empty()


def test_a_vetoed_sale_is_judged_by_the_fall_it_did_not_spare() -> None:
    made = world(closes=(100.0, *FALL))
    made.settle_to(DAY1)
    made.order(DAY1, "AAA", "sell", 100)
    evening = CALENDAR.close_at(DAY1) + EVENING
    said = word("veto", plan_id=f"{DAY1}:AAA", for_session=DAYS[2], decided_at=evening)
    made.add(TRADE_DECISIONS, pl.DataFrame([said], schema=TRADE_DECISIONS.schema))
    found = score(made, DAYS[6])
    # The fall of 1,000 would have been spared, for half a round trip's cost of 10.
    assert (found["side"], found["whole_gain"], found["decision_gain"]) == ("sell", Decimal(995), Decimal(-995))
    assert found["verdict"] == "hurt"


def test_dividends_splits_and_a_delisting_count_as_a_holder_would_have_had_them() -> None:
    made = world(word("veto"), closes=(100.0, 100.0, 50.0, 50.0, 49.0, 49.0))
    made.act(split("AAA", DAYS[2], 2, 1), dividend("AAA", DAYS[4], 1.0))
    assert score(made)["total_return"] == pytest.approx(0.0)
    gone = world(word("veto"), closes=(100.0, 100.0, 90.0))
    gone.act(delisting("AAA", DAYS[3], 45.0))
    assert score(gone)["total_return"] == pytest.approx(-0.55)


def test_what_never_opened_is_not_judged() -> None:
    made = world(word("veto"))
    made.tables["market_prices"] = made.tables["market_prices"].filter(pl.col("session") != DAY1)
    assert made.settle_to(END).rows("decision_scores").is_empty()


def test_nothing_after_the_horizon_changes_the_judgement() -> None:
    short = score(world(word("veto"), closes=RISE))
    longer = world(word("veto"), closes=(*RISE, 500.0))
    longer.act(split("AAA", DAYS[6], 3, 1))
    assert longer.settle_to(END).compute(decision_scores.STAGE, END).row(0, named=True) == short
