"""What was tried apart from experiments: the candidates of every training, and questions about the book."""

from __future__ import annotations

import json
from typing import Any

from nextgen_tui.console.charts.chart import Chart, Curve, day_ticks
from nextgen_tui.console.notes import Line, fact, heading, note
from nextgen_tui.console.page import Row
from nextgen_tui.console.sheet.sheet import Cell, Col, signed
from nextgen_tui.text import formats

ORDER = "trading.philosophy.order"
SHARE = signed(lambda value: formats.percent(value, 2, signed=True))


def _gain(value: float | None) -> str:
    return formats.number(value, 4, signed=True)


def _settings(value: str | None) -> str:
    """What was set, as it would be typed; of a rule that was left out its name, for which there would be no room."""
    chosen: dict[str, Any] = json.loads(value) if value else {}
    left_out = str(chosen.get(ORDER, ""))
    if len(chosen) == 1 and left_out.startswith("without "):
        return left_out.replace("_", " ")
    return ", ".join(f"{key}={told}" for key, told in chosen.items()) or formats.MISSING


def describe_trial(row: Row) -> tuple[Line, ...]:
    """What a candidate gained on which sessions, and whether they were held out."""
    seen = "before every test session: it deflates nothing" if row["settings"] else "held out: it counts"
    return (
        heading(f"{row['candidate']} of {row['model_id']}"),
        fact("sessions", f"{formats.whole(row['sessions'])}, {row['first']} to {row['last']}"),
        fact("they were", seen),
        fact("gain", f"{_gain(row['gain'])} in pinball loss, sigmas, over the naive forecast"),
        fact("ratio", f"{formats.number(row['sharpe'], 3, signed=True)} per session"),
        fact("skewness", formats.number(row["skewness"], 2, signed=True)),
        fact("kurtosis", formats.number(row["kurtosis"], 2)),
        fact("chose among", f"{formats.counted(row['points'], 'setting')} within training"),
        *([note(row["settings"], "dim")] if row["settings"] else []),
    )


def draw_trial(row: Row) -> tuple[Chart, ...]:
    """The candidate's advantage over the naive forecast, added up over its sessions."""
    days = list(row["days"])
    places = tuple(float(number) for number in range(len(days)))
    lines = (
        Curve(places, tuple(row["added_up"]), "own"),
        Curve(places, (0.0,) * len(days), "naive", dotted=True),
    )
    title = f"{row['candidate']}: what it gained over the naive forecast, added up"
    return (Chart(title, lines, label=lambda v: formats.number(v, 2), ticks=day_ticks(days), days=tuple(days)),)


def describe_what_if(row: Row) -> tuple[Line, ...]:
    """What was asked, by whom, and what the book would have made."""
    told: dict[str, Any] = json.loads(row["settings"])
    return (
        heading("what if"),
        *(fact(key.rsplit(".", 1)[-1], value) for key, value in told.items()),
        fact("sessions", f"{row['first']} to {row['last']}"),
        fact("book", f"{formats.percent(row['book_return'], 2, signed=True)} a year"),
        fact("otherwise", f"{formats.percent(row['return'], 2, signed=True)} a year"),
        fact("asked", f"{formats.instant(row['asked_at'])} by {row['asked_by']}"),
        note("It was asked of the past: each such question counts as a trial.", "dim"),
    )


def _held_out(value: str | None) -> Cell:
    return Cell("no", "dim") if value else Cell("yes", "accent")


TRIAL_COLS = (
    Col("session", "session", formats.day),
    Col("model", "model_id", max_width=40, rank=1),
    Col("candidate", "candidate"),
    Col("gain", "gain", signed(_gain), right=True),
    Col("ratio", "sharpe", lambda value: formats.number(value, 3, signed=True), right=True),
    Col("sessions", "sessions", formats.whole, right=True, rank=2),
    Col("held out", "settings", _held_out, rank=2),
    Col("settings", "points", formats.whole, right=True, rank=3),
    Col("first", "first", formats.day, rank=4),
    Col("last", "last", formats.day, rank=4),
)
WHAT_IF_COLS = (
    Col("asked", "asked_at", formats.instant),
    Col("settings", "settings", _settings, max_width=80),
    Col("book a year", "book_return", SHARE, right=True),
    Col("otherwise", "return", SHARE, right=True),
    Col("first", "first", formats.day, rank=1),
    Col("last", "last", formats.day, rank=1),
    Col("by", "asked_by", rank=2),
)
