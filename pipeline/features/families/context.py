"""Rank, market and sector: where a ticker stands among the universe's members."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipeline.features.families.risk import dollar_volume_20, relative_volume_20, volatility
from pipeline.features.families.trend import log_return
from pipeline.features.feature import Feature, Kernel
from pipeline.features.panel import Floats
from pipeline.features.provenance import uses
from pipeline.features.provenance.uses import Use
from pipeline.features.trailing_window import View, deviation, mean, total


def rank(name: str, of: Kernel) -> Kernel:
    """Share of the members below less share above, the ticker itself left out; NaN where there is no one else."""

    def kernel(view: View) -> Floats:
        values = view.compute_once(name, of)
        counted = view.members & ~np.isnan(values)
        ordered = np.sort(values[counted])
        below = np.searchsorted(ordered, values, side="left")
        above = len(ordered) - np.searchsorted(ordered, values, side="right")
        others = len(ordered) - counted
        placed = (below - above) / np.where(others == 0, np.nan, others)
        return np.where(np.isnan(values), np.nan, placed)

    return kernel


def sector_mean(view: View, values: Floats) -> Floats:
    """[tickers] mean of the values over the members of each ticker's sector; NaN where it has none with a value."""
    counted = view.members & ~np.isnan(values)
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
        own = view.compute_once(f"return_{sessions}", log_return(sessions))
        return own - view.compute_once("beta_60", beta_60) * float(view.last("market", sessions).sum())

    return kernel


def residual_volatility_60(view: View) -> Floats:
    """Volatility that the market does not explain."""
    share = view.compute_once("correlation_60", correlation_60)
    return view.compute_once("volatility_60", volatility(60)) * np.sqrt(np.maximum(1 - share * share, 0.0))


def market_return_20(view: View) -> Floats:
    """The members' equal-weight return; the same for every ticker."""
    return _same_for_all(view, float(view.last("market", 20).sum()))


def market_volatility_20(view: View) -> Floats:
    """Standard deviation of the members' equal-weight daily return; the same for every ticker."""
    return _same_for_all(view, float(deviation(view.last("market", 20)[:, None])[0]))


def sector_return(sessions: int) -> Kernel:
    """Return less the mean of the sector's members."""

    def kernel(view: View) -> Floats:
        own = view.compute_once(f"return_{sessions}", log_return(sessions))
        return own - sector_mean(view, own)

    return kernel


def _fit(view: View) -> _Fit:
    market = view.last("market", 60)[:, None]
    returns = view.returns(60)
    own, common = returns - mean(returns), market - mean(market)
    together = total(own * common)
    spread = float((common * common).sum())
    return _Fit(together / spread, together / np.sqrt(total(own * own) * spread))


def _same_for_all(view: View, value: float) -> Floats:
    return np.full(len(view.members), value)


def _against_sector(own: Use, feature: str) -> tuple[Use, ...]:
    """A ticker that is its sector's only member is compared with itself, which gives 0 whatever its prices are."""
    both = replace(own, compares=feature), *uses.compared([own], feature, "sector")
    return tuple(replace(use, only="others") for use in both)


RANK = tuple(
    Feature(
        f"rank_{name}",
        "rank",
        unit="-1 to 1",
        formula=f"share of universe members with a lower {name} less share with a higher one, itself left out",
        warm_up=warm_up,
        kernel=rank(name, of),
        uses=(own, *uses.compared([own], name, "members")),
    )
    for name, warm_up, of, own in (
        ("return_5", 5, log_return(5), uses.grown("close", (0, 5))),
        ("return_20", 20, log_return(20), uses.grown("close", (0, 20))),
        ("return_60", 60, log_return(60), uses.grown("close", (0, 60))),
        ("volatility_20", 20, volatility(20), uses.grown("close", 21)),
        ("dollar_volume_20", 19, dollar_volume_20, uses.traded("close volume", 20)),
        ("relative_volume_20", 19, relative_volume_20, uses.shares(20)),
    )
)

MARKET = (
    Feature(
        "market_return_20",
        "market",
        unit="log return",
        formula="equal-weight return of the universe's members, 20 sessions",
        warm_up=20,
        kernel=market_return_20,
        uses=(uses.market(20),),
    ),
    Feature(
        "market_volatility_20",
        "market",
        unit="log return per session",
        formula="sample sd of the members' equal-weight return, 20 sessions",
        warm_up=20,
        kernel=market_volatility_20,
        uses=(uses.market(20),),
    ),
    Feature(
        "beta_60",
        "market",
        unit="ratio",
        formula="covariance of return_1 with the members' equal-weight return over its variance, 60 sessions",
        warm_up=60,
        kernel=beta_60,
        uses=(
            uses.grown("close", 61),
            uses.market(60),
        ),
    ),
    Feature(
        "correlation_60",
        "market",
        unit="correlation",
        formula="of return_1 with the members' equal-weight return, 60 sessions",
        warm_up=60,
        kernel=correlation_60,
        uses=(
            uses.grown("close", 61),
            uses.market(60),
        ),
    ),
    *(
        Feature(
            f"residual_return_{n}",
            "market",
            unit="log return",
            formula=f"return_{n} less beta_60 times the members' equal-weight return over {n} sessions",
            warm_up=60,
            kernel=residual_return(n),
            uses=(
                uses.grown("close", 61),
                uses.market(60),
            ),
        )
        for n in (1, 5, 20, 60)
    ),
    Feature(
        "residual_volatility_60",
        "market",
        unit="log return per session",
        formula="volatility_60 x sqrt(1 - correlation_60^2): what the market does not explain",
        warm_up=60,
        kernel=residual_volatility_60,
        uses=(
            uses.grown("close", 61),
            uses.market(60),
        ),
    ),
    Feature(
        "sector_return_5",
        "market",
        unit="log return",
        formula="return_5 less its mean over the sector's members",
        warm_up=5,
        kernel=sector_return(5),
        uses=_against_sector(uses.grown("close", (0, 5)), "return_5"),
    ),
    Feature(
        "sector_return_20",
        "market",
        unit="log return",
        formula="return_20 less its mean over the sector's members",
        warm_up=20,
        kernel=sector_return(20),
        uses=_against_sector(uses.grown("close", (0, 20)), "return_20"),
    ),
)

FEATURES = (*RANK, *MARKET)
"""What this module declares, in the order of the columns."""
