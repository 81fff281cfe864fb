"""What a baseline pays for a trade, as a fraction of its value: by the book's formulas, for fractions of shares too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from pipeline.engine.stage import Moment, cut_to_recent
from pipeline.trading.execution.costs import impact_fraction
from pipeline.trading.execution.volatility_and_volume import LOOKBACK, measure_conditions
from pipeline.trading.params import Costs


class Rate(NamedTuple):
    """What a trade costs, as fractions of its value."""

    cost: float
    """Half-spread and commission."""
    impact: float

    @property
    def both(self) -> float:
        """All of it."""
        return self.cost + self.impact


@dataclass(frozen=True)
class TradingRates:
    """What trading costs in a session."""

    costs: Costs
    usual: dict[str, tuple[float | None, float | None]]
    """Ticker -> median volume and volatility of the sessions before."""

    @classmethod
    def measure(
        cls, market_prices: pl.DataFrame, corporate_actions: pl.DataFrame, moment: Moment, costs: Costs, window: int
    ) -> TradingRates:
        """Volatility and volume as an order of the book would find them, which knows the sessions before alone.

        Args:
            market_prices: daily bars in the book's currency.
            corporate_actions: as known.
            moment: the session of the trades.
            costs: the book's.
            window: sessions that are measured over.
        """
        bars = cut_to_recent(market_prices, "session", LOOKBACK, moment)
        actions = cut_to_recent(corporate_actions, "ex_date", LOOKBACK, moment)
        before = moment.calendar.previous(moment.session)
        found = measure_conditions(bars, actions, before, window, basis=moment.session)
        rows = found.select("ticker", "median_volume", "volatility").iter_rows()
        return cls(costs, {ticker: (volume, sigma) for ticker, volume, sigma in rows})

    def impact_of(self, ticker: str, value: float, price: float) -> float:
        """The impact of a trade of that value at that price, as a fraction of it."""
        volume, sigma = self.usual.get(ticker, (None, None))
        return impact_fraction(value / price, volume, sigma, self.costs)

    def of_order(self, ticker: str, value: float, price: float) -> Rate:
        """What an order of that value costs at that price, the tariff's minimum included, and half of both taxes."""
        costs = self.costs
        commission = max(costs.commission_per_share / price + costs.commission_rate, costs.min_commission / value)
        if costs.max_commission:
            commission = min(commission, costs.max_commission / value)
        commission += (costs.buy_tax + costs.sell_tax) / 2
        return Rate(costs.multiple * (costs.half_spread + commission), self.impact_of(ticker, value, price))


def cost_of_fractions(value: float, price: float, costs: Costs) -> float:
    """Half-spread, commission and half of both taxes in currency: no minimum is charged for parts of shares.

    Args:
        value: of the trade, bought or sold.
        price: currency per share.
        costs: the book's.
    """
    taxed = costs.commission_rate + (costs.buy_tax + costs.sell_tax) / 2
    return costs.multiple * abs(value) * (costs.half_spread + costs.commission_per_share / price + taxed)
