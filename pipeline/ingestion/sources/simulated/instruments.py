"""The names of the simulated market: who they are, what moves them, when they come and go."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.simulated.params import SimulatedParams
from pipeline.ingestion.sources.simulated.rng import Stream, random_stream

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BENCHMARK = "MKT"
"""Ticker of the benchmark instrument."""
SECTORS = ("Energy", "Finance", "Health", "Industry", "Materials", "Retail", "Software", "Utilities")
NEVER = 1 << 40
"""A position no simulation reaches."""
QUARTER = 63
"""Sessions from one dividend to the next."""

_ONSETS = ("B", "D", "F", "G", "H", "K", "L", "M", "N", "P", "R", "S", "T", "V", "Z", "BR", "KL", "TR")
_VOWELS = ("A", "E", "I", "O", "U")
_CODAS = ("X", "V", "Z", "RV", "LX", "NQ", "RZ", "LV", "MZ", "NX")
_ENDINGS = ("an", "ea", "is", "on", "um")
_AVOIDED = (
    *("BUMZ", "DIX", "FARZ", "FUX", "GAZ", "GIZ", "HIV", "HORZ", "KLUX", "KOX", "KUN"),
    *("LEZ", "NAZ", "PERV", "PIZ", "POX", "SEX", "SUX", "TURZ", "VULV"),
    *("DAX", "SOX", "VIX"),
)
"""What no made-up ticker may contain: rude or grim words, also once an ending makes a company of them ("Nazis"), and
real indices that a reader would take it for."""
_TRADES = {
    "Energy": "Power",
    "Finance": "Bancorp",
    "Health": "Therapeutics",
    "Industry": "Machines",
    "Materials": "Chemicals",
    "Retail": "Stores",
    "Software": "Systems",
    "Utilities": "Water",
}


@dataclass(frozen=True)
class Departure:
    """How one name leaves the market."""

    name: int
    takeover: bool
    """True: bought at a premium; False: bankrupt."""
    struck: int
    """Position of the session whose close shows the surprise."""
    announced: int
    """Position of the session at whose close the delisting is announced."""
    ex: int
    """Position of the first session without trading."""
    jumps: tuple[tuple[int, float], ...]
    """(position, return) of the surprises."""
    final: float
    """Final value per share, as a share of the last close."""


@dataclass(frozen=True)
class Instruments:
    """All names in ticker order; every array has one value per name."""

    tickers: tuple[str, ...]
    companies: tuple[str, ...]
    sector: Ints
    beta: Floats
    volatility: Floats
    """Idiosyncratic standard deviation per session in a normal regime."""
    dollars: Floats
    """Typical dollar volume per session."""
    first_price: Floats
    shares: Floats
    """Shares outstanding at first, for the benchmark's weights."""
    dividend_yield: Floats
    """Per year; 0 where the name pays none."""
    dividend_phase: Ints
    split_above: Floats
    """The price above which the name considers a split."""
    listed: Ints
    """Position of the first session with a bar."""
    departures: tuple[Departure, ...]

    @property
    def size(self) -> int:
        """How many names there are."""
        return len(self.tickers)

    @property
    def ex(self) -> Ints:
        """Position of each name's first session without trading; NEVER if it stays."""
        ends = np.full(self.size, NEVER, dtype=np.int64)
        for departure in self.departures:
            ends[departure.name] = departure.ex
        return ends


def draw_instruments(params: SimulatedParams) -> Instruments:
    """Draw the names.

    Raises:
        SourceError: if there are fewer made-up tickers than names.
    """
    size, rng = params.names, random_stream(params.seed, Stream.CAST, 0)
    tickers = _tickers(size, rng)
    sector = np.arange(size, dtype=np.int64) % len(SECTORS)
    rng.shuffle(sector)
    volatility = np.clip(0.0135 * np.exp(0.25 * rng.standard_normal(size)), 0.009, 0.022)
    dollars = np.clip(4.5e7 * np.exp(1.0 * rng.standard_normal(size)), 8e6, 3.5e8)
    first_price = np.round(np.clip(52 * np.exp(0.85 * rng.standard_normal(size)), 4, 320), 2)
    pays = rng.random(size) < 0.65
    listed = _draw_listings(params, rng)
    return Instruments(
        tickers=tickers,
        companies=tuple(
            f"{ticker.capitalize()}{_ENDINGS[i % len(_ENDINGS)]} {_TRADES[SECTORS[sector[i]]]}"
            for i, ticker in enumerate(tickers)
        ),
        sector=sector,
        beta=np.clip(1 + 0.28 * rng.standard_normal(size), 0.4, 1.7),
        volatility=volatility,
        dollars=dollars,
        first_price=first_price,
        shares=dollars * 150 / first_price,
        dividend_yield=np.where(pays, rng.uniform(0.008, 0.036, size), 0.0),
        dividend_phase=rng.integers(0, QUARTER, size),
        split_above=rng.uniform(120, 260, size),
        listed=listed,
        departures=_departures(params, listed),
    )


def _tickers(size: int, rng: np.random.Generator) -> tuple[str, ...]:
    """Made-up symbols of three or four letters, sorted; no two alike, none the benchmark's, none unwanted."""
    syllables = ["".join(parts) for parts in product(_ONSETS, _VOWELS, _CODAS)]
    free = sorted(s for s in syllables if 3 <= len(s) <= 4 and s != BENCHMARK and not any(w in s for w in _AVOIDED))
    if size > len(free):
        free += [f"{s}{letter}" for s in free if len(s) == 3 for letter in "CDGHKT"]
    if size > len(free):
        raise SourceError(f"simulated names is {size}, but there are only {len(free)} made-up tickers")
    return tuple(sorted(free[i] for i in rng.permutation(len(free))[:size]))


def _draw_listings(params: SimulatedParams, rng: np.random.Generator) -> Ints:
    late = max(3, params.names // 12) if params.names >= 12 else params.names // 4
    listed = np.zeros(params.names, dtype=np.int64)
    chosen = rng.permutation(params.names)[:late]
    gaps = rng.uniform(0.6, 1.0, late) * params.sessions_between_listings
    listed[chosen] = np.cumsum(gaps).astype(np.int64)
    return listed


def _departures(params: SimulatedParams, listed: Ints) -> tuple[Departure, ...]:
    """One departure per slot of time, of a name that is listed for 100 sessions and still there."""
    gone: list[Departure] = []
    for slot in range(params.names // 3):
        rng = random_stream(params.seed, Stream.EVENTS, slot)
        every = params.sessions_between_delistings
        struck = int(every * (slot + 0.6 + 0.3 * rng.random()))
        there = (listed + 100 <= struck) | (listed == 0)
        there[[departure.name for departure in gone]] = False
        candidates = np.flatnonzero(there)
        if candidates.size:
            name = int(candidates[rng.integers(candidates.size)])
            gone.append(_takeover(name, struck, rng) if slot % 2 else _bankruptcy(name, struck, rng))
    return tuple(gone)


def _bankruptcy(name: int, struck: int, rng: np.random.Generator) -> Departure:
    """Two falls of more than half, six sessions of trading, a final value near nothing."""
    falls = -rng.uniform(0.50, 0.62, 2)
    return Departure(
        name=name,
        takeover=False,
        struck=struck,
        announced=struck + 3,
        ex=struck + 6,
        jumps=((struck, float(falls[0])), (struck + 2, float(falls[1]))),
        final=float(rng.uniform(0.05, 0.3)),
    )


def _takeover(name: int, struck: int, rng: np.random.Generator) -> Departure:
    """A premium at once, five weeks of trading just below the offer, then cash."""
    premium = float(rng.uniform(0.22, 0.42))
    return Departure(
        name=name,
        takeover=True,
        struck=struck,
        announced=struck + 20,
        ex=struck + 25,
        jumps=((struck, premium),),
        final=1.005,
    )
