"""The book's way beside what it is compared with, and a ticker's bars with where the book bought and sold."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from nextgen_tui.console.charts.chart import Band, Chart, Curve, Mark, day_ticks
from nextgen_tui.console.pages.data import candle_chart
from nextgen_tui.text import formats
from pipeline.reading.report.span import Span
from pipeline.reading.report.tracks import BENCHMARK, EQUAL_WEIGHT, TOP_K, read_tracks

_INKS = {EQUAL_WEIGHT: "other", BENCHMARK: "benchmark", TOP_K: "hot"}


def equity_charts(value: pl.DataFrame) -> tuple[Chart, ...]:
    """The book's way beside top-k, equal weight and the benchmark, with its drawdown below."""
    if value.height < 2:
        return ()
    xs = tuple(float(number) for number in range(value.height))
    days = value["session"].to_list()
    nav = tuple(float(amount) for amount in value["nav"])
    fallen = tuple(-fall for fall in value["drawdown"].to_list())
    lines, legend, ends = [Curve(xs, nav, "own")], [("─", "own", "book")], list[Mark]()
    for track in read_tracks(Span(value, None, value))[1:]:
        lines.append(Curve(xs, track.levels[1:], _INKS[track.name], dotted=True))
        ends.append(Mark(xs[-1], track.levels[-1], track.name[0], _INKS[track.name]))
        legend.append((track.name[0], _INKS[track.name], track.name))
    ticks = day_ticks(days)
    below = Band(xs, fallen, (0.0,) * len(xs), 4)
    return (
        Chart(
            "value",
            tuple(lines),
            marks=tuple(ends),
            label=lambda v: f"{v:,.0f}",
            legend=tuple(legend),
            share=0.7,
            days=tuple(days),
        ),
        Chart(
            "below the peak",
            bands=(below,),
            label=lambda v: formats.percent(v, 1),
            ticks=ticks,
            span=(min(*fallen, -0.001), 0.0),
            share=0.3,
            days=tuple(days),
        ),
    )


def trade_chart(every_bar: pl.DataFrame, trades: pl.DataFrame, ticker: str, max_candles: int = 60) -> Chart:
    """The ticker's bars with where the book bought and sold."""
    chart = candle_chart(every_bar, ticker, max_candles)
    days = every_bar.filter(pl.col("ticker") == ticker).sort("session").tail(max_candles)["session"].to_list()
    place = {day: float(number) for number, day in enumerate(days)}
    fills = trades.filter((pl.col("ticker") == ticker) & (pl.col("shares") > 0))
    marks = tuple(
        Mark(place[one["session"]], float(one["fill_price"]), "▲" if one["side"] == "buy" else "▼", "hot")
        for one in fills.iter_rows(named=True)
        if one["session"] in place
    )
    legend = (("▲", "hot", "bought"), ("▼", "hot", "sold"))
    return replace(chart, marks=marks, legend=legend, share=1.0)
