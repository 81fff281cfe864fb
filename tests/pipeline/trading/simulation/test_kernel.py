"""The simulation's arithmetic is exact whatever it is given, and its sums say so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.trading.books.money import half_even, to_cents, to_micros, value_of
from pipeline.trading.execution.arithmetic import EXACT, MANY, BeyondExactError, Block
from pipeline.trading.execution.costs import price_fill, price_fills, split_slippage
from pipeline.trading.params import Costs, Orders, TradingParams
from pipeline.trading.simulation import kernel
from pipeline.trading.simulation.entries import LEGS, OF_FILL
from pipeline.trading.simulation.kernel import simulate
from pipeline.trading.simulation.market import Market
from pipeline.trading.simulation.tables import build_ledger, count_micros
from tests.frames.sessions import weekday_sessions

CALENDAR = weekday_sessions(date(2021, 3, 1), date(2021, 6, 30))
COSTS = st.builds(
    Costs,
    multiple=st.sampled_from((0.0, 1.0, 2.0)),
    min_commission=st.sampled_from((0.0, 1.0, 35.0)),
    commission_per_share=st.sampled_from((0.0, 0.005, 0.0149)),
    commission_rate=st.sampled_from((0.0, 0.0, 0.0005)),
    max_commission=st.sampled_from((0.0, 40.0)),
    buy_tax=st.sampled_from((0.0, 0.005)),
    sell_tax=st.sampled_from((0.0, 0.001)),
    participation=st.sampled_from((0.025, 0.3, 1.0)),
)


@dataclass(frozen=True)
class Drawn:
    """A market without actions, orders, and how it is traded."""

    market: Market
    orders: Block
    params: TradingParams


@st.composite
def drawn(draw: st.DrawFn, *, longest: int = 12) -> Drawn:
    """Orders of any size on prices of any size; cash, volume and holdings limit some, all or none of them."""
    sessions, names = draw(st.integers(1, longest)), draw(st.integers(1, 5))
    chance = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape, largest = (sessions, names), draw(st.sampled_from((100.0, 1e6, 1e9, 1e12)))
    opens, closes = np.rint(np.exp(chance.uniform(0, np.log(largest), (2, *shape))))
    volumes = np.rint(chance.choice((0.0, 37.0, 4e3, 1e9), shape))
    market = Market(
        CALENDAR, CALENDAR.days[:sessions], tuple(f"N{one}" for one in range(names)), opens, closes, volumes,
        np.rint(chance.choice((0.0, 1e3, 1e8), shape)), chance.uniform(0, 0.1, shape),
    )  # fmt: skip
    size = draw(st.sampled_from((3.0, 1e3, 1e7)))
    orders = np.rint(chance.uniform(-size, size, shape) * (chance.random(shape) < 0.7))
    return Drawn(market, orders, TradingParams(capital=draw(st.sampled_from((10.01, 1e6, 1e11))), costs=draw(COSTS)))


class Simple:
    """A second book, one order at a time in Python's integers: the oracle of these tests."""

    def __init__(self, given: Drawn) -> None:
        self.given, self.cash = given, to_cents(given.params.capital)
        self.held = [0] * len(given.market.tickers)
        self.cost = [0] * len(given.market.tickers)
        self.realised = self.commission = 0
        self.values = [self.trade(row) for row in range(len(given.market.sessions))]

    def trade(self, row: int) -> int:
        """Fill a session's orders, sales first, and value what is held."""
        asked = self.given.orders[row].astype(int).tolist()
        for name in sorted(range(len(asked)), key=lambda one: (asked[one] > 0, one)):
            self.fill(row, name, asked[name])
        closes = self.given.market.closes[row].astype(int).tolist()
        return self.cash + sum(value_of(shares, close) for shares, close in zip(self.held, closes, strict=True))

    def fill(self, row: int, name: int, order: int) -> None:
        """Fill as much of an order as volume, holdings and cash allow."""
        market, costs = self.given.market, self.given.params.costs
        most = min(abs(order), int(costs.participation * int(market.volumes[row, name])))
        most = most if order > 0 else min(most, self.held[name])
        low, high = (most, most) if self.fits(row, name, order, most) else (0, most)
        while high - low > 1:  # a sale that costs more than it brings may fit whole and not in part
            middle = (low + high) // 2
            low, high = (middle, high) if self.fits(row, name, order, middle) else (low, middle)
        flow, gross, commission = self.flow(row, name, order, low)
        self.cash, self.commission = self.cash + flow, self.commission + commission
        if order > 0:
            self.held[name], self.cost[name] = self.held[name] + low, self.cost[name] + gross
        elif low:
            leaves = half_even(self.cost[name] * low, self.held[name])
            self.held[name], self.cost[name] = self.held[name] - low, self.cost[name] - leaves
            self.realised += gross - leaves

    def fits(self, row: int, name: int, order: int, shares: int) -> bool:
        """Whether a fill leaves no debt."""
        return self.cash + self.flow(row, name, order, shares)[0] >= 0

    def flow(self, row: int, name: int, order: int, shares: int) -> tuple[int, int, int]:
        """Cash that comes of a fill, its gross and its commission."""
        if not shares:
            return 0, 0, 0
        market = self.given.market
        conditions = float(market.usual_volumes[row, name]), float(market.volatilities[row, name])
        side, price = "buy" if order > 0 else "sell", int(market.opens[row, name])
        fill = price_fill(side, shares, price, *conditions, self.given.params.costs)
        return (fill.gross if order < 0 else -fill.gross) - fill.commission, fill.gross, fill.commission


def check(given: Drawn) -> None:
    """Compare with the book of one order at a time."""
    simple = Simple(given)
    for rows in (False, True):
        found = simulate(given.market, given.orders, given.params, rows=rows)
        assert found.value.tolist() == simple.values
        assert found.cash[-1] == simple.cash
        assert found.shares.tolist() == simple.held
        assert found.book.commission == simple.commission
    assert found.book.realised == simple.realised
    costs = [cost for cost, shares in zip(simple.cost, simple.held, strict=True) if shares]
    assert [position.cost for position in found.book.positions.values()] == costs


@given(drawn())
@settings(max_examples=100)
def test_an_exact_recomputation_of_one_order_after_the_other_agrees_to_the_cent(given: Drawn) -> None:
    check(given)


@pytest.mark.slow
@given(drawn(longest=30))
@settings(max_examples=10_000, deadline=None)
def test_an_exact_recomputation_of_ten_thousand_markets_agrees_to_the_cent(given: Drawn) -> None:
    check(given)


@given(drawn())
@settings(max_examples=200)
def test_nothing_is_lost_nothing_appears_and_cash_is_never_negative(given: Drawn) -> None:
    found = simulate(given.market, given.orders, given.params, rows=True)
    assert found.cash.min() >= 0
    assert found.recorded is not None
    fills, entries = found.recorded.fills, found.recorded.entries
    fee = entries.leg % OF_FILL >= OF_FILL - 2
    for part in (fee, ~fee):
        sums = np.bincount(entries.source[part] + 1, entries.amount[part])
        assert not sums.any(), "the legs of each event sum to zero"
    accounts = np.array([account for _, account in LEGS])[entries.leg]
    of_fills = entries.source >= 0
    capital = to_cents(given.params.capital)
    assert entries.amount[of_fills & (accounts == "cash")].sum() + capital == found.cash[-1]
    assert entries.amount[of_fills & (accounts == "positions")].sum() == found.book.cost
    assert np.bincount(fills.name, fills.shares, len(found.shares)).tolist() == found.shares.tolist()
    sources = found.book.capital + found.book.realised - found.book.commission
    assert found.book.cash + found.book.cost == sources


@given(drawn(longest=40), st.sampled_from((1, 2, 7, 64)))
@settings(max_examples=60)
def test_the_size_of_blocks_changes_nothing(given: Drawn, cells: int) -> None:
    whole = simulate(given.market, given.orders, given.params, rows=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "CELLS", cells)
        parts = simulate(given.market, given.orders, given.params, rows=True)
    assert whole.recorded is not None and parts.recorded is not None
    assert parts.value.tolist() == whole.value.tolist()
    for one, other in zip(parts.recorded.entries, whole.recorded.entries, strict=True):
        assert one.tolist() == other.tolist()


@given(
    shares=st.integers(0, 10**7),
    price=st.integers(1, 10**10),
    side=st.sampled_from((1.0, -1.0)),
    volume=st.just(0.0) | st.floats(1, 1e9),
    volatility=st.floats(0, 0.5),
    costs=COSTS,
)
@settings(max_examples=500)
def test_many_fills_are_priced_as_one_is(
    shares: int, price: int, side: float, volume: float, volatility: float, costs: Costs
) -> None:
    one = price_fill("buy" if side > 0 else "sell", shares, price, volume, volatility, costs)
    size, opens = np.array([shares, shares], dtype=float), np.full(2, float(price))
    try:
        with np.errstate(divide="ignore", invalid="ignore"):
            many = price_fills(np.full(2, side), size, opens, np.full(2, volume), np.full(2, volatility), costs)
        apart = split_slippage(size, opens, many.gross, costs)
    except BeyondExactError:
        assert max(shares * max(price, one.price), one.gross * 2 * 5_000) >= EXACT
        return
    assert [column.tolist() for column in many] == [[value] * 2 for value in (one.price, one.gross, one.commission)]
    assert [column.tolist() for column in apart] == [[one.spread_cost] * 2, [one.impact_cost] * 2]


@given(st.integers(0, 2**52 - 1), st.integers(1, 10**9))
@settings(max_examples=500)
def test_arrays_round_half_to_even_as_integers_do(numerator: int, denominator: int) -> None:
    near = [numerator, numerator // denominator * denominator + denominator // 2]
    exact = [half_even(one, denominator) for one in near if one < EXACT]
    assert MANY.half_even(np.array([one for one in near if one < EXACT], dtype=float), denominator).tolist() == exact


def test_amounts_too_large_for_arrays_are_computed_one_by_one() -> None:
    shape = (6, 2)
    price, plenty = np.full(shape, 1e12), np.full(shape, 1e9)  # a million a share
    market = Market(CALENDAR, CALENDAR.days[:6], ("A", "B"), price, price, plenty, plenty, np.full(shape, 0.01))
    orders = np.array([[9e3, 5.0], [0, 0], [-4e3, -1], [-5e3, 1], [1, 1], [0, 0]])
    given = Drawn(market, orders, TradingParams(capital=1e11))
    found = simulate(market, orders, given.params, rows=True)
    assert found.one_by_one > 0
    assert found.value.tolist() == Simple(given).values


def test_what_cannot_be_traded_is_refused_in_words() -> None:
    shape = (3, 2)
    full = np.full(shape, 1e6)
    market = Market(CALENDAR, CALENDAR.days[:3], ("A", "B"), full, full, full, full, full / 1e8)
    orders, params = np.zeros(shape), TradingParams()
    orders[1, 1] = 0.5
    with pytest.raises(ValueError, match=r"1 orders are no whole shares, the first of B on 2021-03-02: 0\.5; round"):
        simulate(market, orders, params)
    with pytest.raises(ValueError, match="settlement_sessions to 0"):
        simulate(market, np.zeros(shape), TradingParams(orders=Orders(settlement_sessions=1)))
    with pytest.raises(ValueError, match="shape"):
        simulate(market, orders[:2], params)
    with pytest.raises(ValueError, match="float64"):
        simulate(market, orders.astype(np.int64), params)
    with pytest.raises(ValueError, match=r"6 of opens are no whole numbers .* A on 2021-03-01: 0\.5; state prices"):
        replace(market, opens=full - 999_999.5)
    with pytest.raises(ValueError, match=r"1 of volatilities are no numbers .* B on 2021-03-03: nan"):
        replace(market, volatilities=np.where(np.arange(6).reshape(shape) == 5, np.nan, 0.01))
    with pytest.raises(ValueError, match="out of order"):
        replace(market, tickers=("B", "A"))
    for days in ((), (CALENDAR.days[0], CALENDAR.days[2])):
        with pytest.raises(ValueError, match="in a row"):
            replace(market, sessions=days)


def test_a_book_that_is_never_traded_keeps_its_capital() -> None:
    shape = (3, 2)
    full = np.full(shape, 1e6)
    market = Market(CALENDAR, CALENDAR.days[:3], ("A", "B"), full, full, full, full, full / 1e8)
    found = simulate(market, np.zeros(shape), TradingParams(capital=5.0), rows=True)
    assert found.value.tolist() == [500, 500, 500]
    assert found.recorded is not None
    ledger = build_ledger(market, found.recorded)
    assert ledger.select("kind", "account", "sequence").rows() == [("fund", "cash", 0), ("fund", "capital", 1)]


@given(st.lists(st.floats(1e-6, 1e9) | st.integers(1, 10**12).map(lambda n: n / 2**20), min_size=1, max_size=30))
def test_prices_are_counted_in_millionths_as_the_decimals_they_print_as(prices: list[float]) -> None:
    assert count_micros(pl.Series(prices)).tolist() == [to_micros(price) for price in prices]
