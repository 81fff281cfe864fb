"""Plans with short positions: what falls is sold short within limits, where it is lent, and bought back in time."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from pipeline.trading.mandates.mandate import Mandate
from pipeline.trading.params import TradingParams
from pipeline.trading.philosophy.params import RULE_NAMES, SHORT_RULES
from pipeline.trading.shorts.params import Shorts, read_locate
from tests.frames.trading import DAYS, World, assert_reconciled, bar
from tests.pipeline.trading.planning.test_book_plan import NAMES, NEXT, THIRD, planned, predict, verdict, world

LENT = Shorts(allowed=True, borrow=("*=0.01",), max_name=0.06, max_total=0.3)
FALLING = {name: 0.12 - 0.06 * number for number, name in enumerate(NAMES)}
ABSOLUTE = Mandate(mode="absolute", benchmark="cash", total_risk=1.0, market_premium=0.0, risk_aversion=5.0)


def absolute(shorts: Shorts = LENT, **values: Any) -> World:
    """A book that is measured against cash, so that what falls is worth selling short."""
    return world(mandate=ABSOLUTE, shorts=shorts, **values)


def test_what_is_expected_to_fall_is_sold_short_within_the_limit_of_a_name() -> None:
    given = absolute()
    predict(given, FALLING)
    rows = planned(given)
    assert (rows["AAA"]["side"], rows["AAA"]["intent"]) == ("buy", "enter")
    assert (rows["FFF"]["side"], rows["FFF"]["intent"], rows["FFF"]["taken"]) == ("sell", "short", True)
    assert -0.06 - 1e-6 <= rows["FFF"]["target_weight"] < -0.05
    assert rows["FFF"]["stop"] > rows["FFF"]["close"]
    assert verdict(rows["FFF"], "short_limits")["verdict"] in ("scale", "allow")
    given.settle(NEXT)
    assert given.holding(NEXT, "FFF")["shares"] == -rows["FFF"]["shares"]
    assert_reconciled(given)


def test_a_name_that_nobody_lends_is_refused_by_the_rule_in_words() -> None:
    given = absolute(replace(LENT, borrow=("EEE=0.01",)))
    predict(given, FALLING)
    row = planned(given)["FFF"]
    assert (row["taken"], row["blocked_by"]) == (False, "borrow")
    assert verdict(row, "borrow")["reason"] == "nobody lends FFF: trading.shorts.borrow does not name it"


def test_what_is_lent_bounds_what_is_sold_short() -> None:
    given = absolute(replace(LENT, borrow=("*=0.01", "FFF=0.01 shares 70")))
    predict(given, FALLING)
    assert 60 <= planned(given)["FFF"]["shares"] <= 70


def test_dear_borrowing_is_weighed_against_what_is_expected() -> None:
    weights = []
    for rate in (0.0, 9.0):
        given = absolute(replace(LENT, borrow=(f"*={rate}",)))
        predict(given, FALLING)
        weights.append(planned(given)["FFF"]["target_weight"])
    assert weights[0] < -0.01 and weights[1] == 0.0


def test_what_the_lender_wants_back_is_bought_back_whatever_is_expected() -> None:
    given = absolute(replace(LENT, borrow=(f"*=0.01 until {THIRD}",)))
    predict(given, FALLING)
    planned(given)
    given.settle(NEXT)
    predict(given, FALLING, NEXT)
    row = planned(given, NEXT)["FFF"]
    assert (row["side"], row["intent"], row["taken"]) == ("buy", "cover", True)
    assert row["shares"] == -given.holding(NEXT, "FFF")["shares"]
    given.settle(THIRD)
    assert given.rows("portfolio_holdings").filter(pl.col("shares") < 0, session=THIRD).is_empty()
    assert_reconciled(given)


def test_a_short_position_above_its_stop_is_bought_back() -> None:
    given = absolute()
    predict(given, FALLING)
    planned(given)
    given.settle(NEXT)
    held = given.rows("portfolio_holdings")
    dear = pl.when(pl.col("shares") < 0).then(pl.col("cost") / 2).otherwise("cost").cast(held.schema["cost"])
    given.tables["portfolio_holdings"] = held.with_columns(cost=dear)
    given.tables["trade_plans"] = given.rows("trade_plans").with_columns(stop=pl.lit(None, dtype=pl.Float64))
    predict(given, FALLING, NEXT)
    row = planned(given, NEXT)["FFF"]
    assert (row["side"], row["intent"], row["blocked_by"]) == ("buy", "stop", None)
    assert "is over the stop" in verdict(row, "cutting_losses")["reason"]


def test_a_view_that_turns_leads_from_one_side_to_the_other() -> None:
    given = absolute()
    predict(given, FALLING)
    planned(given)
    given.settle(NEXT)
    predict(given, {name: -point for name, point in FALLING.items()}, NEXT)
    rows = planned(given, NEXT)
    assert (rows["FFF"]["side"], rows["FFF"]["intent"]) == ("buy", "enter")
    assert (rows["AAA"]["side"], rows["AAA"]["intent"]) == ("sell", "short")
    assert rows["FFF"]["stop"] < rows["FFF"]["close"]
    given.settle(THIRD)
    assert given.holding(THIRD, "AAA")["shares"] < 0 < given.holding(THIRD, "FFF")["shares"]
    assert_reconciled(given)


def test_long_and_short_together_stay_within_the_gross_limit() -> None:
    given = absolute(replace(LENT, max_gross=0.3))
    predict(given, FALLING)
    weights = [row["target_weight"] for row in planned(given).values()]
    assert sum(map(abs, weights)) <= 0.3 + 1e-6
    assert min(weights) < 0 < max(weights)


def test_a_relative_book_goes_short_beyond_the_benchmark_and_stays_invested() -> None:
    mandate = Mandate(active_risk=0.9, risk_aversion=1.0)
    given = world(shorts=LENT, mandate=mandate)
    predict(given, FALLING)
    rows = planned(given)
    assert rows["FFF"]["target_weight"] < 0
    assert 0.89 <= sum(row["target_weight"] for row in rows.values()) <= 0.99


def test_without_short_sales_their_rules_do_not_speak_and_nothing_is_sold_short() -> None:
    given = world(mandate=ABSOLUTE)
    predict(given, FALLING)
    rows = planned(given)
    assert min(row["target_weight"] for row in rows.values()) >= 0
    assert [one["rule"] for one in rows["AAA"]["verdicts"]] == [one for one in RULE_NAMES if one not in SHORT_RULES]


def test_shorts_that_are_allowed_no_more_are_bought_back() -> None:
    given = absolute()
    predict(given, FALLING)
    planned(given)
    given.settle(NEXT)
    given.params = replace(given.params, shorts=Shorts())
    predict(given, FALLING, NEXT)
    row = planned(given, NEXT)["FFF"]
    assert (row["side"], row["intent"]) == ("buy", "cover")
    given.settle(THIRD)
    assert (given.rows("portfolio_holdings").filter(session=THIRD)["shares"] > 0).all()
    assert_reconciled(given)


def test_a_closed_short_position_is_judged_by_what_it_gained() -> None:
    from pipeline.trading.review import reflect

    bars = [bar("AAA", day, price) for day, price in zip(DAYS, (100.0, 100.0, 80.0, 80.0), strict=False)]
    given = World(*bars, params=TradingParams(planning=2, shorts=Shorts(allowed=True, borrow=("*=0.365",))))
    told = {"expected_return": -0.03, "low_80": -0.06, "high_80": 0.0}
    given.order(DAYS[0], "AAA", "sell", 100, intent="short", **told)
    given.order(DAYS[2], "AAA", "buy", 100, intent="cover")
    given.settle(*DAYS[:4])
    row = given.compute(reflect.STAGE, DAYS[3]).row(0, named=True)
    assert (row["shares"], row["intent"], row["opened"]) == (100, "cover", DAYS[1])
    assert row["gross_return"] == pytest.approx(0.2) and row["surprise"] > 0
    assert row["verdict"] == "forecast wrong" and row["expected_gain"] > 0
    borrowed = sum(given.rows("financing")["amount"])
    assert row["profit"] == Decimal("2000.00") - row["cost"] and row["cost"] > -borrowed > 0


@pytest.mark.parametrize(
    "text", ["GME", "GME=", "=0.1", "GME=cheap", "GME=0.1 shares many", "GME=0.1 until soon", "GME=35"]
)
def test_a_locate_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"NAME=RATE|a rate is a fraction"):
        read_locate(text)


def test_settings_of_shorts_that_contradict_each_other_are_refused_in_words() -> None:
    wrong = [*Shorts(allowed=True, max_name=0.5, borrow=("GME=0.1", "GME=0.2")).contradictions()]
    assert len(wrong) == 2 and "borrow gives GME 2 times" in wrong[1]
    assert "which knows no short positions" in next(TradingParams(planning=1, shorts=LENT).contradictions())
