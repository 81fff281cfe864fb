"""Overnight and intraday parts of the return: who trades at the open and who at the close differ, and so do trends."""

from __future__ import annotations

from pipeline.features.engine.expressions import (
    correlation,
    cross_rank,
    decayed_total,
    deviation,
    total,
)
from pipeline.features.families.factors import INTRADAY, OVERNIGHT, RETURN, exceed_peers
from pipeline.features.feature import Feature

FAMILY = "day parts"
TUG_OF_WAR = "Lou, Polk and Skouras 2019, A tug of war: overnight versus intraday expected returns, JFE 134"
SENTIMENT = "Aboody, Even-Tov, Lehavy and Trueman 2018, Overnight returns and firm-specific investor sentiment, JFQA 53"
HESTON = "Heston, Korajczyk and Sadka 2010, Intraday patterns in the cross-section of stock returns, JF 65"

OWN_NIGHT, OWN_DAY = (exceed_peers(one) for one in (OVERNIGHT, INTRADAY))
"""Less what the rest of the sector did."""

FEATURES = (
    *(Feature.express(f"overnight_{n}", FAMILY, "log return", total(OVERNIGHT, n), SENTIMENT) for n in (5, 20, 60)),
    *(Feature.express(f"intraday_{n}", FAMILY, "log return", total(INTRADAY, n), TUG_OF_WAR) for n in (5, 20, 60)),
    Feature.express("tug_of_war_20", FAMILY, "log return", total(OVERNIGHT - INTRADAY, 20), TUG_OF_WAR),
    Feature.express("overnight_in_sector_10", FAMILY, "log return", decayed_total(OWN_NIGHT, 10, 30), TUG_OF_WAR),
    Feature.express("intraday_in_sector_10", FAMILY, "log return", decayed_total(OWN_DAY, 10, 30), TUG_OF_WAR),
    Feature.express("overnight_rank_20", FAMILY, "-1 to 1", cross_rank(total(OVERNIGHT, 20)), TUG_OF_WAR),
    Feature.express(
        "overnight_share_60", FAMILY, "ratio", deviation(OVERNIGHT, 60) / deviation(RETURN, 60), TUG_OF_WAR
    ),
    Feature.express("night_then_day_60", FAMILY, "correlation", correlation(OVERNIGHT, INTRADAY, 60), HESTON),
)
"""What this module declares, in the order of the columns."""
