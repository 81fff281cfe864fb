"""Quantities that several families build on: returns, what market and sector do not explain of them, news, volume."""

from __future__ import annotations

from pipeline.features.engine.expressions import (
    Expression,
    beta,
    cross_mean,
    cross_residual,
    deviation,
    fact,
    if_known,
    lag,
    log,
    mean,
    peer_mean,
)

OPEN, HIGH, LOW, CLOSE, VOLUME = (fact(name) for name in ("open", "high", "low", "close", "volume"))

GROWTH = CLOSE / lag(CLOSE, 1)
RETURN = log(GROWTH)
"""The session's log total return."""
MARKET = log(cross_mean(GROWTH))
"""The members' equal-weight return."""
BETA = beta(RETURN, MARKET, 60)


def exceed_peers(of: Expression) -> Expression:
    """The value less the mean of the sector's other members; where there is none, less that of all members."""
    return of - if_known(peer_mean(of, "sector"), cross_mean(of))


RESIDUAL = exceed_peers(cross_residual(RETURN, [BETA]))
"""The return that neither beta, by a regression across the session's members, nor the rest of the sector explains."""
RESIDUAL_RISK = deviation(RESIDUAL, 60)

OVERNIGHT = log(OPEN / lag(CLOSE, 1))
INTRADAY = log(CLOSE / OPEN)

LOG_VOLUME = log(VOLUME + 1)
VOLUME_SURPRISE = (LOG_VOLUME - mean(lag(LOG_VOLUME, 1), 20)) / deviation(lag(LOG_VOLUME, 1), 20)
"""How unusual the session's volume is, in standard deviations of the 20 sessions before it."""
DOLLARS = CLOSE * VOLUME

SENTIMENT = fact("news_signal") / (fact("news_weight") + 1)
"""The session's mean score; one neutral article of full strength is added, so that little news says little."""
ARTICLES = fact("articles")
