"""Charts that are strange and true: specials, changes of frequency, crashes, rallies near splits, idle names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np

from pipeline.ingestion.prices.yahoo_chart.parse_chart import Chart, Dividend, Floats, Split

Rng = np.random.Generator
DAY, START = 86_400, 1_546_439_400
"""Seconds; 2019-01-02 at the open of New York."""
RATIOS = (
    *(Fraction(n) for n in (2, 3, 4, 5, 7, 10, 20)),
    *(Fraction(1, n) for n in (2, 5, 8, 10, 20, 50)),
    Fraction(3, 2),
)


@dataclass
class Story:
    """What happened to a ticker, before a chart is made of it."""

    moves: Floats
    """Logarithmic moves of the price, one per bar, without dividends and splits."""
    start: float = 50.0
    """Price in the shares of the last bar, in `unit`."""
    unit: str = "USD"
    spacing: str = "1d"
    """1d, 1wk or 1h."""
    dividends: dict[int, float] = field(default_factory=dict)
    """Bar -> share of the price before it."""
    felt: dict[int, float] = field(default_factory=dict)
    """Bar -> share of its dividend that the price falls by, 1 elsewhere."""
    splits: dict[int, Fraction] = field(default_factory=dict)
    traded: np.ndarray | None = None
    """Per bar whether anything was traded; None for always."""
    decimals: int = 4
    """Of a dividend as declared."""
    even_volume: bool = False


def true_chart(kind: str, rng: Rng) -> Chart:
    """A chart of this kind, without any fault."""
    return draw(TRUE[kind](rng), rng)


def draw(story: Story, rng: Rng) -> Chart:
    """The chart that a vendor without faults would give: rounded as traded, then adjusted for splits."""
    count = len(story.moves)
    shares = np.ones(count)
    for bar, ratio in story.splits.items():
        shares[:bar] *= float(ratio)
    close, dividends = _closes(story, shares)
    low, high = (np.exp(sign * np.abs(rng.normal(0, 0.006, count))) for sign in (-1, 1))
    gaps = np.where(
        rng.random(count) < 0.5, 1.0, rng.random(count) ** 2
    )  # news comes over night as often as in the session
    left = np.zeros(count)  # a dividend leaves the price before the session begins
    for bar, amount in dividends.items():
        left[bar] = story.felt.get(bar, 1.0) * amount
    without = np.maximum(np.concatenate([[close[0]], close[:-1]]) - left, 0.01 * close)
    opened = without * (close / without) ** gaps
    opened *= np.exp(rng.normal(0, 0.003, count))
    volume = _volumes(story, shares, rng)
    if story.traded is not None:
        quiet = ~story.traded
        opened, low, high = (np.where(quiet, 1.0, one) for one in (opened / close, low, high))
        opened, volume = opened * close, np.where(quiet, 0.0, volume)
    bottom, top = np.minimum(opened, close) * low, np.maximum(opened, close) * high
    adjusted = close.copy()
    for bar, amount in dividends.items():
        adjusted[:bar] *= 1 - amount / close[bar - 1]
    series = {"open": opened, "high": top, "low": bottom, "close": close}
    series = {name: np.round(values, 6) for name, values in series.items()}
    series |= {"volume": volume, "adjclose": np.round(adjusted, 6)}
    stamps = _stamps(count, story.spacing)
    paid = tuple(Dividend(stamps[bar], amount, None) for bar, amount in sorted(dividends.items()))
    splits = tuple(Split(stamps[bar], ratio) for bar, ratio in sorted(story.splits.items()))
    return Chart("X", story.unit, ZoneInfo("America/New_York"), "X", None, None, stamps, series, splits, paid)


def _closes(story: Story, shares: Floats) -> tuple[Floats, dict[int, float]]:
    """Closes and the amounts that were declared, both in the shares of the last bar."""
    close, dividends = np.empty(len(shares)), dict[int, float]()
    price = last = story.start
    for bar, move in enumerate(story.moves.tolist()):
        if bar in story.dividends and bar:
            paid = round(last * shares[bar - 1] * story.dividends[bar], story.decimals)
            if 0 < paid < last * shares[bar - 1]:
                dividends[bar] = paid / shares[bar - 1]
                price *= 1 - story.felt.get(bar, 1.0) * dividends[bar] / last
        price *= np.exp(move)
        if story.traded is None or story.traded[bar]:
            last = max(round(price * shares[bar], 3), 0.001) / shares[bar]
        close[bar] = last
    return close, dividends


def _volumes(story: Story, shares: Floats, rng: Rng) -> Floats:
    noise = 0.0 if story.even_volume else 0.5
    wild = np.minimum(np.abs(story.moves) / (np.median(np.abs(story.moves)) + 1e-9) / 5, 3.0)
    return np.round(1_000_000 * np.exp(rng.normal(0, noise, len(shares)) + noise * wild))


def _stamps(count: int, spacing: str) -> tuple[int, ...]:
    at = np.arange(count)
    if spacing == "1h":
        days, hours = at // 7, at % 7
        stamps = START + (days // 5 * 7 + days % 5) * DAY + hours * 3600
    elif spacing == "1wk":
        stamps = START - 2 * DAY + at * 7 * DAY
    else:
        stamps = START + (at // 5 * 7 + at % 5) * DAY
    return tuple(stamps.tolist())


# ---- true stories


def walk(rng: Rng, count: int = 500, low: float = 0.008, high: float = 0.03) -> Floats:
    """Moves with heavy tails, at most half the price in one bar."""
    moves = rng.standard_t(4, count) * rng.uniform(low, high) / np.sqrt(2)
    return np.clip(moves, -0.5, 0.5)


def payer(rng: Rng, every: int = 63, count: int = 500, **changes: object) -> Story:
    """A ticker with a dividend every so many bars, of an even share of its price."""
    share = rng.uniform(0.002, 0.03)
    first = int(rng.integers(3, every))
    bars = range(first, count - 3, every)
    story = Story(walk(rng, count), start=float(rng.uniform(5, 300)))
    story.dividends = {bar: share * float(rng.uniform(0.8, 1.25)) for bar in bars}
    return replace(story, **changes)


def _special(rng: Rng) -> Story:
    story = payer(rng)
    bar = int(rng.integers(20, 480))
    story.dividends[bar] = float(rng.uniform(0.05, 0.5))
    story.felt[bar] = float(rng.uniform(0.25, 1.2))
    return story


def _two_near(rng: Rng) -> Story:
    story = payer(rng)
    bar = int(rng.choice(list(story.dividends)))
    other = bar + int(rng.integers(1, 4)) if bar < 490 else bar - 1
    story.dividends[other] = story.dividends[bar] * float(rng.choice([rng.uniform(0.3, 0.97), rng.uniform(1.03, 4)]))
    return replace(story, decimals=2, start=float(rng.uniform(50, 300)))


def _frequency(rng: Rng) -> Story:
    story = payer(rng, every=int(rng.choice([21, 63, 126])))
    turn, every = int(rng.integers(150, 400)), int(rng.choice([5, 10, 21]))
    before = {bar: share for bar, share in story.dividends.items() if bar < turn}
    share = float(np.mean(list(story.dividends.values()))) * every / 63
    start = max(before, default=5) + every
    return replace(story, dividends=before | dict.fromkeys(range(start, 495, every), share))


def _crash(rng: Rng) -> Story:
    story = payer(rng)
    for bar in rng.integers(20, 495, int(rng.integers(1, 3))):
        story.moves[bar] = np.log(rng.choice([rng.uniform(0.03, 0.7), rng.uniform(1.4, 4.0)]))
    if rng.random() < 0.5:
        first = int(rng.integers(20, 400))
        story.moves[first : first + 40] *= 4
        story.moves = np.clip(story.moves, -1.2, 1.2)
    return story


def _rally_near_split(rng: Rng) -> Story:
    story = payer(rng)
    ratio, bar = RATIOS[rng.integers(len(RATIOS))], int(rng.integers(60, 440)) // 7 * 7
    ratio = Fraction(5, 4) if rng.random() < 0.3 else ratio
    story.splits[bar] = ratio
    size = abs(np.log(float(ratio))) * rng.uniform(0.8, 1.2)
    near = bar + int(rng.integers(2, 16)) * int(rng.choice([-1, 1]))
    story.moves[near] = float(np.clip(rng.choice([-1, 1]) * min(size, 0.9), -1.0, 1.0))
    return replace(story, even_volume=bool(rng.random() < 0.2))


def _distressed(rng: Rng) -> Story:
    story = Story(np.clip(walk(rng, low=0.04, high=0.08), -0.7, 0.7), start=float(rng.uniform(0.5, 30)))
    for bar in rng.integers(60, 480, 2):
        story.splits[int(bar)] = Fraction(1, int(rng.choice([5, 10, 20, 50])))
    return story


def _illiquid(rng: Rng) -> Story:
    story = payer(rng, every=int(rng.choice([63, 126, 250])))
    unit = str(rng.choice(["USD", "GBP", "GBp"]))
    traded = rng.random(500) < rng.uniform(0.05, 0.4)
    if rng.random() < 0.3:
        story.splits[int(rng.integers(60, 440))] = RATIOS[rng.integers(len(RATIOS))]
    return replace(story, traded=traded, unit=unit)


def _tiny(rng: Rng) -> Story:
    share = float(rng.uniform(5e-5, 8e-4))
    every = int(rng.choice([21, 63]))
    story = payer(rng, every=every, unit=str(rng.choice(["USD", "GBP", "GBp", "EUR", "ZAc"])))
    start = float(rng.uniform(10, 80)) * (100 if story.unit in ("GBp", "ZAc") else 1)
    return replace(story, dividends=dict.fromkeys(story.dividends, share), start=start)


def _subunit(rng: Rng) -> Story:
    unit = str(rng.choice(["GBp", "ZAc", "ILA", "GBP", "ILS", "ZAR"]))
    story = payer(rng, every=126, unit=unit, start=float(rng.uniform(0.5, 9000)))
    if rng.random() < 0.4:
        story.splits[int(rng.integers(60, 440))] = RATIOS[rng.integers(len(RATIOS))]
    return story


def _cut(rng: Rng) -> Story:
    story = payer(rng, unit=str(rng.choice(["USD", "EUR"])))
    turn = int(rng.integers(150, 480))
    cut = float(rng.uniform(1 / 100, 1 / 4))
    return replace(story, dividends={bar: y * (cut if bar >= turn else 1) for bar, y in story.dividends.items()})


def _spaced(spacing: str) -> Callable[[Rng], Story]:
    def story_of(rng: Rng) -> Story:
        kind = (payer, _special, _crash, _rally_near_split)[rng.integers(4)]
        story = replace(kind(rng), spacing=spacing)
        return _at_opens(story) if spacing == "1h" else story

    return story_of


def _at_opens(story: Story) -> Story:
    """Events happen before a day's first bar."""
    dividends = {bar // 7 * 7: share for bar, share in story.dividends.items() if bar >= 7}
    felt = {bar // 7 * 7: share for bar, share in story.felt.items()}
    splits = {bar // 7 * 7: ratio for bar, ratio in story.splits.items()}
    return replace(story, dividends=dividends, felt=felt, splits=splits)


def _one_payment(rng: Rng) -> Story:
    story = Story(walk(rng, int(rng.integers(8, 70))), start=float(rng.uniform(5, 300)))
    story.dividends[int(rng.integers(1, len(story.moves)))] = float(rng.uniform(0.001, 0.08))
    return story


TRUE: dict[str, Callable[[Rng], Story]] = {
    "plain payer": payer,
    "special dividend": _special,
    "regular and special days apart": _two_near,
    "change of frequency": _frequency,
    "crash and rally": _crash,
    "rally near a split": _rally_near_split,
    "distressed": _distressed,
    "seldom traded": _illiquid,
    "tiny payer": _tiny,
    "subunit currency": _subunit,
    "dividend cut": _cut,
    "short chart": _one_payment,
    "weekly bars": _spaced("1wk"),
    "hourly bars": _spaced("1h"),
}
"""Kind -> its story."""
