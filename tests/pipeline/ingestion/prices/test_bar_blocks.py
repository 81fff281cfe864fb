"""Bars come out the same however many payloads are read at a time."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.fingerprint import fingerprint
from lake.tables.market import INSTRUMENTS, MARKET_PRICES, QUARANTINED_ROWS
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.prices import bar_blocks
from pipeline.ingestion.prices.bar_blocks import join_blocks
from pipeline.ingestion.prices.validate_bars import COLUMNS, set_aside_bars, validate_bars
from tests.frames.market import CALENDAR, DAY, actions, bar, landing, moment

TICKERS = ("AAA", "BBB", "OLD", "NEW")
DAYS = CALENDAR.between(CALENDAR.offset(DAY, -5), DAY)
CLOSES = ("100", "101", "1000", "1010", "x")
WHOLE, SINGLE = 2**40, 1
"""Bytes of a block: all payloads, and one ticker's."""
LINES = st.lists(
    st.fixed_dictionaries(
        {"day": st.integers(0, 5)},
        optional={"close": st.sampled_from(CLOSES), "shown": st.integers(3, 5), "ticker": st.sampled_from(TICKERS)},
    ),
    max_size=8,
)
RENAME = {"kind": "rename", "ticker": "OLD", "successor": "NEW", "ex_date": DAYS[3], "amount": None}
SPLIT = {"ticker": "AAA", "ex_date": DAYS[2], "numerator": 1, "denominator": 10}


def _line(day: int, close: str = "100", shown: int | None = None, **values: Any) -> dict[str, Any]:
    stated = None if shown is None else CALENDAR.close_at(DAYS[shown]).isoformat()
    values |= {"open": close, "high": close, "low": close, "close": close, "available_at": stated}
    return bar(session=DAYS[day], **values)


def _judge(raw: pl.DataFrame, facts: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """The bars that stand, what is set aside, and what is set aside once those are known."""
    after = (INSTRUMENTS.empty(), facts, moment(since=DAYS[0]), IngestionParams())
    good, bad = validate_bars(QUARANTINED_ROWS.empty(), raw, MARKET_PRICES.empty(), *after)
    known = good.filter("new").select(COLUMNS)
    return good, bad, set_aside_bars(QUARANTINED_ROWS.empty(), raw, known, *after)


@settings(max_examples=8, deadline=None)
@given(
    payloads=st.lists(st.tuples(st.sampled_from(TICKERS), LINES), min_size=1, max_size=4),
    told=st.sampled_from(([], [RENAME], [SPLIT], [RENAME, SPLIT])),
)
def test_the_size_of_a_block_changes_no_bit(payloads: list[tuple[str, list[dict[str, Any]]]], told: list[Any]) -> None:
    raw = pl.concat(
        landing(
            [_line(**{"ticker": ticker, **line}) for line in lines], ticker=ticker, history=True, source=f"s{number}"
        )
        for number, (ticker, lines) in enumerate(payloads)
    )
    seen = set()
    for size in (WHOLE, SINGLE):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(bar_blocks, "MAX_BYTES", size)
            good, bad, again = _judge(raw, actions(*told))
        prints = [fingerprint(good, MARKET_PRICES.key), *(fingerprint(rows, bar_blocks.LINE) for rows in (bad, again))]
        seen.add(tuple(prints))
    assert len(seen) == 1


def test_what_is_told_about_keeps_its_text_as_delivered() -> None:
    lines = ['{"ticker": "AAA", "session": "2020-03-04", "close":   "x"}', _line(5), _line(5), _line(4, "1000")]
    _, bad, _ = _judge(landing([_line(3), *lines], history=True), actions())
    assert bad["line"].to_list() == [1, 3, 4], "what is no number, a repeat, and a jump"
    assert bad["text"].null_count() == 0
    assert bad["text"][0] == lines[0]


@pytest.mark.parametrize(
    ("linked", "together"),
    [((), [[0, 2], [1]]), (("C", "D"), [[0, 1, 2]]), (("E", "D"), [[0, 2], [1]])],
)
def test_blocks_with_a_ticker_in_common_are_joined(linked: tuple[str, ...], together: list[list[int]]) -> None:
    joined = join_blocks(["AB", "D", "BC"], linked)
    assert sorted(map(sorted, joined)) == together
