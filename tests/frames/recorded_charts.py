"""Recorded series of a vendor, faulty, repaired and clean, from Parquet files, as charts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import polars as pl

from pipeline.ingestion.prices.yahoo_chart.findings import ONE_UNIT, SPLIT_APPLIED
from pipeline.ingestion.prices.yahoo_chart.parse_chart import Chart, read_chart
from tests.loopback.yahoo import chart

MARKETS = {
    "L": ("GBP", "Europe/London", "XLON"),
    "IL": ("USD", "Europe/London", "XLON"),
    "MI": ("EUR", "Europe/Rome", "XMIL"),
    "PA": ("EUR", "Europe/Paris", "XPAR"),
    "DE": ("EUR", "Europe/Berlin", "XETR"),
    "ST": ("SEK", "Europe/Stockholm", "XSTO"),
    "HK": ("HKD", "Asia/Hong_Kong", "XHKG"),
    "T": ("JPY", "Asia/Tokyo", "XTKS"),
    "AX": ("AUD", "Australia/Sydney", "XASX"),
    "V": ("CAD", "America/Toronto", "XTSE"),
    "TO": ("CAD", "America/Toronto", "XTSE"),
    "JO": ("ZAR", "Africa/Johannesburg", "XJSE"),
    "TA": ("ILS", "Asia/Jerusalem", "XTAE"),
}
"""Suffix of the file's ticker -> unit of the prices, time zone, calendar; the others are American."""


@dataclass(frozen=True)
class Recorded:
    """One series; its twin where there is a repaired one."""

    name: str
    chart: Chart
    twin: Chart | None
    clean: bool
    rules: frozenset[str]
    """The rules its name says it breaks; none where the name leaves it open."""


def read_series(files: Sequence[Path]) -> dict[str, pl.DataFrame]:
    """The series by file name, in order of time."""
    stamp = pl.col("datetime_text").map_elements(
        lambda text: int(datetime.fromisoformat(text).timestamp()), return_dtype=pl.Int64
    )
    rows = pl.concat((pl.read_parquet(file) for file in files), how="diagonal").with_columns(stamp=stamp)
    if "capital_gains" not in rows.columns:
        rows = rows.with_columns(capital_gains=pl.lit(None, dtype=pl.Float64))
    parts = rows.sort("file", "stamp").partition_by("file", as_dict=True)
    return {str(name): part for (name,), part in parts.items()}


def market(name: str) -> tuple[str, str, str]:
    """Unit, time zone and calendar of a series."""
    return MARKETS.get(name.split("-")[1], ("USD", "America/New_York", "XNYS"))


def payload(name: str, rows: pl.DataFrame) -> str:
    """The series as Yahoo would have answered it."""
    unit, zone, _ = market(name)
    splits = rows.filter(pl.col("stock_splits") > 0).select("stamp", "stock_splits").rows()
    ratios = {stamp: Fraction(str(ratio)) for stamp, ratio in splits}
    return chart(
        "X",
        rows["stamp"].to_list(),
        {column: rows[column].to_list() for column in ("open", "high", "low", "close", "volume")},
        adjusted=rows["adj_close"].to_list(),
        splits={stamp: (ratio.numerator, ratio.denominator) for stamp, ratio in ratios.items()},
        dividends=dict(rows.filter(pl.col("dividends") > 0).select("stamp", "dividends").rows()),
        gains=dict(rows.filter(pl.col("capital_gains") > 0).select("stamp", "capital_gains").rows()),
        currency=unit,
        exchangeTimezoneName=zone,
        regularMarketTime=0,
    ).body


def recorded_series(files: Sequence[Path]) -> list[Recorded]:
    """Every series of the files but the twins, which stand beside the series they repair."""
    parts = read_series(files)
    charts = {name: read_chart(payload(name, rows), "X") for name, rows in parts.items()}
    return [
        Recorded(
            name,
            charts[name],
            charts.get(name.replace(".csv", "-fixed.csv")),
            "no-bad" in name,
            frozenset(rule for word, rule in {"stock-split": SPLIT_APPLIED, "100x": ONE_UNIT}.items() if word in name),
        )
        for name in sorted(charts)
        if "-fixed" not in name
    ]
