"""What positions made in a session, by the market, by sectors, and by the choice of names within them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass

from pipeline.trading.books.money import to_cents

Amounts = dict[tuple[str, str], int]
"""(part, item) -> cents."""


@dataclass(frozen=True, kw_only=True)
class MarketSession:
    """What names did in a session, and how they were expected to follow the market."""

    returns: Mapping[str, float]
    """Ticker -> total return of the session, fraction."""
    members: Set[str]
    """Of the universe at the close before."""
    betas: Mapping[str, float]
    sectors: Mapping[str, str]

    def average(self) -> float:
        """The mean return of the members."""
        return _mean([self.returns[name] for name in sorted(self.members) if name in self.returns])

    def average_sectors(self) -> dict[str, float]:
        """Sector -> mean return of its members beyond their betas' part of the market's."""
        market, beyond = self.average(), defaultdict[str, list[float]](list)
        for name in sorted(self.members & set(self.returns) & set(self.sectors)):
            beyond[self.sectors[name]].append(self.returns[name] - self.betas.get(name, 1.0) * market)
        return {sector: _mean(values) for sector, values in beyond.items()}


def split_exposures(made: Mapping[str, int], worth: Mapping[str, float], market: MarketSession) -> Amounts:
    """Return what positions made by part; the parts add up to it.

    A position's part of the market is its worth x beta x the mean return of the members; its sector's part is its worth
    x what the sector's members made beyond that, on average; what is left is the choice of the name (Brinson and
    Fachler 1985, on a factor model).

    Args:
        made: ticker -> cents that the position made.
        worth: ticker -> book's currency at the close before, after the session's trades.
        market: of the session.
    """
    average, sectors = market.average(), market.average_sectors()
    exact: dict[tuple[str, str], float] = defaultdict(float)
    for name, value in sorted(worth.items()):
        exact["market", ""] += value * market.betas.get(name, 1.0) * average
        sector = market.sectors.get(name)
        if sector in sectors:
            exact["sector", sector] += value * sectors[sector]
    amounts = {key: to_cents(value) for key, value in exact.items()}
    return {**amounts, ("selection", ""): sum(made.values()) - sum(amounts.values())}


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
