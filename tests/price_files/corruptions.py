"""Spoils price files in the ways that people and programs do, each one at random."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from pipeline.ingestion.sources.files.dates import correct_days
from tests.price_files.true_market import TrueMarket

COLUMNS = ("Open", "High", "Low", "Close", "Volume")
ZONES = ("America/New_York", "Europe/Berlin", "Asia/Tokyo", "Australia/Sydney", "UTC", "Asia/Kolkata")


@dataclass(frozen=True)
class Corruption:
    """A folder of one file a ticker, spoilt."""

    kind: str
    words: tuple[str, ...]
    """One of them has to be in what is said of it, where anything is."""


def write_corrupted(market: TrueMarket, folder: Path, seed: int) -> Corruption:
    """Write the market below the folder, spoil it in one way, and say in which."""
    dice = random.Random(seed)
    frames = {
        str(ticker): rows.select(Date="session", **{name: name.lower() for name in COLUMNS})
        for (ticker,), rows in market.bars.group_by("ticker", maintain_order=True)
    }
    kind = dice.choice(list(KINDS))
    written = KINDS[kind](market, frames, dice)
    for ticker, frame in frames.items():
        if ticker not in written.left_out:
            frame.write_csv(folder / f"{ticker}.csv")
    for name, text in written.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for name, copy in written.copies.items():
        (folder / copy).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / name, folder / copy)
    return Corruption(kind, written.words)


@dataclass(frozen=True)
class _Written:
    words: tuple[str, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    copies: Mapping[str, str] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()


Frames = dict[str, pl.DataFrame]


def _some(frames: Frames, dice: random.Random) -> list[str]:
    """One ticker, several, or all of them."""
    count = dice.choice([1, 1, 3, len(frames)])
    return dice.sample(sorted(frames), count)


def _swapped(market: TrueMarket, frames: Frames, dice: random.Random) -> _Written:
    one, other = dice.sample(COLUMNS, 2)
    for ticker in _some(frames, dice):
        frames[ticker] = frames[ticker].rename({one: other, other: one}).select("Date", *COLUMNS)
    return _Written(
        ("exchanged", "is no price", "within the range", "high is not below low", "is a finite number", "volume")
    )


def _shifted(market: TrueMarket, frames: Frames, dice: random.Random) -> _Written:
    error = dice.choice(["day_late", "day_early", "weekday_late", "weekday_early"])
    opposite = error.replace("late", "EARLY").replace("early", "late").replace("EARLY", "early")
    for ticker in _some(frames, dice):
        frames[ticker] = frames[ticker].with_columns(correct_days(frames[ticker]["Date"], opposite))
    return _Written((error.replace("_", " "), error, "trades that day"))


def _another_zone(market: TrueMarket, frames: Frames, dice: random.Random) -> _Written:
    zone = dice.choice(ZONES)
    for ticker in _some(frames, dice):
        midnight = pl.col("Date").cast(pl.Datetime("us")).dt.replace_time_zone(str(ZoneInfo(zone)))
        frames[ticker] = frames[ticker].with_columns(midnight.dt.convert_time_zone("UTC"))
    return _Written(("source.files.zone", "trades that day", "source.files.dates", "late", "early"))


def _mixed(market: TrueMarket, frames: Frames, dice: random.Random) -> _Written:
    ticker = dice.choice(sorted(frames))
    frame = frames[ticker]
    kind = dice.choice(
        ["weekly", "american", "renamed", "listing", "readme", "empty", "semicolons", "comma", "dollars"]
    )
    own = f"{ticker}.csv"
    if kind == "weekly":
        weekly = frame.group_by_dynamic("Date", every="1w").agg(
            pl.col("Open").first(),
            pl.col("High").max(),
            pl.col("Low").min(),
            pl.col("Close").last(),
            pl.col("Volume").sum(),
        )
        frames[ticker] = weekly
        return _Written(("weekly",))
    if kind == "american":
        frames[ticker] = frame.with_columns(pl.col("Date").dt.strftime("%m/%d/%Y"))
    elif kind == "renamed":
        frames[ticker] = frame.rename({name: name.upper() for name in COLUMNS} | {"Date": "timestamp"})
    elif kind == "dollars":
        frames[ticker] = frame.with_columns(pl.format("${}", name).alias(name) for name in COLUMNS[:4])
    elif kind == "semicolons":
        return _Written((), {own: frame.write_csv(separator=";")}, left_out=frozenset({ticker}))
    elif kind == "comma":
        text = frame.with_columns(pl.col(*COLUMNS[:4]).cast(pl.String).str.replace(".", ",", literal=True))
        return _Written((), {own: text.write_csv(separator=";")}, left_out=frozenset({ticker}))
    others = {
        "listing": {"listing.csv": "ticker,name,sector\nAAPL,Apple,Technology\n"},
        "readme": {"README.txt": "Prices, and what they are.\nMore of it, in commas.\n"},
        "empty": {"NONE.csv": "Date,Open,High,Low,Close,Volume\n"},
    }
    return _Written(("passed over",), others.get(kind, {}))


def _doubled(market: TrueMarket, frames: Frames, dice: random.Random) -> _Written:
    ticker = dice.choice(sorted(frames))
    kind = dice.choice(["folder", "name", "other values", "rows twice", "later part"])
    if kind == "folder":
        return _Written(("a repeat",), copies={f"{ticker}.csv": f"old/{ticker}.csv"})
    if kind == "name":
        return _Written(("no column for 'ticker'", "a repeat"), copies={f"{ticker}.csv": f"{ticker} (1).csv"})
    if kind == "other values":
        other = frames[ticker].with_columns((pl.col("Close") + 0.01).round(2), (pl.col("High") + 0.01).round(2))
        return _Written(("contradict another bar", "two values"), {f"backup/{ticker}.csv": other.write_csv()})
    if kind == "rows twice":
        frames[ticker] = pl.concat([frames[ticker], frames[ticker]])
        return _Written(("a repeat",))
    return _Written(("a repeat",), {f"more/{ticker}.csv": frames[ticker].tail(60).write_csv()})


def _spoilt_cells(market: TrueMarket, frames: Frames, dice: random.Random) -> _Written:
    column, cell = dice.choice(COLUMNS), dice.choice(["", "n/a", "#REF!", "-", "12..5", "nan", "inf", "-1"])
    for ticker in _some(frames, dice):
        hit = pl.int_range(pl.len()) % dice.choice([7, 50, 400]) == 0
        text = pl.col(column).cast(pl.String)
        frames[ticker] = frames[ticker].with_columns(pl.when(hit).then(pl.lit(cell)).otherwise(text).alias(column))
    return _Written((column.lower(), "prices are positive"))


def _order(market: TrueMarket, frames: Frames, dice: random.Random) -> _Written:
    for ticker in _some(frames, dice):
        frames[ticker] = frames[ticker].sample(fraction=1.0, shuffle=True, seed=dice.randrange(1000))
        if dice.random() < 0.5:
            frames[ticker] = frames[ticker].select("Volume", "Close", "Date", "Low", "High", "Open")
    return _Written(())


def _other_years(market: TrueMarket, frames: Frames, dice: random.Random) -> _Written:
    """A file whose days are a year early, so that weekdays and holidays are others."""
    ticker = dice.choice(sorted(frames))
    frames[ticker] = frames[ticker].with_columns(pl.col("Date") - timedelta(days=365))
    return _Written(("late", "early", "trades that day", "market.exchange"))


Kind = Callable[[TrueMarket, Frames, random.Random], _Written]
KINDS: Mapping[str, Kind] = {
    "swapped columns": _swapped,
    "shifted days": _shifted,
    "another zone": _another_zone,
    "mixed folder": _mixed,
    "doubled file": _doubled,
    "spoilt cells": _spoilt_cells,
    "another order": _order,
    "other years": _other_years,
}
