"""How well the operator's decisions did: what each trade would have earned over the decision horizon."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from lake.tables.control import TRADE_DECISIONS
from lake.tables.market import MARKET_PRICES
from pipeline.trading.review import decision_scores
from tests.frames import market
from tests.frames.trading import CALENDAR, DAYS, SETTLE, World, bars_at, delisting, dividend, split
from tests.pipeline.trading.planning.test_operator_decisions import DAY1, EVENING, decide
from tests.pipeline.trading.planning.test_operator_decisions import world as decided

END = DAYS[5]
"""The close five sessions after the decision, which is the fifth session held."""
RISE = (100.0, 100.0, 101.0, 102.0, 103.0, 110.0)
FALL = (100.0, 100.0, 99.0, 98.0, 97.0, 90.0)


def world(*decisions: dict[str, Any], **values: Any) -> World:
    made = decided(*decisions, **values)
    made.settling = SETTLE
    return made


def score(made: World, session: date = END) -> dict[str, Any]:
    """The one row for a session; the plan's expected cost is 0.1 % of the order's 10,000."""
    return made.settle_to(session).rows("decision_scores").row(0, named=True)


@pytest.mark.parametrize(
    ("decision", "closes", "earned", "verdict"),
    [
        ("veto", RISE, "-990.00", "hurt"),
        pytest.param("veto", FALL, "1010.00", "helped", marks=pytest.mark.slow),
        pytest.param("approve", RISE, "990.00", "helped", marks=pytest.mark.slow),
        ("approve", FALL, "-1010.00", "hurt"),
    ],
)
def test_a_decision_is_scored_by_what_the_trade_would_have_earned(
    decision: str, closes: tuple[float, ...], earned: str, verdict: str
) -> None:
    found = score(world(decide(decision), closes=closes))
    assert (found["decision_gain"], found["verdict"]) == (Decimal(earned), verdict)
    assert found["total_return"] == pytest.approx(closes[-1] / 100 - 1)
    assert found["whole_cost"] == Decimal("10.00")
    assert found["session"] == END


def test_a_decision_is_scored_once_when_its_horizon_ends_and_nobody_else_is() -> None:
    made = world(decide("veto"), closes=(*RISE, 120.0, 130.0))
    assert made.settle_to(DAYS[4]).rows("decision_scores").is_empty()
    made.settle_to(DAYS[7])
    assert made.rows("decision_scores")["session"].to_list() == [END]
    assert world().settle_to(END).rows("decision_scores").is_empty()


def test_a_vetoed_sale_is_judged_by_the_fall_it_did_not_spare() -> None:
    made = world(closes=(100.0, *FALL))
    made.settle_to(DAY1)
    made.order(DAY1, "AAA", "sell", 100)
    evening = CALENDAR.close_at(DAY1) + EVENING
    veto = decide("veto", plan_id=f"{DAY1}:AAA", for_session=DAYS[2], decided_at=evening)
    made.add(TRADE_DECISIONS, pl.DataFrame([veto], schema=TRADE_DECISIONS.schema))
    found = score(made, DAYS[6])
    # The fall of 1,000 would have been spared, for half a round trip's cost of 10.
    assert (found["side"], found["whole_gain"], found["decision_gain"]) == ("sell", Decimal(995), Decimal(-995))
    assert found["verdict"] == "hurt"


def test_dividends_splits_and_a_delisting_count_as_a_holder_would_have_had_them() -> None:
    made = world(decide("veto"), closes=(100.0, 100.0, 50.0, 50.0, 49.0, 49.0))
    made.act(split("AAA", DAYS[2], 2, 1), dividend("AAA", DAYS[4], 1.0))
    assert score(made)["total_return"] == pytest.approx(0.0)
    gone = world(decide("veto"), closes=(100.0, 100.0, 90.0))
    gone.act(delisting("AAA", DAYS[3], 45.0))
    assert score(gone)["total_return"] == pytest.approx(-0.55)


def test_what_never_opened_is_not_judged() -> None:
    made = world(decide("veto"))
    made.tables["market_prices"] = made.tables["market_prices"].filter(pl.col("session") != DAY1)
    assert made.settle_to(END).rows("decision_scores").is_empty()


def test_nothing_after_the_horizon_changes_the_judgement() -> None:
    short = score(world(decide("veto"), closes=RISE))
    longer = world(decide("veto"), closes=(*RISE, 500.0))
    longer.act(split("AAA", DAYS[6], 3, 1))
    assert longer.settle_to(END).compute(decision_scores.STAGE, END).row(0, named=True) == short


def test_a_trade_is_measured_by_its_company_under_the_name_it_has_at_the_end() -> None:
    made = world(decide("veto"), closes=RISE[:3])
    made.add(MARKET_PRICES, market.prices(*bars_at("NEW", *RISE[3:], start=3), calendar=CALENDAR))
    made.act({"ticker": "AAA", "ex_date": DAYS[3], "kind": "rename", "successor": "NEW", "amount": None})
    found = score(made)
    assert found["ticker"] == "AAA"
    assert found["total_return"] == pytest.approx(0.10)


def test_a_trade_is_not_measured_by_another_company_that_got_the_ticker() -> None:
    made = world(decide("veto"), closes=RISE[:3])
    made.add(MARKET_PRICES, market.prices(*bars_at("AAA", 300.0, start=5), calendar=CALENDAR))
    made.act(delisting("AAA", DAYS[3], 50.0))
    assert score(made)["total_return"] == pytest.approx(-0.5)
