"""What a feature's values are made of: as it declares, as its expression says, or as its kernel asks a view for it."""

from __future__ import annotations

from functools import lru_cache

from pipeline.features.engine.expressions import COMPARISONS, Expression, walk
from pipeline.features.feature import Feature
from pipeline.features.provenance.expression_uses import COLUMNS, find_expression_uses
from pipeline.features.provenance.parts import Part, make_parts
from pipeline.features.provenance.uses import Use, grown, growth, market, news, shares, traded


@lru_cache(maxsize=1024)
def find_uses(feature: Feature) -> tuple[Use, ...]:
    """What it is made of."""
    if isinstance(feature.kernel, Expression) and not _looks_beyond_prices(feature.kernel):
        return find_expression_uses(feature.kernel)
    return _assume_all(feature.warm_up) if feature.uses is None else feature.uses


@lru_cache(maxsize=1024)
def find_parts(feature: Feature) -> tuple[Part, ...]:
    """The same, brought together by the tickers it belongs to."""
    return make_parts(find_uses(feature))


def _looks_beyond_prices(expression: Expression) -> bool:
    """Whether it compares tickers, or is made of anything but the ticker's own bars."""
    facts = {one.text for one in walk([expression]) if one.operation == "fact"}
    return any(one.operation in COMPARISONS for one in walk([expression])) or not facts <= set(COLUMNS)


def _assume_all(warm_up: int) -> tuple[Use, ...]:
    """All that a view of so many sessions shows of the ticker and of the market."""
    count = warm_up + 1
    bars = (grown("open high low close", count), growth("close volume", count), traded("open high low close", count))
    return *bars, traded("close volume", count), shares(count), market(count), news("score strength article_id", count)
