"""The grammar of slices: what can be said of a forecast when it is made, by which its error may differ from others'."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import combinations

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
KINDS = ("sector", "confidence", "news", "regime", "strange", "weekday")
"""The kinds of trait, a ticker's own name apart; a pair has two of different kinds."""
OF_SESSIONS = ("regime", "weekday")
"""Those that all forecasts of a session share."""
STRANGE_FROM = 0.9
"""Strangeness from which a forecast counts as strange: further out than nine training rows in ten."""
AND = " & "


def name_traits(
    session: date, sectors: Sequence[str], regime: str | None, news: Floats, strangeness: pl.Series, confidence: Floats
) -> list[list[list[str]]]:
    """What each forecast of a session is like: [tickers][horizons] traits such as `news:yes`, in the order of KINDS.

    What is not known is left out.

    Args:
        session: when they are made.
        sectors: [tickers].
        regime: the market's, as told the session before; None where nothing was told.
        news: [tickers] articles today, or any rising function of their number; NaN where unknown.
        strangeness: [tickers] 0 to 1, null where unknown.
        confidence: [tickers, horizons]; below the session's median counts as low.
    """
    low = confidence < np.median(confidence, axis=0)
    shared = [f"weekday:{WEEKDAYS[session.weekday()]}", *([f"regime:{regime}"] if regime is not None else [])]
    own = [
        [f"sector:{sector}", *_news(count), *_strange(far), *shared]
        for sector, count, far in zip(sectors, news.tolist(), strangeness.to_list(), strict=True)
    ]
    return [
        [sorted([*traits, f"confidence:{'low' if one else 'high'}"]) for one in row]
        for traits, row in zip(own, low.tolist(), strict=True)
    ]


def _news(count: float) -> list[str]:
    return [] if np.isnan(count) else [f"news:{'yes' if count > 0 else 'no'}"]


def _strange(strangeness: float | None) -> list[str]:
    return [] if strangeness is None else [f"strange:{'yes' if strangeness >= STRANGE_FROM else 'no'}"]


def pair_traits(traits: Iterable[str]) -> list[str]:
    """The names of all pairs of different kinds among these traits."""
    pairs = combinations(sorted(traits), 2)
    return [f"{one}{AND}{other}" for one, other in pairs if kind_of(one) != kind_of(other)]


def split_slice(scope: str, name: str) -> tuple[str, ...]:
    """The traits that a forecast of the slice has; none for the slice of all."""
    if scope == "all":
        return ()
    return (f"{scope}:{name}",) if scope in ("sector", "ticker") else tuple(name.split(AND))


def kind_of(trait: str) -> str:
    """The kind of a trait."""
    return trait.partition(":")[0]
