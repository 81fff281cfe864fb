"""Lead and lag by sector: what the rest of the sector has done and the ticker has not, yet."""

from __future__ import annotations

from pipeline.features.engine.expressions import (
    beta,
    correlation,
    cross_mean,
    cross_rank,
    decayed_total,
    if_known,
    lag,
    mean,
    peer_mean,
    total,
)
from pipeline.features.families.factors import DOLLARS, MARKET, RETURN
from pipeline.features.feature import Feature

FAMILY = "sector leads"
HOU = "Hou 2007, Industry information diffusion and the lead-lag effect in stock returns, RFS 20"
MOSKOWITZ = "Moskowitz and Grinblatt 1999, Do industries explain momentum?, Journal of Finance 54"
DELAY = "Hou and Moskowitz 2005, Market frictions, price delay, and the cross-section of expected returns, RFS 18"

PEERS = if_known(peer_mean(RETURN, "sector"), cross_mean(RETURN))
"""The mean return of the sector's other members; of all members where there is none."""
SIZE = mean(DOLLARS, 20)
LEADERS = if_known(peer_mean(RETURN, "sector", SIZE), cross_mean(RETURN, "market", SIZE))
"""The same weighted by what is traded of each: large names lead."""

FEATURES = (
    Feature.express("peers_1", FAMILY, "log return", PEERS, HOU),
    *(Feature.express(f"peers_lead_{n}", FAMILY, "log return", total(PEERS - RETURN, n), HOU) for n in (1, 5, 20)),
    *(Feature.express(f"leaders_lead_{n}", FAMILY, "log return", total(LEADERS - RETURN, n), HOU) for n in (1, 5)),
    Feature.express("leaders_lead_decayed_5", FAMILY, "log return", decayed_total(LEADERS - RETURN, 5, 15), HOU),
    Feature.express("leaders_lead_rank_5", FAMILY, "-1 to 1", cross_rank(total(LEADERS - RETURN, 5)), HOU),
    Feature.express("sector_momentum_60", FAMILY, "log return", total(PEERS - MARKET, 60), MOSKOWITZ),
    Feature.express("followed_60", FAMILY, "correlation", correlation(RETURN, lag(PEERS, 1), 60), DELAY),
    Feature.express("expected_from_peers_60", FAMILY, "log return", beta(RETURN, lag(PEERS, 1), 60) * PEERS, DELAY),
    Feature.express("market_delay_60", FAMILY, "ratio", beta(RETURN, lag(MARKET, 1), 60), DELAY),
)
"""What this module declares, in the order of the columns."""
