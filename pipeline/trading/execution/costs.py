"""What trading costs: half-spread, square-root impact and commission, for a fill and for a plan."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, sqrt

from pipeline.trading.books.money import half_even, to_cents, to_micros, value_of
from pipeline.trading.currencies.session_rates import OWN, Exchange
from pipeline.trading.params import Costs


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


def impact_fraction(shares: float, median_volume: float | None, volatility: float | None, costs: Costs) -> float:
    """Return the price move an order causes, as a fraction: Y x volatility x sqrt(shares / daily volume).

    The square-root law of Almgren, Thum, Hauptmann and Li (2005), "Direct estimation of equity market impact", and
    the literature after it. Where the volume is not known the order counts as a whole session's volume.
    """
    known = volatility is not None and isfinite(volatility)
    sigma = volatility if known and volatility is not None else costs.unknown_volatility
    share = shares / median_volume if median_volume else 1.0
    return costs.multiple * costs.impact * sigma * sqrt(min(share, 1.0))


def commission(shares: int, costs: Costs) -> int:
    """Return an order's commission in cents: per share, with a minimum; 0 for no shares."""
    if shares == 0:
        return 0
    tariff = half_even(shares * to_micros(costs.commission_per_share * costs.multiple), 10_000)
    return max(tariff, to_cents(costs.min_commission * costs.multiple))


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
    half_spread = costs.multiple * costs.half_spread
    impact = impact_fraction(shares, median_volume, volatility, costs)
    direction = 1 if side == "buy" else -1
    price = max(round(open_price * (1 + direction * (half_spread + impact))), 1)
    if limit is not None:
        price = min(price, limit) if side == "buy" else max(price, limit)
    quoted = value_of(shares, price)
    gross, at_open, half = map(
        exchange.to_book, (quoted, value_of(shares, open_price), value_of(shares, round(open_price * half_spread)))
    )
    slipped = abs(gross - at_open)
    spread_cost = min(half, slipped)
    return Fill(shares, price, gross, commission(shares, costs), spread_cost, slipped - spread_cost, quoted)


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
    return 2 * (slippage + commission(shares, costs) / (100 * shares * close))
