"""Reflections: profit to the cent, the forecast at entry beside it, and an honest verdict."""

from decimal import Decimal
from functools import cache

import pytest

from lake.tables.market import MARKET_PRICES
from pipeline.trading.params import Costs, TradingParams
from tests.frames import market
from tests.frames.trading import CALENDAR, DAYS, SETTLE, World, bar, delisting, dividend, free, split

FUND, DAY1, DAY2, DAY3, DAY4, DAY5, DAY6 = DAYS[:7]
FORECAST = {"expected_return": 0.02, "low_80": -0.04, "high_80": 0.08, "prediction_id": "p" * 16}


def sold_at(price: float, params: TradingParams | None = None, **plan: object) -> dict[str, object]:
    """Bought 100 at 100 on DAY1, sold after five sessions at the given open."""
    world = held_to_day5(params or free(), tuple((FORECAST | plan).items())).copy()
    world.add(MARKET_PRICES, market.prices(bar("AAA", DAY6, price), calendar=CALENDAR))
    world.settle(DAY6)
    return world.rows("trade_reflections").row(0, named=True)


@cache
def held_to_day5(params: TradingParams, plan: tuple[tuple[str, object], ...]) -> World:
    world = World(*[bar("AAA", day, 100.0) for day in DAYS[:6]], params=params, settling=SETTLE)
    world.order(FUND, "AAA", "buy", 100, **dict(plan))
    world.order(DAY5, "AAA", "sell", 100, intent="expire")
    return world.settle_to(DAY5)


@pytest.mark.parametrize(
    ("price", "verdict"),
    [
        (102.0, "as expected"),
        (106.0, "good luck"),
        (98.5, "bad luck"),
        (95.0, "forecast wrong"),
        (109.0, "forecast wrong"),
    ],
)
def test_the_verdict_says_where_in_the_forecasts_band_the_outcome_fell(price: float, verdict: str) -> None:
    row = sold_at(price)
    assert row["verdict"] == verdict
    assert row["gross_return"] == pytest.approx(price / 100 - 1)
    assert row["surprise"] == pytest.approx((price / 100 - 1 - 0.02) / (0.12 / 2.5631))
    assert (row["entry_plan_id"], row["prediction_id"], row["intent"]) == (f"{FUND}:AAA", "p" * 16, "expire")
    assert row["held_sessions"] == 5


def test_a_gain_that_costs_ate_is_blamed_on_the_costs() -> None:
    row = sold_at(100.3, TradingParams(costs=Costs(min_commission=40.0)))
    assert row["verdict"] == "cost"
    assert row["gross_return"] > 0 > row["realised_return"]


def test_without_a_forecast_on_record_there_is_nothing_to_judge() -> None:
    row = sold_at(100.0, expected_return=None, low_80=None, high_80=None, prediction_id=None)
    assert (row["verdict"], row["surprise"], row["expected_return"]) == ("unforecast", None, None)


def test_profit_is_the_change_of_the_books_worth_to_the_cent() -> None:
    world = World(
        *[bar("AAA", day, 100.0 + n) for n, day in enumerate(DAYS[:7])], params=TradingParams(), settling=SETTLE
    )
    world.act(dividend("AAA", DAY3, 0.37))
    world.order(FUND, "AAA", "buy", 333)
    world.order(DAY1, "AAA", "buy", 167, intent="add")
    world.order(DAY3, "AAA", "sell", 100, intent="reduce")
    world.order(DAY5, "AAA", "sell", 400, intent="exit")
    world.settle_to(DAY6)
    rows = world.rows("trade_reflections")
    assert rows["profit"].sum() == world.value(DAY6)["nav"] - Decimal("1000000.00")
    last = world.value(DAY6)
    assert rows["cost"].sum() == last["commission"] + last["spread_cost"] + last["impact_cost"]
    assert rows["shares"].to_list() == [100, 400]


def test_a_forecast_is_scaled_to_the_span_it_was_held() -> None:
    world = World(
        *[bar("AAA", day, 100.0 if day < DAY2 else 100.4) for day in DAYS[:4]], params=free(), settling=SETTLE
    )
    world.order(FUND, "AAA", "buy", 100, **FORECAST)
    world.order(DAY1, "AAA", "sell", 100)
    world.settle_to(DAY2)
    assert world.rows("trade_reflections")["surprise"].item() == pytest.approx(0.0, abs=1e-12)  # one session of five


@pytest.mark.parametrize(
    ("price", "parts"),
    [
        # Bought at 100, 2 % of 10,000 was expected; 80 % of the time between -4 and +8 %, so -6 to +6 % beside it.
        (103.0, (200.0, 300.0, -200.0, 0.0)),
        (110.0, (200.0, 1_000.0, -200.0, 0.0)),
    ],
)
def test_a_profit_is_told_by_expectation_timing_luck_and_error(price: float, parts: tuple[float, ...]) -> None:
    row = sold_at(price)  # decided at 100: what the open was better is timing
    assert tuple(float(row[f"{name}_gain"]) for name in ("expected", "timing", "luck", "error")) == parts
    assert row["profit"] == sum(row[f"{name}_gain"] for name in ("expected", "timing", "luck", "error")) - row["cost"]


def test_what_lies_beyond_the_interval_is_the_forecasts_error_and_costs_are_apart() -> None:
    prices = [100.0, 100.0, 100.0, 100.0, 100.0, 120.0, 120.0]
    world = World(*[bar("AAA", day, price) for day, price in zip(DAYS, prices, strict=False)], settling=SETTLE)
    world.order(FUND, "AAA", "buy", 100, **FORECAST)
    world.order(DAY5, "AAA", "sell", 100, close=120.0)
    row = world.settle_to(DAY6).rows("trade_reflections").row(0, named=True)
    told = {name: float(row[f"{name}_gain"]) for name in ("expected", "timing", "luck", "error")}
    assert told == {"expected": 200.0, "timing": 0.0, "luck": 600.0, "error": 1_200.0}
    assert row["cost"] == 2_000 - row["profit"] > 0


def test_timing_is_not_told_across_a_split_and_all_is_luck_without_a_forecast() -> None:
    world = World(*[bar("AAA", day, 100.0 if day < DAY2 else 51.0) for day in DAYS[:4]], params=free(), settling=SETTLE)
    world.act(split("AAA", DAY2, 2, 1))
    world.order(FUND, "AAA", "buy", 100)
    world.order(DAY1, "AAA", "sell", 100)
    row = world.settle_to(DAY2).rows("trade_reflections").row(0, named=True)
    assert [float(row[f"{name}_gain"]) for name in ("expected", "timing", "luck", "error")] == [0.0, 0.0, 200.0, 0.0]


def test_a_split_while_held_changes_no_return() -> None:
    world = World(*[bar("AAA", day, 100.0 if day < DAY2 else 51.0) for day in DAYS[:4]], params=free(), settling=SETTLE)
    world.act(split("AAA", DAY2, 2, 1))
    world.order(FUND, "AAA", "buy", 100, **FORECAST)
    world.order(DAY2, "AAA", "sell", 200)
    world.settle_to(DAY3)
    assert world.rows("trade_reflections").select("shares", "gross_return").row(0) == (200, pytest.approx(0.02))


def test_a_delisting_is_learned_from_like_a_sale() -> None:
    world = World(bar("AAA", FUND), bar("AAA", DAY1), params=free(), settling=SETTLE)
    world.act(delisting("AAA", DAY2, 0.0))
    world.order(FUND, "AAA", "buy", 100, **FORECAST)
    row = world.settle_to(DAY2).rows("trade_reflections").row(0, named=True)
    assert (row["intent"], row["verdict"], row["profit"]) == ("delisting", "forecast wrong", Decimal("-10000.00"))
