"""Days that look like earnings: a gap, unusual volume and news together, and the drift that follows them.

No table says when a company reports. A session on which all three come together is its nearest public sign.
"""

from __future__ import annotations

from pipeline.features.engine.expressions import (
    absolute,
    cross_rank,
    decayed_total,
    deviation,
    greater,
    highest,
    highest_at,
    lag,
    log,
    maximum,
    minimum,
    total,
)
from pipeline.features.families.factors import ARTICLES, OVERNIGHT, RESIDUAL, VOLUME_SURPRISE, exceed_peers
from pipeline.features.feature import Feature

FAMILY = "earnings days"
DRIFT = "Bernard and Thomas 1989, Post-earnings-announcement drift, Journal of Accounting Research 27"
VOLUME = "Garfinkel and Sokobin 2006, Volume, opinion divergence, and returns, Journal of Accounting Research 44"
PREMIUM = "Frazzini and Lamont 2007, The earnings announcement premium and trading volume, NBER 13090"

GAP = exceed_peers(OVERNIGHT) / deviation(lag(OVERNIGHT, 1), 20)
"""The night's return less that of the rest of the sector, in deviations of the 20 nights before."""
HEARD = maximum(minimum(VOLUME_SURPRISE, 8), 0) * log(ARTICLES + 1)
"""Unusual volume times news: 0 without either."""
SURPRISE = maximum(minimum(GAP, 8), -8) * HEARD
"""Gap x volume x news, its sign that of the gap; held within eight deviations each, for a few days would be all."""
SIZE = absolute(SURPRISE)

FEATURES = (
    Feature.express("earnings_surprise_1", FAMILY, "score", SURPRISE, DRIFT),
    *(
        Feature.express(f"earnings_drift_{n}", FAMILY, "score", decayed_total(SURPRISE, n, 3 * n), DRIFT)
        for n in (5, 20)
    ),
    Feature.express("earnings_drift_rank_20", FAMILY, "-1 to 1", cross_rank(decayed_total(SURPRISE, 20, 60)), DRIFT),
    Feature.express("earnings_size_60", FAMILY, "ln score", log(highest(SIZE, 60) + 1), VOLUME),
    Feature.express("sessions_since_earnings_60", FAMILY, "sessions", 60 - highest_at(SIZE, 60), PREMIUM),
    Feature.express("return_on_earnings_60", FAMILY, "log return", total(RESIDUAL * greater(SIZE, 3), 60), DRIFT),
)
"""What this module declares, in the order of the columns."""
