"""Top-k dropout: what it holds by which forecasts, at which prices and costs, by figures computed by hand."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

import polars as pl
import pytest

from lake.tables.market import FX_RATES, INSTRUMENTS, TICKER_UNIVERSE
from lake.tables.predictions import PREDICTIONS
from pipeline.trading.baselines import baseline_holdings
from pipeline.trading.baselines.top_k import Ranking, Swap, choose_swap, count_held
from pipeline.trading.books import value
from pipeline.trading.params import Costs, TopK, TradingParams
from tests.frames import market
from tests.frames.trading import BOOKS, DAYS, World, bar, delisting, dividend, forecasts, free, members, split

CAPITAL = 1_000_000.0
STAGES = (*BOOKS[:-1], baseline_holdings.STAGE, value.STAGE)
Path = Mapping[int, float | tuple[float, float]]
"""Session -> open and close, or one price for both."""
HALF = TopK(share=0.5)


def world(
    paths: Mapping[str, Path], ranked: Mapping[int, str], params: TradingParams | None = None, **said: str
) -> World:
    """Names that are members at every session; at some closes they are ranked, one letter each, the best first."""
    made = World(params=params or free(top_k=HALF), settling=STAGES)
    for name, path in paths.items():
        for at, price in path.items():
            made.add(baseline_holdings.MARKET_PRICES, market.prices(_bar(name, at, price)))
    made.add(INSTRUMENTS, market.instruments(*paths))
    for at in range(10):
        made.add(TICKER_UNIVERSE, members(DAYS[at], *paths))
    for at, order in ranked.items():
        given = [
            {"session": DAYS[at], "ticker": name, "point": 0.03 - 0.01 * place, "role": said.get("role", "champion")}
            for place, name in enumerate(order)
        ]
        made.add(PREDICTIONS, forecasts(*given))
    return made


def _bar(name: str, at: int, price: float | tuple[float, float]) -> dict[str, object]:
    opening, close = price if isinstance(price, tuple) else (price, price)
    return bar(name, DAYS[at], close, open=opening, high=max(opening, close), low=min(opening, close))


def flat(price: float, *skipped: int) -> Path:
    """One price at every session but some."""
    return {at: price for at in range(10) if at not in skipped}


def worth(made: World, at: int, name: str = "top_k") -> float:
    """Its value after a session."""
    return float(made.settle_to(DAYS[at]).value(DAYS[at])[name])


def held(made: World, at: int) -> set[str]:
    """The names it holds after a session."""
    rows = made.settle_to(DAYS[at]).rows("baseline_holdings").filter(pl.col("session") == DAYS[at])
    return set(rows.filter(pl.col("portfolio") == "top_k", pl.col("shares") > 0)["asset"]) - {"cash"}


@pytest.mark.parametrize(
    ("holding", "dropped", "swap"),
    [
        ("", 1, Swap((), ("A", "B"))),
        ("AB", 1, Swap((), ())),
        ("BA", 2, Swap((), ())),
        ("AC", 1, Swap(("C",), ("B",))),
        ("EF", 1, Swap(("F",), ("A",))),
        ("EF", 2, Swap(("E", "F"), ("A", "B"))),
        ("AZ", 1, Swap(("Z",), ("B",))),
        ("A", 1, Swap((), ("B",))),
        ("F", 1, Swap(("F",), ("A", "B"))),
        ("ABC", 1, Swap(("C",), ())),
    ],
)
def test_the_worst_held_names_beyond_the_first_k_are_replaced_by_the_best_others(
    holding: str, dropped: int, swap: Swap
) -> None:
    assert choose_swap(Ranking(tuple("ABCDEF"), 2), set(holding), dropped) == swap


def test_nothing_is_sold_where_there_is_nothing_else_to_hold() -> None:
    assert choose_swap(Ranking(("A", "B"), 2), {"A", "B"}, 1) == Swap((), ())


@pytest.mark.parametrize(("count", "k"), [(0, 1), (2, 1), (3, 1), (48, 16), (50, 16), (51, 17), (500, 50)])
def test_it_holds_a_third_of_the_members_at_least_one_and_at_most_fifty(count: int, k: int) -> None:
    assert count_held(count, TopK()) == k


def test_it_is_in_cash_until_there_is_a_forecast_and_buys_at_the_open_after_it() -> None:
    made = world({"A": flat(50.0) | {2: (50.0, 60.0), 3: 60.0}, "B": flat(20.0)}, {1: "AB"})
    assert [worth(made, at) for at in (0, 1)] == [CAPITAL, CAPITAL]
    assert worth(made, 2) == pytest.approx(CAPITAL * 1.2)
    assert held(made, 2) == {"A"}


def test_the_forecast_of_a_session_moves_nothing_before_the_next_open() -> None:
    paths = {"A": {0: 50.0, 1: 50.0, 2: 50.0, 3: (40.0, 30.0)}, "B": {0: 20.0, 1: 20.0, 2: 20.0, 3: (25.0, 30.0)}}
    made = world(paths, {0: "AB", 2: "BA"})
    assert held(made, 2) == {"A"}
    assert worth(made, 3) == pytest.approx(CAPITAL * 40 / 50 * 30 / 25)


def test_a_naive_forecast_begins_nothing_and_changes_nothing() -> None:
    paths = {"A": flat(50.0), "B": flat(20.0)}
    assert held(world(paths, {0: "AB", 1: "BA"}, role="naive"), 3) == set()
    made = world(paths, {0: "AB"})
    made.add(PREDICTIONS, forecasts({"session": DAYS[1], "ticker": "B", "point": 0.09, "role": "naive"}))
    assert held(made, 3) == {"A"}


def test_only_the_horizon_that_decisions_rest_on_counts() -> None:
    made = world({"A": flat(50.0), "B": flat(20.0)}, {0: "AB"})
    made.add(PREDICTIONS, forecasts({"session": DAYS[0], "ticker": "B", "point": 0.09, "horizon": 20}))
    assert held(made, 1) == {"A"}


def test_each_new_name_gets_an_equal_part_of_the_cash() -> None:
    made = world({"A": flat(50.0), "B": flat(20.0), "C": flat(10.0), "D": flat(5.0)}, {0: "ABCD"})
    rows = made.settle_to(DAYS[1]).rows("baseline_holdings").filter(pl.col("portfolio") == "top_k")
    bought = rows.filter(pl.col("traded") > 0).select("asset", "shares", "traded").rows()
    assert bought == [("A", 10_000.0, 500_000.0), ("B", 25_000.0, 500_000.0)]


COSTS = Costs(half_spread=0.001, commission_per_share=0.01, min_commission=1.0, impact=0.5, unknown_volatility=0.02)


def test_what_it_pays_is_the_books_own_half_spread_impact_and_commission() -> None:
    # Two bars are no volatility and no usual volume: Y x 0.02 x sqrt(1) = 1 %; commission 0.01 / 50 = 2 basis points.
    rate = 0.001 + 0.01 / 50 + 0.5 * 0.02
    made = world({"A": flat(50.0), "B": flat(20.0)}, {0: "AB", 1: "BA"}, TradingParams(top_k=HALF, costs=COSTS))
    bought = CAPITAL / (1 + rate)
    assert worth(made, 1) == pytest.approx(bought)
    assert worth(made, 1, "top_k_cost") == pytest.approx(bought * rate)
    back, other = bought * (1 - rate), 0.001 + 0.01 / 20 + 0.5 * 0.02
    assert worth(made, 2) == pytest.approx(back / (1 + other))
    assert worth(made, 2, "top_k_cost") == pytest.approx(CAPITAL - back / (1 + other))


def test_a_small_order_pays_the_minimum_of_the_tariff() -> None:
    costs = Costs(half_spread=0.0, impact=0.0, commission_per_share=0.01, min_commission=1.0)
    made = world({"A": flat(50.0), "B": flat(20.0)}, {0: "AB"}, TradingParams(capital=500.0, top_k=HALF, costs=costs))
    assert worth(made, 1) == pytest.approx(500 / (1 + 1 / 500))


def test_the_impact_is_that_of_the_sessions_before_the_order() -> None:
    levels = {at: 50.0 * 1.02 ** (at % 2) for at in range(14)}
    impact_alone = Costs(half_spread=0.0, commission_per_share=0.0, min_commission=0.0)
    made = World(params=TradingParams(top_k=HALF, costs=impact_alone), settling=STAGES)
    for name in "AB":
        bars = [bar(name, DAYS[at], price, volume=400_000) for at, price in levels.items()]
        made.add(baseline_holdings.MARKET_PRICES, market.prices(*bars))
    made.add(INSTRUMENTS, market.instruments("A", "B"))
    made.add(TICKER_UNIVERSE, members(DAYS[11], "A", "B"))
    made.add(PREDICTIONS, forecasts({"session": DAYS[11], "ticker": "A"}))
    swings = pl.Series([0.02 if at % 2 else 1 / 1.02 - 1 for at in range(1, 12)])
    shares = CAPITAL / 50.0
    impact = float(swings.std()) * (shares / 400_000) ** 0.5  # type: ignore[arg-type]
    assert worth(made, 12) == pytest.approx(CAPITAL / (1 + impact))


def test_what_has_no_trade_at_the_open_is_kept_and_nothing_is_bought_in_its_place() -> None:
    made = world({"A": flat(50.0, 2), "B": flat(20.0)}, {0: "AB", 1: "BA", 2: "BA"})
    assert held(made, 2) == {"A"}
    assert held(made, 3) == {"B"}


def test_what_ends_is_replaced_at_the_next_open_that_has_a_forecast() -> None:
    made = world({"A": flat(50.0), "B": flat(20.0)}, {0: "AB", 2: "BA"})
    made.act(delisting("A", DAYS[2], 25.0))
    assert (held(made, 2), worth(made, 2)) == (set(), pytest.approx(CAPITAL / 2))
    assert (held(made, 3), worth(made, 3)) == ({"B"}, pytest.approx(CAPITAL / 2))


@pytest.mark.parametrize("late", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_a_split_learned_late_leaves_no_trace_once_it_is_known(late: int) -> None:
    made = world({"A": {at: 100.0 if at < 3 else 50.0 for at in range(10)}, "B": flat(20.0)}, {0: "AB"})
    known = market.CALENDAR.close_at(DAYS[3 + late]) + timedelta(minutes=15)
    made.act(split("A", DAYS[3], 2, 1, available_at=known))
    assert worth(made, 3 + late - 1) == pytest.approx(CAPITAL / 2)
    assert worth(made, 3 + late) == pytest.approx(CAPITAL)


def test_what_was_decided_stays_and_is_not_decided_again_by_later_knowledge() -> None:
    made = world({"A": flat(50.0), "B": flat(20.0)}, {0: "AB", 3: "BA"})
    assert held(made, 3) == {"A"}
    made.tables["predictions"] = made.rows("predictions").filter(pl.col("session") != DAYS[0])
    assert (held(made, 4), worth(made, 4)) == ({"B"}, pytest.approx(CAPITAL))


def test_dividends_wait_in_cash_for_the_next_purchase() -> None:
    made = world({"A": flat(50.0), "B": flat(20.0)}, {1: "AB", 4: "BA"})
    made.act(dividend("A", DAYS[3], 5.0))
    rows = made.settle_to(DAYS[5]).rows("baseline_holdings").filter(pl.col("portfolio") == "top_k")
    cash = rows.filter(pl.col("asset") == "cash").sort("session")["value"].to_list()
    assert cash == pytest.approx([CAPITAL, CAPITAL, 0.0, CAPITAL / 10, CAPITAL / 10, 0.0])
    assert worth(made, 5) == pytest.approx(CAPITAL * 1.1)


def test_a_foreign_name_is_bought_at_its_open_in_the_books_currency() -> None:
    made = world({"A": flat(50.0), "B": flat(20.0)}, {0: "BA"})
    quoted = pl.when(pl.col("ticker") == "B").then(pl.lit("EUR")).otherwise(pl.lit("USD")).alias("currency")
    for table in ("market_prices", "instruments"):
        made.tables[table] = made.rows(table).with_columns(quoted)
    told = ({"session": DAYS[at], "rate": Decimal(rate)} for at, rate in enumerate(("1", "1", "1.5", "1.5")))
    made.add(FX_RATES, market.rates(*told, calendar=made.calendar))
    assert [worth(made, at) for at in (1, 2, 3)] == pytest.approx([CAPITAL, CAPITAL, CAPITAL * 1.5])


def test_equal_weight_and_benchmark_pay_what_the_book_would() -> None:
    params = TradingParams(top_k=HALF, costs=COSTS)
    made = world({"A": {0: 100.0, 1: 110.0}, "B": {0: 100.0, 1: 90.0}}, {}, params)
    first = 0.001 + 0.01 / 100 + 0.5 * 0.02
    assert worth(made, 0, "equal_weight_net") == pytest.approx(CAPITAL * (1 - first))
    assert worth(made, 0, "equal_weight_net_cost") == pytest.approx(CAPITAL * first)
    paid = 0.05 * 2 * (0.001 + 0.5 * 0.02) + 0.05 * 0.01 * (1 / 110 + 1 / 90)
    assert worth(made, 1, "equal_weight_net") == pytest.approx(CAPITAL * (1 - first) * (1 - paid))
    assert worth(made, 1, "equal_weight") == pytest.approx(CAPITAL)


def test_the_benchmark_pays_for_its_purchase_and_for_dividends_invested_again() -> None:
    made = world({"A": flat(50.0)}, {}, TradingParams(costs=COSTS))
    made.add(INSTRUMENTS, market.instruments("IDX", role="benchmark"))
    made.add(
        baseline_holdings.MARKET_PRICES, market.prices(*(bar("IDX", DAYS[at], 100.0 - 10 * at) for at in range(2)))
    )
    made.act(dividend("IDX", DAYS[1], 10.0))
    rate = 0.001 + 0.01 / 100 + 0.5 * 0.02
    assert worth(made, 0, "benchmark_net") == pytest.approx(CAPITAL * (1 - rate))
    again = 0.1 * (0.001 + 0.01 / 90 + 0.5 * 0.02)
    assert worth(made, 1, "benchmark_net") == pytest.approx(CAPITAL * (1 - rate) * (1 - again))
    assert worth(made, 1, "benchmark") == pytest.approx(CAPITAL)


def test_cash_alone_earns_what_is_set_and_nothing_else() -> None:
    paths = {"A": flat(50.0)}
    assert worth(world(paths, {}), 4, "cash_alone") == CAPITAL
    days = (DAYS[4] - DAYS[0]).days
    assert worth(world(paths, {}, free(cash_interest=0.05)), 4, "cash_alone") == pytest.approx(
        CAPITAL * 1.05 ** (days / 365)
    )


def test_in_a_lake_of_before_all_references_begin_with_what_the_book_is_worth() -> None:
    made = world({"A": flat(50.0) | {0: 25.0}, "B": flat(20.0)}, {2: "AB"}, free(top_k=HALF, baselines=2))
    made.settle_to(DAYS[1])
    assert made.value(DAYS[1])["top_k"] is None
    made.params = free(top_k=HALF)
    assert [worth(made, 2, name) for name in ("cash_alone", "top_k", "equal_weight_net")] == [CAPITAL] * 3
    assert worth(made, 2, "equal_weight") == pytest.approx(CAPITAL * 1.5)
    assert held(made, 3) == {"A"}


def test_runs_that_charged_nothing_give_what_they_gave() -> None:
    made = world({"A": flat(50.0), "B": flat(20.0)}, {0: "AB"}, free(baselines=2)).settle_to(DAYS[2])
    assert set(made.rows("baseline_holdings")["portfolio"]) == {"equal_weight"}
    assert made.rows("baseline_holdings").filter(pl.col("asset") != "cash")["impact"].null_count() == 2
    assert made.value(DAYS[2])["equal_weight_net"] is None
