"""The state of the market session by session, and how much risk it allows."""

from __future__ import annotations

import polars as pl

from nextgen_tui.console.charts.chart import Chart, Curve, day_ticks
from nextgen_tui.console.sheet.sheet import Col, signed
from nextgen_tui.text import formats

PERCENT = signed(lambda value: formats.percent(value, signed=True))
COLS = (
    Col("session", "session"),
    Col("regime", "regime"),
    Col("risk", "risk_budget", lambda value: formats.percent(value, 0), right=True),
    Col("exposure", "target_exposure", lambda value: formats.percent(value, 0), right=True),
    Col("names", "most_positions", formats.whole, right=True),
    Col("volatility", "market_volatility", lambda value: formats.percent(value, 0), right=True, rank=1),
    Col("trend", "market_trend", PERCENT, right=True, rank=2),
    Col("drawdown", "drawdown", formats.percent, right=True, rank=3),
    Col("why", "reason", max_width=80, rank=4),
)


def risk_chart(regime: pl.DataFrame) -> tuple[Chart, ...]:
    """How much was to be invested, beside how much risk the market allowed."""
    rows = regime.sort("session")
    xs = tuple(float(number) for number in range(rows.height))
    days = rows["session"].to_list()
    return (
        Chart(
            "risk",
            (
                Curve(xs, tuple(rows["target_exposure"].to_list()), "own"),
                Curve(xs, tuple(rows["risk_budget"].to_list()), "benchmark", dotted=True),
            ),
            label=lambda value: formats.percent(value, 0),
            ticks=day_ticks(days),
            days=tuple(days),
            legend=(("─", "own", "exposure"), ("╌", "benchmark", "risk budget")),
        ),
    )
