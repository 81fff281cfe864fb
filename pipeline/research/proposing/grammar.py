"""What a proposed factor is made of: words that stand for expressions, and the ways one becomes another.

A proposal is a sentence of the grammar. It can be written as the Python of a plugin, computed as an expression, changed
(another window, another word), combined with a second one, and pruned to a part of itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from pipeline.features.engine import expressions as ex
from pipeline.features.engine.expressions import Expression, fact

WINDOWS = (3, 5, 10, 20, 60)
LAGS = (1, 5)
MAX_SIZE = 5
"""Words of the longest sentence."""


@dataclass(frozen=True)
class Sentence:
    """A sentence: a word with its window, or a way of joining sentences."""

    word: str
    window: int = 0
    """Sessions; 0 where the word has none."""
    parts: tuple[Sentence, ...] = ()

    @property
    def text(self) -> str:
        """The sentence as people read it; two with the same text are the same one."""
        inside = ", ".join([*(part.text for part in self.parts), *([str(self.window)] if self.window else [])])
        return f"{self.word}({inside})"

    @property
    def size(self) -> int:
        """How many words it has."""
        return 1 + sum(part.size for part in self.parts)

    def express(self) -> Expression:
        """What it computes."""
        if self.word in WORDS:
            return WORDS[self.word](self.window)
        return JOINS[self.word](*(part.express() for part in self.parts), self.window)


# ---- words: factors of one window each

CLOSE, OPEN, HIGH, LOW, VOLUME = (fact(name) for name in ("close", "open", "high", "low", "volume"))
GROWTH = CLOSE / ex.lag(CLOSE, 1) - 1.0
TRADED = ex.log(VOLUME + 1.0)
RANGE = (HIGH - LOW) / CLOSE

WORDS: dict[str, Callable[[int], Expression]] = {
    "momentum": lambda n: CLOSE / ex.lag(CLOSE, n) - 1.0,
    "skipped_momentum": lambda n: ex.lag(CLOSE, max(n // 4, 1)) / ex.lag(CLOSE, n + max(n // 4, 1)) - 1.0,
    "over_average": lambda n: CLOSE / ex.mean(CLOSE, n) - 1.0,
    "volatility": lambda n: ex.deviation(GROWTH, n),
    "range": lambda n: ex.mean(RANGE, n),
    "place_in_range": lambda n: (CLOSE - ex.lowest(LOW, n)) / (ex.highest(HIGH, n) - ex.lowest(LOW, n)),
    "volume_surprise": lambda n: TRADED - ex.mean(TRADED, n),
    "volume_trend": lambda n: ex.slope(TRADED, n),
    "price_with_volume": lambda n: ex.correlation(GROWTH, TRADED, n),
    "by_day": lambda n: ex.mean(CLOSE / OPEN - 1.0, n),
    "overnight": lambda n: ex.mean(OPEN / ex.lag(CLOSE, 1) - 1.0, n),
    "trend": lambda n: ex.slope(CLOSE, n) / CLOSE,
    "steadiness": lambda n: ex.r_squared(CLOSE, n),
    "news": lambda n: ex.total(fact("news_signal"), n),
    "attention": lambda n: ex.total(fact("articles"), n),
}
"""Word -> the expression of a window of so many sessions."""

JOINS: dict[str, Callable[..., Expression]] = {
    "rank": lambda of, _: ex.cross_rank(of),
    "rank_in_sector": lambda of, _: ex.cross_rank(of, "sector"),
    "before": lambda of, n: ex.lag(of, n),
    "smoothed": lambda of, n: ex.mean(of, n),
    "change": lambda of, n: of - ex.lag(of, n),
    "sum": lambda one, other, _: ex.cross_rank(one) + ex.cross_rank(other),
    "difference": lambda one, other, _: ex.cross_rank(one) - ex.cross_rank(other),
    "product": lambda one, other, _: ex.cross_rank(one) * ex.cross_rank(other),
}
"""Way of joining -> the expression of its parts' and its window."""
WINDOWED_JOINS = {"before": LAGS, "smoothed": (3, 5), "change": (1, 5)}
OF_ONE = ("rank_in_sector", "before", "smoothed", "change")
OF_TWO = ("sum", "difference", "product")


def list_words() -> Iterator[Sentence]:
    """Every word at every window, short windows last, so that a small budget meets each word."""
    for window in (20, 5, 60, 10, 3):
        yield from (Sentence(word, window) for word in WORDS if has_window(word, window))


def has_window(word: str, window: int) -> bool:
    """Whether a word is tried at a window; a line through three points fits too well to say anything."""
    return window in WINDOWS and (window > 3 or word not in ("steadiness", "trend"))


def change(one: Sentence, chance: Random) -> Sentence:
    """The sentence with another window or word somewhere in it, or in another place."""
    if one.parts and chance.random() < 0.7:
        at = chance.randrange(len(one.parts))
        parts = list(one.parts)
        parts[at] = change(parts[at], chance)
        return Sentence(one.word, one.window, tuple(parts))
    if one.word in WORDS and chance.random() < 0.6:
        return Sentence(one.word, chance.choice([n for n in WINDOWS if n != one.window]))
    if one.word in WORDS and chance.random() < 0.4:
        return Sentence(chance.choice([word for word in WORDS if word != one.word]), one.window)
    word = chance.choice(OF_ONE)
    return Sentence(word, chance.choice(WINDOWED_JOINS.get(word, (0,))), (one,))


def combine(one: Sentence, other: Sentence, chance: Random) -> Sentence:
    """Two sentences as one, by their ranks among the members."""
    return join(chance.choice(OF_TWO), one, other)


def join(word: str, one: Sentence, other: Sentence) -> Sentence:
    """Two sentences as one, always in the same order: a difference the other way round is the same factor, mirrored."""
    return Sentence(word, 0, tuple(sorted((one, other), key=lambda part: part.text)))


def prune(one: Sentence, chance: Random) -> Sentence:
    """A part of the sentence alone; a word stays as it is."""
    return chance.choice(one.parts) if one.parts else one
