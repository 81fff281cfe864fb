"""Nothing acts on a price that nobody explains yet, and the hold ends with the action or with time."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from lake.tables.market import FX_RATES, INSTRUMENTS, MARKET_PRICES, QUARANTINED_ROWS, TICKER_UNIVERSE
from lake.tables.predictions import PREDICTIONS
from pipeline.config.recorded import from_record
from pipeline.ingestion.prices.jumps import SUSPENDED
from pipeline.trading.params import Rules, TradingParams
from pipeline.trading.planning.holds import find_doubts
from tests.frames import market
from tests.frames.trading import CALENDAR, DAYS, World, bar, forecasts, free, members, split

START = 30
FUND, BOUGHT, HALVED, ONE, TWO, THREE = DAYS[START : START + 6]
RULE = "unexplained_price"


def history(ticker: str = "AAA") -> list[dict[str, Any]]:
    """Closes that move by about one per cent a session around 100."""
    return [bar(ticker, day, 100.0 + (number * 3 % 5 - 2) * 0.6) for number, day in enumerate(DAYS[: START + 1])]


def holder(*closes: float, **rules: Any) -> World:
    """A book that bought 400 at the open of BOUGHT, and the closes from HALVED on."""
    given = World(*history(), bar("AAA", BOUGHT), params=free(rules=Rules(**rules)))
    given.add(TICKER_UNIVERSE, pl.concat([members(day, "AAA") for day in DAYS[START : START + 9]]))
    given.order(FUND, "AAA", "buy", 400, stop=95.0)
    for day, close in zip(DAYS[START + 2 :], closes, strict=False):
        given.add(MARKET_PRICES, market.prices(bar("AAA", day, close), calendar=CALENDAR))
    return given.settle(FUND, BOUGHT)


def planned(given: World, session: Any) -> dict[str, Any]:
    return given.look_ahead(session).row(0, named=True)


def told(row: dict[str, Any]) -> str:
    return next(str(one["reason"]) for one in row["verdicts"] if one["rule"] == RULE)


def test_a_stop_does_not_act_on_a_halved_price_until_its_split_is_learned_and_not_afterwards() -> None:
    given = holder(50.0, 50.2, 50.1)
    given.act(split("AAA", HALVED, 2, 1, available_at=CALENDAR.open_at(TWO)))
    for day in (HALVED, ONE):
        row = planned(given.settle(day), day)
        assert (row["intent"], row["taken"], row["blocked_by"]) == ("stop", False, RULE)
    assert f"since {HALVED}" in told(row)
    assert "near a split of 2:1" in told(row)
    row = planned(given.settle(TWO), TWO)
    assert (row["intent"], row["blocked_by"], row["stop"]) == ("keep", None, 47.5)
    held = given.holding(TWO, "AAA")
    assert (held["shares"], held["market_value"]) == (800, Decimal("40080.00"))
    assert given.value(TWO)["nav"] == Decimal("1000080.00"), "960,000 in cash and 800 x 50.10"


def test_a_fall_that_further_sessions_confirm_is_cut_then() -> None:
    given = holder(50.0, 50.2, 50.1, 50.3)
    verdicts = [planned(given.settle(day), day)["blocked_by"] for day in (HALVED, ONE, TWO)]
    assert verdicts == [RULE] * 3
    row = planned(given.settle(THREE), THREE)
    assert (row["intent"], row["taken"], row["shares"]) == ("stop", True, 400)


def test_an_error_that_the_next_bar_takes_back_ends_the_hold() -> None:
    given = holder(50.0, 100.4)
    assert planned(given.settle(HALVED), HALVED)["blocked_by"] == RULE
    assert planned(given.settle(ONE), ONE)["blocked_by"] is None


def test_an_unexplained_rise_raises_no_stop_that_would_fire_once_it_is_explained() -> None:
    given = holder(1_000.0, 1_010.0, 1_005.0)
    given.act(split("AAA", HALVED, 1, 10, available_at=CALENDAR.open_at(TWO)))
    for day in (HALVED, ONE):
        assert planned(given.settle(day), day)["stop"] == 95.0
    row = planned(given.settle(TWO), TWO)
    assert (row["intent"], row["stop"], row["close"]) == ("keep", 950.0, 1_005.0)


def test_a_listing_that_goes_to_another_currency_is_no_jump_and_takes_its_stop_along() -> None:
    given = holder()
    given.add(INSTRUMENTS, market.instruments("AAA", currency="JPY", earlier_currencies=f"USD:{HALVED}"))
    yen = {"session": BOUGHT, "base": "JPY", "rate": Decimal("0.01")}
    given.add(FX_RATES, market.rates(yen, calendar=CALENDAR))
    given.add(MARKET_PRICES, market.prices(bar("AAA", HALVED, 10_000.0, currency="JPY"), calendar=CALENDAR))
    given.order(BOUGHT, "AAA", "sell", 100, intent="stop")
    row = planned(given.settle(HALVED), HALVED)
    assert given.trade(f"{HALVED}:AAA:sell")["shares"] == 100
    assert (row["intent"], row["blocked_by"], row["stop"]) == ("keep", None, 9_500.0)


def test_a_crash_near_no_split_is_news_and_a_violent_name_may_halve() -> None:
    given = holder(77.0)
    row = planned(given.settle(HALVED), HALVED)
    assert (row["intent"], row["blocked_by"]) == ("stop", None)
    wild = [bar("AAA", day, 100.0 * (1.3 if number % 2 else 1.0)) for number, day in enumerate(DAYS[:START])]
    frame = market.prices(*wild, bar("AAA", DAYS[START], 65.0), calendar=CALENDAR)
    assert find_doubts(frame, market.actions(), DAYS[START], CALENDAR, TradingParams(planning=1)) == {}


@pytest.mark.parametrize(("close", "doubted"), [(66.7, True), (40.0, True), (25.0, True), (200.0, True), (85.0, False)])
def test_moves_of_the_size_of_splits_are_doubted_either_way(close: float, doubted: bool) -> None:
    frame = market.prices(*history(), bar("AAA", BOUGHT), bar("AAA", HALVED, close), calendar=CALENDAR)
    assert ("AAA" in find_doubts(frame, market.actions(), HALVED, CALENDAR, TradingParams(planning=1))) == doubted
    known = market.actions(split("AAA", HALVED, 10_000, round(close * 100)), calendar=CALENDAR)
    assert find_doubts(frame, known, HALVED, CALENDAR, TradingParams(planning=1)) == {}


def test_a_bar_that_was_set_aside_holds_its_name_until_one_is_accepted() -> None:
    given = holder(100.1, 100.2)
    given.add(
        QUARANTINED_ROWS,
        pl.DataFrame(
            {
                "payload_id": ["0" * 64], "line": [0], "target": ["market_prices"], "session": [ONE], "ticker": ["AAA"],
                "rule": [SUSPENDED], "row": ["{}"], "source": ["test"], "available_at": [CALENDAR.close_at(ONE)],
            },
            schema=QUARANTINED_ROWS.schema,
        ),
    )  # fmt: skip
    given.tables["market_prices"] = given.rows("market_prices").filter(pl.col("session") != ONE)
    assert planned(given.settle(HALVED), HALVED)["blocked_by"] is None
    row = planned(given.settle(ONE), ONE)
    assert (row["blocked_by"], told(row).split(":")[0]) == (RULE, f"on hold since {ONE}")
    given.add(MARKET_PRICES, market.prices(bar("AAA", TWO, 100.3), calendar=CALENDAR))
    assert planned(given.settle(TWO), TWO)["blocked_by"] is None


def test_nothing_new_is_bought_on_an_unexplained_price() -> None:
    given = World(*history(), bar("AAA", BOUGHT, 50.0), params=free())
    given.add(TICKER_UNIVERSE, pl.concat([members(day, "AAA") for day in (FUND, BOUGHT)]))
    given.add(PREDICTIONS, forecasts({"session": BOUGHT, "point": 0.05}, calendar=CALENDAR))
    row = planned(given.settle(FUND, BOUGHT), BOUGHT)
    assert (row["side"], row["taken"], row["blocked_by"]) == ("buy", False, RULE)


@pytest.mark.parametrize(("intent", "filled"), [("stop", 0), ("expire", 0), ("exit", 400)])
def test_a_stop_is_not_filled_at_an_open_that_nobody_explains(intent: str, filled: int) -> None:
    given = holder(50.0)
    given.order(BOUGHT, "AAA", "sell", 400, intent=intent)
    trade = given.settle(HALVED).trade(f"{HALVED}:AAA:sell")
    assert trade["shares"] == filled
    if not filled:
        assert trade["reason"].startswith(f"on hold since {HALVED}: a move of -5")


def test_a_stop_is_filled_at_the_open_of_a_split_that_is_known() -> None:
    given = holder(50.0)
    given.act(split("AAA", HALVED, 2, 1))
    given.order(BOUGHT, "AAA", "sell", 400, intent="stop")
    assert given.settle(HALVED).trade(f"{HALVED}:AAA:sell")["shares"] == 800


def test_runs_that_recorded_no_hold_are_repeated_without() -> None:
    assert from_record(TradingParams, {"rules": {"stop_sigmas": 2.0}}).rules.hold_sessions == 0
    given = holder(50.0, hold_sessions=0)
    assert planned(given.settle(HALVED), HALVED)["taken"]
