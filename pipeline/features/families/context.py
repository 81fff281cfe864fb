"""Rank, market and sector: where a ticker stands among the universe's members."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.features.families.risk import dollar_volume_20, relative_volume_20, volatility
from pipeline.features.families.trend import Kernel, log_return
from pipeline.features.panel import Floats
from pipeline.features.trailing_window import View, deviation, mean, total


def rank(name: str, of: Kernel) -> Kernel:
    """Share of the members below less share above, the ticker itself left out; NaN where there is no one else."""

    def kernel(view: View) -> Floats:
        values = view.kept(name, of)
        counted = view.peers & ~np.isnan(values)
        ordered = np.sort(values[counted])
        below = np.searchsorted(ordered, values, side="left")
        above = len(ordered) - np.searchsorted(ordered, values, side="right")
        others = len(ordered) - counted
        placed = (below - above) / np.where(others == 0, np.nan, others)
        return np.where(np.isnan(values), np.nan, placed)

    return kernel


def sector_mean(view: View, values: Floats) -> Floats:
    """[tickers] mean of the values over the members of each ticker's sector; NaN where it has none with a value."""
    counted = view.peers & ~np.isnan(values)
    size = int(view.sector.max(initial=-1)) + 1
    added = np.bincount(view.sector[counted], weights=values[counted], minlength=size)
    count = np.bincount(view.sector[counted], minlength=size)
    average = np.append(added / np.where(count == 0, np.nan, count), np.nan)
    return average[view.sector]


@dataclass(frozen=True)
class _Fit:
    """Moments of daily returns with the market's, 60 sessions, all [tickers]."""

    beta: Floats
    correlation: Floats


def beta_60(view: View) -> Floats:
    """Slope of the ticker's daily returns on the market's."""
    return _fit(view).beta


def correlation_60(view: View) -> Floats:
    """Correlation of the ticker's daily returns with the market's."""
    return _fit(view).correlation


def residual_return(sessions: int) -> Kernel:
    """The return that beta times the market's does not explain."""

    def kernel(view: View) -> Floats:
        own = view.kept(f"return_{sessions}", log_return(sessions))
        return own - view.kept("beta_60", beta_60) * float(view.last("market", sessions).sum())

    return kernel


def residual_volatility_60(view: View) -> Floats:
    """Volatility that the market does not explain."""
    share = view.kept("correlation_60", correlation_60)
    return view.kept("volatility_60", volatility(60)) * np.sqrt(np.maximum(1 - share * share, 0.0))


def market_return_20(view: View) -> Floats:
    """The members' equal-weight return; the same for every ticker."""
    return _for_all(view, float(view.last("market", 20).sum()))


def market_volatility_20(view: View) -> Floats:
    """Standard deviation of the members' equal-weight daily return; the same for every ticker."""
    return _for_all(view, float(deviation(view.last("market", 20)[:, None])[0]))


def sector_return(sessions: int) -> Kernel:
    """Return less the mean of the sector's members."""

    def kernel(view: View) -> Floats:
        own = view.kept(f"return_{sessions}", log_return(sessions))
        return own - sector_mean(view, own)

    return kernel


def _fit(view: View) -> _Fit:
    market = view.last("market", 60)[:, None]
    returns = view.returns(60)
    own, common = returns - mean(returns), market - mean(market)
    together = total(own * common)
    spread = float((common * common).sum())
    return _Fit(together / spread, together / np.sqrt(total(own * own) * spread))


def _for_all(view: View, value: float) -> Floats:
    return np.full(len(view.peers), value)


RANK: Mapping[str, Kernel] = {
    f"rank_{name}": rank(name, of)
    for name, of in {
        "return_5": log_return(5),
        "return_20": log_return(20),
        "return_60": log_return(60),
        "volatility_20": volatility(20),
        "dollar_volume_20": dollar_volume_20,
        "relative_volume_20": relative_volume_20,
    }.items()
}
MARKET: Mapping[str, Kernel] = {
    "market_return_20": market_return_20,
    "market_volatility_20": market_volatility_20,
    "beta_60": beta_60,
    "correlation_60": correlation_60,
    **{f"residual_return_{n}": residual_return(n) for n in (1, 5, 20, 60)},
    "residual_volatility_60": residual_volatility_60,
    "sector_return_5": sector_return(5),
    "sector_return_20": sector_return(20),
}
