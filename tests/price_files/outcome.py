"""What comes of price files: read right, refused, flagged, or silently wrong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from lake.tables.market import CORPORATE_ACTIONS, INSTRUMENTS
from pipeline.ingestion.actions.validate_actions import validate_actions
from pipeline.ingestion.prices.bar_rules import read_bars
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.ingestion.sources.files.source import FilesSource
from pipeline.market.sessions import Sessions

VALUES = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True)
class Outcome:
    """What a load of history makes of the files, by the rules that ingestion has."""

    bars: pl.DataFrame
    """ticker, session and the values of each sound bar."""
    set_aside: pl.DataFrame
    """rule and text of each other row."""
    actions: pl.DataFrame
    """ticker, ex_date, kind, numerator, denominator, amount and confidence of each sound action."""


def import_files(path: Path, calendar: Sessions, **settings: Any) -> Outcome:
    """Read the files as `nextgen init` does, up to the tables.

    Raises:
        SourceError: if they are refused.
    """
    source = FilesSource(FilesParams(prices=(str(path),), **settings), calendar)
    landed = source.prices(*source.coverage(), history=True)
    bars = read_bars(landed, INSTRUMENTS.empty(), calendar)
    told = validate_actions(landed, INSTRUMENTS.empty(), CORPORATE_ACTIONS.empty(), calendar).good
    sound = bars.filter(pl.col("rule").is_null())
    return Outcome(
        bars=sound.select("ticker", "session", *VALUES).sort("ticker", "session"),
        set_aside=bars.filter(pl.col("rule").is_not_null()).select("rule", "text"),
        actions=told.select("ticker", "ex_date", "kind", "numerator", "denominator", "amount", "confidence").sort(
            "ticker", "ex_date", "kind"
        ),
    )


def find_wrong_bars(found: pl.DataFrame, truth: pl.DataFrame, *, volume: float = 0) -> pl.DataFrame:
    """Return the bars that are missing, too many, or differ by more than rounding."""
    both = truth.join(found, on=["ticker", "session"], how="full", coalesce=True, suffix="_found")
    off = [
        ((pl.col(name) - pl.col(f"{name}_found")).abs() > (volume if name == "volume" else 1e-9)).fill_null(True)
        for name in VALUES
    ]
    return both.filter(pl.any_horizontal(off))
