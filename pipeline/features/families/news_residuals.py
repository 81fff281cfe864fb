"""News-conditioned residual returns: what the price did beside its market and sector on days with and without news."""

from __future__ import annotations

from pipeline.features.engine.expressions import cross_rank, decayed_total, greater, total, where
from pipeline.features.families.factors import ARTICLES, RESIDUAL, RESIDUAL_RISK, SENTIMENT
from pipeline.features.feature import Feature

FAMILY = "news residuals"
CHAN = "Chan 2003, Stock price reaction to news and no-news, Journal of Financial Economics 70"
TETLOCK = "Tetlock, Saar-Tsechansky and Macskassy 2008, More than words, Journal of Finance 63"

TOLD = SENTIMENT * RESIDUAL
"""Above 0 where price and news agree."""
WITH_NEWS = greater(ARTICLES, 0)
AGAINST = where(greater(0, TOLD), RESIDUAL, 0)
"""The residual return of sessions on which it went against the news."""

FEATURES = (
    Feature.express("news_residual_1", FAMILY, "log return", TOLD, TETLOCK),
    *(
        Feature.express(f"news_residual_{n}", FAMILY, "log return", decayed_total(TOLD, n, 3 * n), TETLOCK)
        for n in (3, 5, 10)
    ),
    Feature.express("news_residual_rank_5", FAMILY, "-1 to 1", cross_rank(decayed_total(TOLD, 5, 15)), TETLOCK),
    *(
        Feature.express(f"residual_with_news_{n}", FAMILY, "log return", total(RESIDUAL * WITH_NEWS, n), CHAN)
        for n in (5, 20)
    ),
    *(
        Feature.express(f"residual_without_news_{n}", FAMILY, "log return", total(RESIDUAL * (1 - WITH_NEWS), n), CHAN)
        for n in (5, 20)
    ),
    Feature.express("residual_against_news_5", FAMILY, "log return", decayed_total(AGAINST, 5, 15), CHAN),
    Feature.express("news_shock_1", FAMILY, "standard deviations", TOLD / RESIDUAL_RISK, TETLOCK),
)
"""What this module declares, in the order of the columns."""
