"""Volume surprise: how unusual a session's volume is for the ticker, market and sector, and what the price did."""

from __future__ import annotations

from pipeline.features.engine.expressions import (
    correlation,
    cross_rank,
    decayed_total,
    greater,
    mean,
    rank,
    total,
)
from pipeline.features.families.factors import LOG_VOLUME, RESIDUAL, VOLUME_SURPRISE, exceed_peers
from pipeline.features.feature import Feature

FAMILY = "volume surprise"
PREMIUM = "Gervais, Kaniel and Mingelgrin 2001, The high-volume return premium, Journal of Finance 56"
DYNAMIC = "Llorente, Michaely, Saar and Wang 2002, Dynamic volume-return relation, Review of Financial Studies 15"

OWN_SURPRISE = exceed_peers(VOLUME_SURPRISE)
"""Beyond what the rest of the sector traded more than usual."""
BUSY = greater(VOLUME_SURPRISE, 1)

FEATURES = (
    Feature.express("volume_surprise_1", FAMILY, "standard deviations", VOLUME_SURPRISE, PREMIUM),
    Feature.express("volume_surprise_5", FAMILY, "standard deviations", mean(VOLUME_SURPRISE, 5), PREMIUM),
    Feature.express("volume_rank_50", FAMILY, "share", rank(LOG_VOLUME, 50), PREMIUM),
    Feature.express("volume_surprise_rank_1", FAMILY, "-1 to 1", cross_rank(VOLUME_SURPRISE), PREMIUM),
    Feature.express("volume_surprise_in_sector_1", FAMILY, "standard deviations", OWN_SURPRISE, PREMIUM),
    Feature.express("volume_surprise_in_sector_5", FAMILY, "standard deviations", mean(OWN_SURPRISE, 5), PREMIUM),
    *(
        Feature.express(
            f"volume_signed_{n}", FAMILY, "log return", decayed_total(VOLUME_SURPRISE * RESIDUAL, n, 3 * n), DYNAMIC
        )
        for n in (3, 10)
    ),
    Feature.express("busy_return_20", FAMILY, "log return", total(RESIDUAL * BUSY, 20), DYNAMIC),
    Feature.express("quiet_return_20", FAMILY, "log return", total(RESIDUAL * (1 - BUSY), 20), DYNAMIC),
    Feature.express(
        "volume_return_correlation_20", FAMILY, "correlation", correlation(LOG_VOLUME, RESIDUAL, 20), DYNAMIC
    ),
)
"""What this module declares, in the order of the columns."""
