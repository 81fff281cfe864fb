"""A ticker's past and the fan of its forecast: paths of total returns, and the picture of them."""

from __future__ import annotations

from datetime import date

import polars as pl

from lake.tables.predictions import INTERVALS
from nextgen_tui.console.charts.chart import Band, Chart, Curve
from pipeline.reading.results.ticker_paths import forecast_levels, levels


def fan(predictions: pl.DataFrame, paths: pl.DataFrame, ticker: str, session: date | None) -> Chart:
    """The past as a line, the forecast as median and 50, 80 and 90 % bands, and what happened where it is known."""
    rows = predictions.filter(pl.col("ticker") == ticker).sort("horizon")
    if rows.is_empty() or session is None:
        return Chart()
    past, later, days = levels(paths, ticker, session)
    origin = float(max(len(past) - 1, 0))
    steps = (origin, *(origin + h for h in rows["horizon"]))
    curve = forecast_levels(rows)
    shades = {90: 1, 80: 2, 50: 3}
    bands = tuple(Band(steps, curve[low], curve[high], shades[p]) for p, (low, high) in INTERVALS.items())
    known = later[: int(rows["horizon"][-1])]
    lines = [Curve(tuple(float(n) for n in range(len(past))), tuple(past), "past")]
    legend = [*(("█", f"band{shades[p]}", f"{p} %") for p in sorted(shades)), ("╌", "median", "median")]
    if known:
        lines.append(Curve(tuple(origin + n for n in range(len(known) + 1)), (curve["q50"][0], *known), "outcome"))
        legend.append(("─", "outcome", "what happened"))
    lines.append(Curve(steps, curve["q50"], "median", dotted=True))
    legend.append(("─", "past", "past"))
    ticks = [(0.0, f"{days[0]:%b %d}"), (origin, f"{session:%b %d}")] if days else []
    ticks.append((steps[-1], f"+{rows['horizon'][-1]}"))
    return Chart(ticker, tuple(lines), bands, ticks=tuple(ticks), legend=tuple(legend), days=tuple(days))
