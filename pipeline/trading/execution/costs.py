"""What trading costs: half-spread, square-root impact and commission, for a fill and for a plan."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from pipeline.trading.books.money import MICROS_PER_CENT, to_cents, to_micros
from pipeline.trading.currencies.session_rates import OWN, Exchange
from pipeline.trading.execution.arithmetic import MANY, ONE, Arithmetic, Block
from pipeline.trading.params import Costs

MILLION = 1_000_000
"""Rates of tariffs and taxes are whole millionths."""


@dataclass(frozen=True)
class Fill:
    """A fill with its costs apart; prices in millionths, amounts in cents. Buys and sales both count costs positive.

    The price is as quoted, amounts are in the book's currency.
    """

    shares: int
    price: int
    gross: int
    commission: int
    spread_cost: int
    impact_cost: int
    quoted: int = 0
    """Shares x price in hundredths of what the name is quoted in."""


class Fills(NamedTuple):
    """Fills side by side, priced alike; whole numbers in arrays of one shape."""

    price: Block
    """Millionths."""
    gross: Block
    """Cents, as the commission."""
    commission: Block


def impact_fraction(shares: float, median_volume: float | None, volatility: float | None, costs: Costs) -> float:
    """Return the price move an order causes, as a fraction: Y x volatility x sqrt(shares / daily volume).

    The square-root law of Almgren, Thum, Hauptmann and Li (2005), "Direct estimation of equity market impact", and
    the literature after it. Where the volume is not known the order counts as a whole session's volume.
    """
    known = volatility is not None and isfinite(volatility)
    sigma = volatility if known and volatility is not None else costs.unknown_volatility
    share = shares / median_volume if median_volume else 1.0
    return float(_move(ONE, share, sigma, costs))


def _move(of: Arithmetic, share: Any, sigma: Any, costs: Costs) -> Any:
    return costs.multiple * costs.impact * sigma * of.root(of.lesser(share, 1.0))


def commission(shares: int, costs: Costs, gross: int = 0, side: str = "buy") -> int:
    """Return an order's commission and taxes in cents; 0 for no shares.

    The tariff is per share and by value, with a minimum and a maximum; taxes come on top.

    Args:
        shares: filled.
        costs: the schedule.
        gross: the fill's value, cents.
        side: buy or sell, which are taxed apart.
    """
    return int(_charge(ONE, shares, gross, 1 if side == "buy" else -1, costs))


class _Tariff(NamedTuple):
    """A schedule's commission and taxes in whole numbers."""

    per_share: int
    """Millionths of the currency."""
    by_value: int
    """Millionths of the value, as the taxes."""
    least: int
    """Cents an order."""
    most: int | None
    taxes: tuple[tuple[int, int], ...]
    """Direction and rate of those that are levied."""


@lru_cache(maxsize=64)
def _read_tariff(costs: Costs) -> _Tariff:
    """Worked out once a schedule: decimals take longer than all the rest of a charge."""
    multiple = costs.multiple
    taxes = ((1, costs.buy_tax), (-1, costs.sell_tax))
    return _Tariff(
        per_share=to_micros(costs.commission_per_share * multiple),
        by_value=to_micros(costs.commission_rate * multiple),
        least=to_cents(costs.min_commission * multiple),
        most=to_cents(costs.max_commission * multiple) if costs.max_commission else None,
        taxes=tuple((side, to_micros(tax * multiple)) for side, tax in taxes if tax),
    )


def _charge(of: Arithmetic, shares: Any, gross: Any, direction: Any, costs: Costs) -> Any:
    tariff = _read_tariff(costs)
    charged = of.half_even(shares * tariff.per_share, MICROS_PER_CENT)
    if tariff.by_value:
        charged = charged + of.half_even(gross * tariff.by_value, MILLION)
    charged = of.greater(charged, tariff.least)
    if tariff.most is not None:
        charged = of.lesser(charged, tariff.most)
    for side, rate in tariff.taxes:
        charged = charged + of.half_even(gross * rate, MILLION) * (direction == side)
    return charged * (shares > 0)


def _slip(of: Arithmetic, direction: Any, open_price: Any, impact: Any, costs: Costs) -> Any:
    """The price after half-spread and impact, at least a millionth."""
    slippage = costs.multiple * costs.half_spread + impact
    return of.greater(of.nearest(open_price * (1 + direction * slippage)), 1)


def _value(of: Arithmetic, shares: Any, price: Any) -> Any:
    return of.half_even(shares * price, MICROS_PER_CENT)


def price_fill(
    side: str,
    shares: int,
    open_price: int,
    median_volume: float | None,
    volatility: float | None,
    costs: Costs,
    exchange: Exchange = OWN,
    limit: int | None = None,
) -> Fill:
    """Fill shares at an opening price (millionths): a buy pays half-spread and impact on top, a sale gives them up.

    The two costs add up to the cent to the difference between the fill's value and the open's. Of a foreign name each
    amount is exact in its own currency first, and converted once; commission is charged in the book's. A limit
    (millionths, None of a market order) bounds the price, whatever the costs would make of it.
    """
    impact = impact_fraction(shares, median_volume, volatility, costs)
    price = _slip(ONE, 1 if side == "buy" else -1, open_price, impact, costs)
    if limit is not None:
        price = min(price, limit) if side == "buy" else max(price, limit)
    quoted = _value(ONE, shares, price)
    half_spread = round(open_price * (costs.multiple * costs.half_spread))
    gross, at_open, half = map(
        exchange.to_book, (quoted, _value(ONE, shares, open_price), _value(ONE, shares, half_spread))
    )
    slipped = abs(gross - at_open)
    spread_cost = min(half, slipped)
    paid = commission(shares, costs, gross, side)
    return Fill(shares, price, gross, paid, spread_cost, slipped - spread_cost, quoted)


def price_fills(
    direction: Block, shares: Block, open_prices: Block, median_volumes: Block, volatilities: Block, costs: Costs
) -> Fills:
    """Fill many orders at once, each at the very price and for the very cents that `price_fill` gives it alone.

    Args:
        direction: 1 of a buy, -1 of a sale.
        shares: whole, 0 or more; of none all amounts are 0.
        open_prices: whole millionths.
        median_volumes: shares; 0 where not known.
        volatilities: fraction per session, finite.
        costs: the schedule.

    Raises:
        BeyondExactError: if an amount is too large for arrays.
    """
    impact = _move(MANY, shares / median_volumes, volatilities, costs)
    price = _slip(MANY, direction, open_prices, impact, costs)
    gross = _value(MANY, shares, price)
    return Fills(price, gross, _charge(MANY, shares, gross, direction, costs))


def split_slippage(shares: Block, open_prices: Block, gross: Block, costs: Costs) -> tuple[Block, Block]:
    """Return half-spread and impact of fills in cents, as `price_fill` sets them apart.

    Args:
        shares: whole.
        open_prices: whole millionths.
        gross: cents.
        costs: the schedule.
    """
    half_spread = MANY.nearest(open_prices * (costs.multiple * costs.half_spread))
    slipped = abs(gross - _value(MANY, shares, open_prices))
    spread_cost = MANY.lesser(_value(MANY, shares, half_spread), slipped)
    return spread_cost, slipped - spread_cost


def take_of_volume(volume: int, costs: Costs) -> int:
    """Return the most shares that one order may take of a session's volume."""
    return int(costs.participation * volume)


def limit_to_volumes(shares: Block, volumes: Block, costs: Costs) -> Block:
    """Return the whole shares of many orders, each limited to what it may take of the volume beside it."""
    most = costs.participation * volumes
    return np.minimum(shares, np.floor(most)) if (shares > most).any() else shares


def round_trip(
    value: float, close: float, median_volume: float | None, volatility: float | None, costs: Costs
) -> float:
    """Return what buying and selling a position of that value is expected to cost, as a fraction of the value.

    Args:
        value: currency; at least one share is assumed.
        close: currency per share.
        median_volume: shares per session.
        volatility: fraction per session.
    """
    shares = max(int(value // close), 1)
    if median_volume:
        shares = max(min(shares, int(costs.participation * median_volume)), 1)
    slippage = costs.multiple * costs.half_spread + impact_fraction(shares, median_volume, volatility, costs)
    cents = round(100 * shares * close)
    both = commission(shares, costs, cents, "buy") + commission(shares, costs, cents, "sell")
    return 2 * (slippage + both / 2 / (100 * shares * close))
