"""The mandate: what the book is for, against what it is measured, and how much risk it may take."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import AfterValidator, Field

from lake.tables.trading import MANDATES
from lake.tables.vocabulary import SYMBOL
from pipeline.config.setting_types import DISTINCT
from pipeline.engine.stage import Read

EQUAL_WEIGHT = "equal_weight"
CASH = "cash"
Mode = Literal["benchmark_relative", "always_invested", "absolute"]
READ = Read(MANDATES, lookback=None)
"""How stages read mandates: all that were set by the moment, the last of which counts."""


def _benchmark(name: str) -> str:
    if name in (EQUAL_WEIGHT, CASH) or re.fullmatch(SYMBOL, name):
        return name
    raise ValueError(f"it is neither {EQUAL_WEIGHT}, {CASH} nor a ticker")


def _tilt(text: str) -> str:
    name, _, size = text.partition("=")
    try:
        known = bool(name.strip()) and abs(float(size)) <= 1
    except ValueError:
        known = False
    if not known:
        raise ValueError("it is not written as NAME=WEIGHT with a weight between -1 and 1, such as Energy=-0.02")
    return text


Tilt = Annotated[str, AfterValidator(_tilt)]


@dataclass(frozen=True, kw_only=True)
class Mandate:
    """What the operator wants. `nextgen mandate set` records another one; until then the settings' one counts."""

    mode: Mode = "benchmark_relative"
    """benchmark_relative holds the benchmark where it has no view; always_invested likewise, and never holds more cash
    than `cash_target`; absolute measures risk against cash and holds cash where nothing is expected to beat it."""
    benchmark: Annotated[str, AfterValidator(_benchmark)] = EQUAL_WEIGHT
    """equal_weight spreads over the members of the universe; a ticker is held itself; cash is for an absolute book."""
    active_risk: Annotated[float, Field(gt=0, le=1)] = 0.06
    """Fraction per year: the standard deviation of the return beyond the benchmark's that the book may have at most."""
    total_risk: Annotated[float, Field(gt=0, le=2)] = 0.15
    """Fraction per year: the same of the whole return, of an absolute book."""
    min_exposure: Annotated[float, Field(ge=0, le=1)] = 0.90
    """Fraction of NAV that is invested at least, unless the book is absolute."""
    max_exposure: Annotated[float, Field(gt=0, le=1)] = 0.99
    """Fraction of NAV that is invested at most."""
    cash_target: Annotated[float, Field(ge=0, lt=1)] = 0.01
    """Fraction of NAV that the benchmark's part leaves in cash, for gaps at the open and costs."""
    risk_aversion: Annotated[float, Field(gt=0, le=1000)] = 20.0
    """Expected return given up per unit of variance, twice: 1 is a Kelly bettor (1956), who trusts his forecasts. 10,
    20 and 30 are what Grinold and Kahn (Active Portfolio Management, 1999, chapter 5) call aggressive, moderate and
    restrained: 20 takes a tracking error of 5 % a year on an information ratio of 1."""
    cost_aversion: Annotated[float, Field(ge=0, le=20)] = 2.0
    """What a bet has to earn over the holding period, in multiples of the cost of placing it: 2 pays the way back."""
    horizon: Annotated[int, Field(ge=1, le=60)] = 5
    """Sessions: the holding period over which returns are expected, and costs weighed against them."""
    market_premium: Annotated[float, Field(ge=-0.5, le=0.5)] = 0.05
    """Fraction per year that the market is assumed to earn above cash. It is stated, not forecast; only an absolute
    book decides by it."""
    exclusions: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[^,=\s\x00-\x1f][^,=\x00-\x1f]{0,59}$")], ...],
        Field(max_length=1_000),
        DISTINCT,
    ] = ()
    """Tickers and sectors that are not held, for reasons that no forecast outweighs."""
    tilts: Annotated[tuple[Tilt, ...], Field(max_length=200), DISTINCT] = ()
    """Sectors and tickers to weigh beyond the benchmark, as NAME=WEIGHT in fractions of NAV: Energy=-0.02."""

    def contradictions(self) -> Iterator[str]:
        """Wishes that exclude each other."""
        if self.min_exposure > self.max_exposure:
            yield (
                f"min_exposure is {self.min_exposure} and max_exposure is {self.max_exposure}; no book meets both, so"
                " lower the first or raise the second"
            )
        if self.mode != "absolute" and self.benchmark == CASH:
            yield f"the mode is {self.mode} and the benchmark is cash; set mode = absolute, or another benchmark"
        if self.mode != "absolute" and 1 - self.cash_target < self.min_exposure:
            yield (
                f"cash_target is {self.cash_target} and min_exposure is {self.min_exposure}; together they are more"
                " than the whole book, so lower one of them"
            )
        tilted = dict(self.read_tilts())
        names = [name for name, _ in self.read_tilts()]
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield f"{name} is tilted {names.count(name)} times; say it once"
        for name in sorted(set(self.exclusions) & set(tilted)):
            yield f"{name} is among exclusions and among tilts; take it out of one of them"
        more = sum(size for size in tilted.values() if size > 0)
        if more > self.max_exposure:
            yield f"the tilts ask for {more:.2f} of NAV on top of the benchmark, more than max_exposure; lower them"

    def read_tilts(self) -> Iterator[tuple[str, float]]:
        """Sector or ticker, and the weight that it gets beyond the benchmark's."""
        for text in self.tilts:
            name, _, size = text.partition("=")
            yield name.strip(), float(size)

    @property
    def relative(self) -> bool:
        """Whether risk is counted against a benchmark."""
        return self.mode != "absolute"

    def describe(self) -> str:
        """The mandate in a sentence."""
        risk = self.active_risk if self.relative else self.total_risk
        against = f"against {self.benchmark.replace('_', ' ')}" if self.relative else "against cash"
        return (
            f"{self.mode.replace('_', ' ')} {against}, at most {100 * risk:.1f} % risk a year,"
            f" {100 * self.min_exposure:.0f} to {100 * self.max_exposure:.0f} % invested"
        )


FIELDS = tuple(field.name for field in fields(Mandate))


@dataclass(frozen=True, kw_only=True)
class Mandated:
    """A mandate with who set it and when."""

    mandate: Mandate
    mandate_id: str | None = None
    """None where none was ever set and the settings' one counts."""
    decided_at: datetime | None = None
    reason: str = ""


def read_mandate(rows: pl.DataFrame, default: Mandate) -> Mandated:
    """Return the mandate that was set last, else the settings' one.

    Args:
        rows: of `mandates`, those known at the moment.
        default: what counts until one is set.
    """
    if rows.is_empty():
        return Mandated(mandate=default)
    row = rows.sort("decided_at", "mandate_id").row(-1, named=True)
    return Mandated(
        mandate=from_row(row), mandate_id=row["mandate_id"], decided_at=row["decided_at"], reason=row["reason"]
    )


def from_row(row: Mapping[str, Any]) -> Mandate:
    """The mandate of a row of `mandates`."""
    values: dict[str, Any] = {name: tuple(row[name]) if isinstance(row[name], list) else row[name] for name in FIELDS}
    return Mandate(**values)
