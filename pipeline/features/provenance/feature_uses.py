"""What a kernel's values are made of: as it declares, or else all that it could see."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from pipeline.features.feature import Feature
from pipeline.features.provenance.parts import Part, make_parts
from pipeline.features.provenance.uses import Use, grown, growth, news, shares, traded


@lru_cache(maxsize=1024)
def find_parts(feature: Feature) -> tuple[Part, ...]:
    """What a feature with a kernel is made of, brought together by the tickers it belongs to."""
    return make_parts(_assume_all(feature.warm_up) if feature.uses is None else feature.uses)


def _assume_all(warm_up: int) -> tuple[Use, ...]:
    """All that a view of so many sessions shows, of the ticker and of all others."""
    count = warm_up + 1
    own = (
        grown("open high low close", count),
        growth("close volume", count),
        traded("open high low close volume", count),
        shares(count),
        news("score strength article_id", count),
    )
    return *own, *(replace(use, of="everyone") for use in own)
