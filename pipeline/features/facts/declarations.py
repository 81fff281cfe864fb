"""The facts of a ticker's session that expressions may use: name, unit, meaning, and the tables they come from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from pipeline.features.engine.expressions import Expression, walk

Scale = Literal["price", "volume", "none"]
"""What brings a fact of before an action to the basis of after it: the prices' scale, the volumes', or nothing."""


@dataclass(frozen=True)
class Fact:
    """One matrix [sessions, tickers]; unknown outside a ticker's history."""

    name: str
    unit: str
    meaning: str
    tables: tuple[str, ...]
    """The tables whose rows of the session it is made from."""
    scale: Scale = "none"


def _price(name: str, meaning: str) -> Fact:
    return Fact(name, "currency per share", meaning, ("market_prices", "corporate_actions"), "price")


def _of_news(name: str, unit: str, meaning: str) -> Fact:
    return Fact(name, unit, meaning, ("news_sentiment",))


def _of_bars(name: str, unit: str, meaning: str) -> Fact:
    return Fact(name, unit, meaning, ("intraday_prices",))


PRICE_FACTS = (
    _price("open", "first trade; the last close where that stands for a missing bar, as for all prices"),
    _price("high", "highest trade"),
    _price("low", "lowest trade"),
    _price("close", "last trade"),
    _price("vwap", "(high + low + close) / 3"),
    Fact(
        "volume", "shares", "shares traded; 0 where there is no bar", ("market_prices", "corporate_actions"), "volume"
    ),
)
NEWS_FACTS = (
    _of_news("news_signal", "articles", "sum of strength x score over the articles whose score is known; 0 without"),
    _of_news("news_weight", "articles", "sum of strength over the same articles"),
    _of_news("articles", "count", "articles about the ticker, scored or not"),
)
BAR_FACTS = (
    _of_bars("realised_variance", "squared log return", "sum of the squared five-minute returns, from the open on"),
    _of_bars("falling_variance", "squared log return", "the part of it that negative returns make"),
    _of_bars("bipower_variation", "squared log return", "pi/2 times the sum of products of neighbours' sizes"),
    _of_bars("first_half_hour", "log return", "from the open to half an hour after it"),
    _of_bars("last_half_hour", "log return", "from half an hour before the close to it"),
    _of_bars("first_half_hour_volume", "0 to 1", "share of the session's volume in its first half hour"),
    _of_bars("last_half_hour_volume", "0 to 1", "share of the session's volume in its last half hour"),
    _of_bars("close_over_average", "log ratio", "last price over the average price weighted by volume"),
    _of_bars("close_in_range", "-1 to 1", "where the last price lies between the bars' lowest and highest"),
)
"""Made from bars of five minutes, or of one minute put together to five; unknown where they cover less than 80 % of
the session. They count as they were known when the session's decision was made."""

OF_NEWS, OF_BARS = frozenset(one.name for one in NEWS_FACTS), frozenset(one.name for one in BAR_FACTS)
FACTS = {one.name: one for one in (*PRICE_FACTS, *NEWS_FACTS, *BAR_FACTS)}
"""Name -> fact."""


def list_facts(expressions: Iterable[Expression]) -> frozenset[str]:
    """The names of the facts that some expressions are computed from."""
    return _list_facts(tuple(expressions))


@lru_cache(maxsize=512)
def _list_facts(expressions: tuple[Expression, ...]) -> frozenset[str]:
    return frozenset(one.text for one in walk(expressions) if one.operation == "fact")


def find_scale(name: str) -> Scale:
    """What scales a fact across actions; what is compared across tickers is a pure number."""
    return FACTS[name].scale if name in FACTS else "none"
