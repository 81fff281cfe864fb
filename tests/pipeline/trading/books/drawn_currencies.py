"""Currencies for drawn histories: which names are quoted in them, and what is stated of their rates, and when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import strategies as st

from lake.tables.market import FX_RATES
from tests.frames.market import instruments, rates
from tests.frames.trading import CALENDAR

BOOK = "USD"
FOREIGN = ("EUR", "JPY")
VALUES = tuple(map(Decimal, ("1.1", "0.9", "0.006543", "123.456", "1.333333333333", "3")))


@st.composite
def draw_listings(draw: st.DrawFn, names: Sequence[str]) -> dict[str, str]:
    """The names that are foreign, and in which currency; none in every second history."""
    if draw(st.booleans()):
        return {}
    drawn = {name: draw(st.sampled_from((BOOK, *FOREIGN))) for name in names}
    return {name: currency for name, currency in drawn.items() if currency != BOOK}


@st.composite
def draw_changes(draw: st.DrawFn, names: Sequence[str], days: Sequence[date]) -> dict[str, tuple[date, str]]:
    """Of some names the session from which on their listing has its currency, and what it had before."""
    if draw(st.integers(0, 2)):
        return {}
    return {
        name: (draw(st.sampled_from(days)), draw(st.sampled_from((BOOK, *FOREIGN))))
        for name in names
        if draw(st.booleans())
    }


@st.composite
def draw_rates(draw: st.DrawFn, currencies: Iterable[str], days: Sequence[date]) -> list[dict[str, Any]]:
    """What is said of each currency on some of the days, in either direction, at once or late, corrected or not."""
    told = []
    for currency in sorted(set(currencies)):
        for number, day in enumerate(days):
            if number and draw(st.integers(0, 3)) == 0:
                continue
            pair = draw(st.sampled_from(((currency, BOOK), (currency, BOOK), (BOOK, currency))))
            learned = {number, *draw(st.sets(st.integers(number, len(days) - 1), max_size=1))}
            if number:
                learned -= draw(st.sampled_from((set(), set(), {number})))
            for revision, when in enumerate(sorted(learned)):
                told.append({"base": pair[0], "quote": pair[1], "session": day, "revision": revision}
                    | {"rate": draw(st.sampled_from(VALUES)), "available_at": _public(days[when])})  # fmt: skip
    return told


def _public(day: date) -> Any:
    return CALENDAR.close_at(day) + timedelta(minutes=5)


def listing_rows(quoted: Mapping[str, str], changed: Mapping[str, tuple[date, str]]) -> pl.DataFrame:
    """Rows of instruments for the names that are or were foreign."""
    return pl.concat([instruments(), *(_list(one, quoted, changed) for one in sorted({*quoted, *changed}))])


def _list(name: str, quoted: Mapping[str, str], changed: Mapping[str, tuple[date, str]]) -> pl.DataFrame:
    earlier = {"earlier_currencies": f"{changed[name][1]}:{changed[name][0]}"} if name in changed else {}
    return instruments(name, currency=quoted.get(name, BOOK), **earlier)


def rate_rows(told: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows of fx_rates."""
    return rates(*told, calendar=CALENDAR) if told else FX_RATES.empty()
