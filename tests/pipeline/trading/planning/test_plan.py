"""Plans: what is bought and sold, what is refused, and that every refusal says which rule and how far off."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import Any

import polars as pl
import pytest

from lake.tables.feedback import FEEDBACK_METRICS
from lake.tables.market import FX_RATES, INSTRUMENTS, MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.predictions import PREDICTIONS
from lake.tables.trading import TRADE_PLANS
from pipeline.plugins.extensions import Extensions
from pipeline.trading.params import Rules, Sizing, TradingParams
from pipeline.trading.planning import plan, regime
from pipeline.trading.planning.candidates import Candidate, PortfolioState
from pipeline.trading.planning.rule import Ruling, fit, refuse, rule, share_of
from pipeline.trading.planning.rules import RULES, list_rules
from tests.frames import market
from tests.frames.trading import DAYS, World, bar, forecasts, members, skill, split

START = 30
"""Sessions of bars before the book is funded, so that volatility and volume are known."""
FUND, NEXT, THIRD = DAYS[START : START + 3]


def wiggle(number: int, ticker: str) -> float:
    """A price that moves up to 1.6 % a session around 100, in a way of its own for each ticker."""
    return round(100 + (number * (1 + sum(map(ord, ticker)) % 6) % 7 - 3) * 0.3, 2)


def world(*tickers: str, proven: bool = True, params: TradingParams | None = None, days: int = START + 1) -> World:
    """A funded book, members with history, and measured skill."""
    return _world(tickers or ("AAA",), proven, params, days).copy()


@cache
def _world(tickers: tuple[str, ...], proven: bool, params: TradingParams | None, days: int) -> World:
    given = World(*[bar(t, d, wiggle(n, t)) for t in tickers for n, d in enumerate(DAYS[:days])], params=params)
    given.add(TICKER_UNIVERSE, pl.concat([members(d, *tickers) for d in DAYS[START : START + 8]]))
    if proven:
        given.add(FEEDBACK_METRICS, skill(FUND))
    given.settle(FUND)
    return given


def predict(given: World, *rows: dict[str, Any], session: Any = FUND) -> None:
    given.add(PREDICTIONS, forecasts(*[{"session": session} | row for row in rows], calendar=given.calendar))


def planned(given: World, ticker: str = "AAA", session: Any = FUND) -> dict[str, Any]:
    done = given.rows("trade_plans").filter(pl.col("session") == session)
    rows = given.look_ahead(session) if done.is_empty() else done
    return rows.filter(pl.col("ticker") == ticker).row(0, named=True)


def verdict(row: dict[str, Any], rule: str) -> dict[str, Any]:
    return next(one for one in row["verdicts"] if one["rule"] == rule)


def test_a_good_forecast_becomes_an_order_for_the_next_open() -> None:
    given = world()
    predict(given, {"point": 0.03})
    row = planned(given)
    assert (row["side"], row["intent"], row["taken"], row["blocked_by"]) == ("buy", "enter", True, None)
    assert row["for_session"] == NEXT
    assert 0 < row["target_weight"] <= TradingParams(planning=1).rules.name_weight
    assert row["shares"] == int(row["target_weight"] * 1_000_000 / row["close"] + 0.5)
    assert row["edge"] == pytest.approx(row["expected_return"] - row["expected_cost"])
    assert row["stop"] < row["close"]
    assert [one["rule"] for one in row["verdicts"]] == [rule.name for rule in RULES]


def test_a_foreign_name_is_sized_in_the_books_currency_and_stopped_in_its_own() -> None:
    def bought(rate: str) -> World:
        given = world(days=START + 3)
        if rate != "1":
            given.tables[MARKET_PRICES.name] = given.rows("market_prices").with_columns(currency=pl.lit("EUR"))
            given.add(INSTRUMENTS, market.instruments("AAA", currency="EUR"))
            told = ({"session": day, "rate": Decimal(rate)} for day in DAYS[START - 1 : START + 2])
            given.add(FX_RATES, market.rates(*told, calendar=given.calendar))
        predict(given, {"point": 0.03})
        planned(given)
        given.settle(NEXT)
        predict(given, {"point": 0.03}, session=NEXT)
        planned(given, session=NEXT)
        return given

    own, foreign = bought("1"), bought("0.25")
    rows = [planned(one) for one in (own, foreign)]
    assert (rows[1]["currency"], rows[1]["rate"], rows[0]["rate"]) == ("EUR", Decimal("0.25"), None)
    assert rows[1]["shares"] == pytest.approx(4 * rows[0]["shares"], rel=0.01)
    assert rows[1]["target_weight"] == pytest.approx(rows[0]["target_weight"], rel=0.01)
    stops = [planned(one, session=NEXT)["stop"] for one in (own, foreign)]
    assert stops[1] == pytest.approx(stops[0], rel=0.001), "both are in what the name is quoted in"


def test_the_naive_forecast_buys_nothing() -> None:
    given = world()
    predict(given, {"point": 0.0, "role": "naive"})
    row = planned(given)
    assert (row["taken"], row["shares"], row["blocked_by"]) == (False, 0, "humility")


def test_a_champion_outranks_the_naive_forecast_and_a_shadow_is_not_traded_on() -> None:
    given = world("AAA", "BBB")
    predict(given, {"point": 0.0, "role": "naive"}, {"point": 0.04}, {"ticker": "BBB", "role": "shadow", "point": 0.2})
    assert planned(given)["expected_return"] == 0.04
    assert given.rows("trade_plans")["ticker"].to_list() == ["AAA"]


def test_an_edge_below_its_cost_is_refused_with_the_distance_to_passing() -> None:
    given = world()
    predict(given, {"point": 0.001})
    row = planned(given)
    assert row["blocked_by"] == "cost_awareness"
    refusal = verdict(row, "cost_awareness")
    assert refusal["distance"] == pytest.approx(row["expected_cost"] - row["edge"])
    assert refusal["distance"] > 0
    assert "%" in refusal["reason"]


def test_without_measured_skill_a_buy_is_small_and_with_skill_that_is_not_there_it_is_refused() -> None:
    bold, shy, burnt = world(), world(proven=False), world(proven=False)
    burnt.add(FEEDBACK_METRICS, skill(FUND, -0.01, -0.04, verdict="no skill"))
    for given in (bold, shy, burnt):
        predict(given, {"point": 0.03})
    assert 0 < planned(shy)["shares"] < planned(bold)["shares"]
    assert planned(burnt)["blocked_by"] == "humility"


def test_a_stale_bar_or_forecast_opens_nothing() -> None:
    given = world(days=START)  # no bar on the day of decision
    predict(given, {"point": 0.03})
    assert planned(given)["blocked_by"] == "staleness"
    later = world(days=START + 2)
    predict(later, {"point": 0.03})
    later.settle(NEXT)
    row = planned(later, session=NEXT)
    assert (row["blocked_by"], verdict(row, "staleness")["distance"]) == ("staleness", 1.0)


def test_who_is_not_in_the_universe_is_not_bought() -> None:
    given = world()
    given.tables["ticker_universe"] = members(FUND, "AAA", member=False, reason="price below 5")
    predict(given, {"point": 0.03})
    row = planned(given)
    assert row["blocked_by"] == "eligibility"
    assert "price below 5" in verdict(row, "eligibility")["reason"]


def test_budgets_that_are_shared_go_to_the_best_edge_first() -> None:
    tickers = [f"T{n}" for n in range(6)]
    given = world(*tickers, params=TradingParams(planning=1, rules=Rules(max_positions=2)))
    predict(given, *[{"ticker": t, "point": 0.02 + 0.01 * n} for n, t in enumerate(tickers)])
    given.look_ahead(FUND)
    rows = given.rows("trade_plans")
    assert sorted(rows.filter("taken")["ticker"]) == ["T4", "T5"]
    assert rows.filter(pl.col("ticker") == "T0")["blocked_by"].item() == "diversification"


def test_all_orders_together_stay_within_every_limit() -> None:
    tickers = [f"T{n:02d}" for n in range(40)]
    given = world(*tickers)
    predict(given, *[{"ticker": t, "point": 0.05} for t in tickers])
    given.look_ahead(FUND)
    taken = given.rows("trade_plans").filter("taken")
    value = (taken["shares"] * taken["close"]).sum()
    rules = TradingParams(planning=1).rules
    assert 0.9 * rules.turnover < value / 1_000_000 <= rules.turnover  # all in one sector, 20 % a day
    assert taken["target_weight"].max() <= rules.name_weight
    blocked = given.rows("trade_plans").filter(~pl.col("taken"))["blocked_by"].unique().to_list()
    assert blocked == ["turnover"]


def test_one_row_for_every_ticker_with_a_forecast_or_a_holding() -> None:
    given = holder()
    predict(given, {"ticker": "BBB"}, session=NEXT)
    given.look_ahead(NEXT)
    rows = given.rows("trade_plans").filter(pl.col("session") == NEXT)
    assert rows.select("ticker", "side").rows() == [("AAA", "hold"), ("BBB", "buy")]


def test_plans_do_not_depend_on_the_order_of_the_rows_they_see() -> None:
    tickers = [f"T{n:02d}" for n in range(12)]
    given = world(*tickers)
    predict(given, *[{"ticker": t, "point": 0.03 + 0.001 * (n % 4)} for n, t in enumerate(tickers)])
    given.run(regime.STAGE, FUND)
    moment = given.moment(FUND)
    frames = [given.frame(read, moment) for read in plan.STAGE.reads]
    backwards = [frame.reverse() for frame in frames]
    first = plan.plan(*frames, moment, given.params)
    assert first.equals(plan.plan(*backwards, moment, given.params))
    TRADE_PLANS.check(first)


def test_nothing_after_the_decision_changes_the_plan() -> None:
    tickers = ("AAA", "BBB")
    now, later = world(*tickers), world(*tickers, days=START + 6)
    for given in (now, later):
        predict(given, *[{"ticker": t} for t in tickers])
    later.act(split("AAA", THIRD, 2, 1))
    assert now.look_ahead(FUND).equals(later.look_ahead(FUND))


def test_a_missing_stance_is_an_error_in_words() -> None:
    given = world()
    with pytest.raises(ValueError, match="strategic_priorities has 0 rows"):
        given.compute(plan.STAGE, FUND)


@rule(share_of("NAV"))
def no_a(candidate: Candidate, state: PortfolioState, params: TradingParams) -> Ruling:
    """Nothing that begins with A, and of the rest no more than 2 % of NAV."""
    if candidate.ticker.startswith("A"):
        return refuse(0.5, "it begins with A")
    return fit(state.weight(candidate.value), 0.02, "at most 2 % of NAV")


def test_a_rule_of_a_plugin_speaks_after_the_built_in_ones_and_refuses_and_scales_like_them() -> None:
    given = world("AAA", "BBB")
    predict(given, {"point": 0.03}, {"ticker": "BBB", "point": 0.03})
    given.run(regime.STAGE, FUND)
    moment = replace(given.moment(FUND), extensions=Extensions(rules=(no_a,)))
    frames = [given.frame(read, moment) for read in plan.STAGE.reads]
    first, second = TRADE_PLANS.check(plan.plan(*frames, moment, given.params)).iter_rows(named=True)
    assert (first["blocked_by"], first["shares"]) == ("no_a", 0)
    assert (second["blocked_by"], verdict(second, "no_a")["verdict"]) == (None, "scale")
    assert 0.019 < second["target_weight"] <= 0.02
    assert [one["rule"] for one in second["verdicts"]] == [*(rule.name for rule in list_rules()), "no_a"]


# ---- what is held


def holder(price: float = 100.0, params: TradingParams | None = None, **order: Any) -> World:
    """A book that bought 400 AAA at the open of NEXT, whose close that day is `price`."""
    return _holder(price, params, tuple(({"edge": 0.02} | order).items())).copy()


@cache
def _holder(price: float, params: TradingParams | None, order: tuple[tuple[str, Any], ...]) -> World:
    given = world("AAA", "BBB", params=params)
    given.order(FUND, "AAA", "buy", 400, **dict(order))
    for day in DAYS[START + 1 : START + 8]:
        low, high = min(price, 100.0), max(price, 100.0)
        bars = [bar("AAA", day, price, open=100.0 if day == NEXT else price, low=low, high=high), bar("BBB", day)]
        given.add(MARKET_PRICES, market.prices(*bars, calendar=given.calendar))
    given.settle(NEXT)
    return given


def test_below_its_stop_a_position_is_sold_whatever_the_forecast() -> None:
    given = holder(80.0, stop=95.0)
    predict(given, {"point": 0.10}, session=NEXT)
    row = planned(given, session=NEXT)
    assert (row["side"], row["intent"], row["shares"], row["taken"]) == ("sell", "stop", 400, True)
    assert "stop" in verdict(row, "cutting_losses")["reason"]


def test_a_stop_is_never_lowered_and_moves_with_a_split() -> None:
    given = holder(99.0, stop=98.0)
    assert planned(given, session=NEXT)["stop"] == 98.0
    winner = holder(110.0, stop=90.0)
    assert planned(winner, session=NEXT)["stop"] > 90.0
    split_one = holder(99.0, stop=98.0)
    split_one.act(split("AAA", NEXT, 2, 1, available_at=split_one.calendar.close_at(FUND)))
    split_one.tables["market_prices"] = split_one.rows("market_prices").with_columns(
        pl.when((pl.col("ticker") == "AAA") & (pl.col("session") >= NEXT))
        .then(49.5)
        .otherwise(pl.col("close"))
        .alias("close")
    )
    assert planned(split_one, session=NEXT)["stop"] == 49.0


SPECIAL = {"kind": "dividend", "numerator": None, "denominator": None, "amount": 20.0}


SPUN_OFF = {"nature": "spin_off", "successor": "CCC", "numerator": 1, "denominator": 2, "cost_share": 0.2}


@pytest.mark.parametrize(
    ("paid", "halted", "close"),
    [
        ({}, 0, 80.0),
        ({"nature": "special"}, 2, 80.0),
        ({"nature": "return_of_capital"}, 0, 70.0),
        ({"nature": "rights"}, 0, 80.0),
        (SPUN_OFF, 0, 80.0),
        (SPUN_OFF, 2, 70.0),
    ],
)
def test_what_is_paid_out_on_an_ex_date_fires_no_stop_and_a_fall_beyond_it_does(
    paid: dict[str, Any], halted: int, close: float
) -> None:
    given = holder(100.0, stop=95.0)
    ex_date = DAYS[START + 2]
    given.act({"ticker": "AAA", "ex_date": ex_date} | SPECIAL | paid)
    fallen = (pl.col("ticker") == "AAA") & (pl.col("session") >= ex_date)
    price = pl.when(fallen).then(close).otherwise("close")
    rows = given.rows("market_prices").with_columns(close=price)
    given.tables["market_prices"] = rows.filter(~(fallen & (pl.col("session") < DAYS[START + 2 + halted])))
    for session in DAYS[START + 1 : START + 3 + halted]:
        given.settle(session) if session > NEXT else None
        row = planned(given, session=session)
    assert row["stop"] == pytest.approx(95.0 * 80 / 100)
    assert row["intent"] == ("stop" if close < 76 else "keep")


@pytest.mark.parametrize(("stops", "stop"), [(1, 47.5), (2, 37.5)])
def test_a_stop_follows_a_split_and_a_payment_of_one_halt(stops: int, stop: float) -> None:
    given = holder(100.0, TradingParams(planning=1, stops=stops), stop=95.0)  # type: ignore[arg-type]
    halt = DAYS[START + 2 : START + 5]
    gone = (pl.col("ticker") == "AAA") & (pl.col("session") >= halt[0])
    given.tables["market_prices"] = given.rows("market_prices").filter(~gone)
    given.act(split("AAA", halt[0], 2, 1), {"ticker": "AAA", "ex_date": halt[1]} | SPECIAL | {"amount": 50 * 4 / 19})
    for session in (NEXT, *halt):
        given.settle(session) if session > NEXT else None
        row = planned(given, session=session)
    assert row["stop"] == pytest.approx(stop)


def test_a_bad_forecast_closes_a_position_but_not_the_day_after_it_was_opened() -> None:
    given = holder()
    predict(given, {"point": -0.05}, session=NEXT)
    row = planned(given, session=NEXT)
    assert (row["intent"], row["blocked_by"]) == ("exit", "patience")
    patient = holder(params=TradingParams(planning=1, rules=Rules(min_holding=0)))
    predict(patient, {"point": -0.05}, session=NEXT)
    assert planned(patient, session=NEXT)["taken"]


def test_at_the_horizon_a_loser_leaves_and_a_winner_with_a_forecast_runs() -> None:
    for price, point, taken in ((99.5, 0.03, True), (104.0, 0.03, False), (104.0, 0.0, True)):
        given = holder(price)
        given.settle_to(DAYS[START + 6])
        predict(given, {"point": point, "role": "champion" if point else "naive"}, session=DAYS[START + 6])
        row = planned(given, session=DAYS[START + 6])
        assert (row["intent"], row["taken"]) == ("expire", taken)
        assert row["blocked_by"] == (None if taken else "letting_winners_run")


def test_no_buying_back_right_after_a_sale() -> None:
    given = holder()
    given.order(NEXT, "AAA", "sell", 400)
    given.settle(THIRD)
    predict(given, {"point": 0.05}, session=THIRD)
    row = planned(given, session=THIRD)
    assert (row["blocked_by"], verdict(row, "patience")["distance"]) == ("patience", 5.0)


def test_an_overgrown_position_is_cut_back_to_its_limit() -> None:
    given = holder(params=TradingParams(planning=1, rules=Rules(name_weight=0.02)))
    row = planned(given, session=NEXT)
    assert (row["side"], row["intent"]) == ("sell", "reduce")
    assert row["target_weight"] == pytest.approx(0.02, abs=0.0002)


def test_half_the_kelly_fraction_is_half_the_position() -> None:
    whole, half = (world(params=TradingParams(planning=1, sizing=Sizing(kelly=k))) for k in (0.002, 0.001))
    for given in (whole, half):
        predict(given, {"point": 0.03})
    assert planned(half)["wanted_shares"] == pytest.approx(planned(whole)["wanted_shares"] / 2, abs=1)


def test_a_taken_plan_fills_at_the_next_open() -> None:
    given = world(days=START + 2)
    predict(given, {"point": 0.03})
    row = planned(given)
    given.settle(NEXT)
    trade = given.trade(f"{NEXT}:AAA:buy")
    assert (trade["plan_id"], trade["shares"]) == (row["plan_id"], row["shares"])
