"""The stance: regime, skill and risk budget, from what was known."""

import polars as pl
import pytest

from lake.tables.feedback import FEEDBACK_METRICS
from lake.tables.market import TICKER_UNIVERSE
from pipeline.trading.planning import regime
from pipeline.trading.planning.regime import market_returns
from tests.frames import market
from tests.frames.trading import CALENDAR, DAYS, World, bar, delisting, members, skill

LAST = DAYS[69]


def world(step: float, *, drift: float = 0.0) -> World:
    """70 sessions of one stock that swings by `step` a session around a drift."""
    price, bars = 100.0, []
    for number, day in enumerate(DAYS[:70]):
        price *= 1 + drift + (step if number % 2 else -step)
        bars.append(bar("AAA", day, price))
    given = World(*bars)
    given.add(TICKER_UNIVERSE, pl.concat([members(day, "AAA") for day in DAYS[:70]]))
    return given.settle(LAST)


def stance(given: World) -> dict[str, object]:
    return given.run(regime.STAGE, LAST).row(0, named=True)


@pytest.mark.parametrize(("step", "regime"), [(0.003, "calm"), (0.012, "normal"), (0.03, "stressed")])
def test_the_regime_follows_the_markets_volatility(step: float, regime: str) -> None:
    row = stance(world(step))
    assert row["regime"] == regime
    # 20 returns that alternate between +step and -step have the standard deviation step x sqrt(20 / 19).
    assert row["market_volatility"] == pytest.approx(step * (20 / 19 * 252) ** 0.5, rel=0.01)


def test_a_falling_market_is_stressed_and_holds_fewer_names() -> None:
    row = stance(world(0.001, drift=-0.004))
    assert (row["regime"], row["most_positions"]) == ("stressed", 20)
    assert row["market_trend"] == pytest.approx(0.996**60 - 1, abs=0.002)


def test_risk_shrinks_with_volatility_beyond_the_target() -> None:
    row = stance(world(0.02))
    assert row["risk_budget"] == pytest.approx(0.25 * 0.15 / row["market_volatility"])
    assert row["target_exposure"] == pytest.approx(0.95 * row["risk_budget"])


def test_full_risk_needs_skill_whose_interval_lies_above_zero() -> None:
    proven, doubtful, few = world(0.003), world(0.003), world(0.003)
    proven.add(FEEDBACK_METRICS, skill(LAST, 0.05, 0.01))
    doubtful.add(FEEDBACK_METRICS, skill(LAST, 0.05, -0.01, verdict="no skill"))
    few.add(FEEDBACK_METRICS, skill(LAST, 0.5, 0.4, verdict="too few"))
    assert [stance(given)["risk_budget"] for given in (proven, doubtful, few)] == [1.0, 0.25, 0.25]
    assert few.rows("strategic_priorities")["skill"].item() is None


def test_the_market_is_who_was_a_member_then_not_who_is_left_now() -> None:
    prices = market.prices(
        *[bar("AAA", day, 100.0) for day in DAYS[:3]],
        bar("BBB", DAYS[0], 100.0),
        bar("BBB", DAYS[1], 50.0),
        calendar=CALENDAR,
    )
    actions = market.actions(delisting("BBB", DAYS[2], 0.0), calendar=CALENDAR)
    universe = pl.concat([members(DAYS[0], "AAA", "BBB"), members(DAYS[1], "AAA")])
    assert market_returns(prices, actions, universe) == [-0.25, 0.0]
