"""A bar that nobody explains yet waits for later landings, and enters the prices when they settle it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.tables.imports import RAW_IMPORTS
from lake.tables.market import CORPORATE_ACTIONS, FX_RATES, INSTRUMENTS, MARKET_PRICES, QUARANTINED_ROWS, RAW_PRICES
from lake.tables.news import RAW_NEWS
from pipeline.config.recorded import from_record
from pipeline.ingestion.decode_payloads import decode
from pipeline.ingestion.params import IngestionParams, JumpParams
from pipeline.ingestion.prices.jumps import SUSPENDED
from pipeline.ingestion.prices.market_prices import prices
from pipeline.ingestion.prices.waiting_bars import blank_others
from pipeline.ingestion.quarantine import quarantine
from tests.frames.market import CALENDAR, DAY, actions, bar, landing, moment

LAG = timedelta(minutes=15)
PARAMS = IngestionParams()
SLOW = IngestionParams(jump=JumpParams(confirmations=5))
PLAIN = [name for name in MARKET_PRICES.columns if name not in ("payload_id", "line")]


def day(number: int) -> date:
    return CALENDAR.offset(DAY, number)


def known_at(number: int) -> datetime:
    """When the bar of that session is public, if nothing holds it back."""
    return CALENDAR.close_at(day(number)) + LAG


def lines_of(closes: list[float], *, timed: bool = False) -> list[dict[str, Any]]:
    found = []
    for number, close in enumerate(closes):
        stated = {"available_at": (known_at(number) - timedelta(minutes=5)).isoformat()} if timed else {}
        found.append(bar(session=day(number), open=close, high=close, low=close, close=close, **stated))
    return found


class Days:
    """A lake of two tables, fed session by session with what each landing brings."""

    def __init__(self, params: IngestionParams = PARAMS, splits: pl.DataFrame | None = None) -> None:
        self.params, self.splits = params, CORPORATE_ACTIONS.empty() if splits is None else splits
        self.raw, self.bars, self.aside = RAW_PRICES.empty(), MARKET_PRICES.empty(), QUARANTINED_ROWS.empty()

    def land(self, number: int, *lines: dict[str, Any], history: bool = False, first: int | None = None) -> None:
        self.raw = pl.concat([self.raw, landing(list(lines), session=day(number), history=history)])
        at = moment(day(number), since=day(number if first is None else first))
        known = self.splits.filter(pl.col("available_at") <= at.as_of)
        waiting = self.aside.filter(pl.col("rule") == SUSPENDED, pl.col("session") < at.since)
        new = prices(waiting, self.raw, self.bars, INSTRUMENTS.empty(), known, at, self.params)
        self.bars = pl.concat([self.bars, MARKET_PRICES.check(new)]).sort(MARKET_PRICES.key)
        tables = (RAW_NEWS.empty(), RAW_IMPORTS.empty(), self.bars, INSTRUMENTS.empty(), known, FX_RATES.empty())
        left = quarantine(waiting, self.raw, *tables, at, self.params)
        self.aside = pl.concat([self.aside, QUARANTINED_ROWS.check(left)])

    def closes(self) -> list[float]:
        return self.bars["close"].to_list()


def one_by_one(closes: list[float], params: IngestionParams = PARAMS, splits: pl.DataFrame | None = None) -> Days:
    days = Days(params, splits)
    for number, line in enumerate(lines_of(closes)):
        days.land(number, line)
    return days


RISEN = [50.0, 51.0, 210.0, 211.0, 212.0]


def test_a_true_jump_is_not_lost_from_a_file_that_says_when_each_bar_was_known() -> None:
    timed, plain = Days(), Days()
    timed.land(4, *lines_of(RISEN, timed=True), history=True, first=0)
    plain.land(4, *lines_of(RISEN), history=True, first=0)
    assert timed.closes() == plain.closes() == RISEN
    waited = timed.bars["available_at"][2]
    assert waited == known_at(3), "known once the next session had confirmed it, not before"


def test_a_jump_is_confirmed_by_the_next_landing_although_that_does_not_repeat_it() -> None:
    days = one_by_one(RISEN)
    assert days.closes() == RISEN
    assert days.bars["available_at"].to_list() == [known_at(number) for number in (0, 1, 3, 3, 4)]
    assert days.aside.select("session", "rule").rows() == [(day(2), SUSPENDED)]


def test_as_many_sessions_as_set_have_to_agree_before_a_jump_is_believed() -> None:
    days = one_by_one([*RISEN[:2], 210.0, 211.0], IngestionParams(jump=JumpParams(confirmations=2)))
    assert days.closes() == RISEN[:2]
    days.land(4, lines_of(RISEN)[4])
    assert days.closes() == RISEN
    assert days.bars["available_at"].to_list()[2:] == [known_at(4)] * 3


def test_a_split_learned_two_sessions_late_explains_what_waits_and_it_is_known_since_then() -> None:
    late = actions({"ex_date": day(2), "numerator": 4, "available_at": CALENDAR.open_at(day(4))})
    days = one_by_one([100.0, 100.0, 25.0, 25.0], SLOW, late)
    assert days.closes() == [100.0, 100.0]
    days.land(4, bar(session=day(4), open=25, high=25, low=25, close=25))
    assert days.closes() == [100.0, 100.0, 25.0, 25.0, 25.0]
    assert days.bars["available_at"].to_list()[2:] == [known_at(4)] * 3


def test_a_split_that_does_not_fit_explains_nothing() -> None:
    late = actions({"ex_date": day(2), "numerator": 3, "available_at": CALENDAR.open_at(day(4))})
    days = one_by_one([100.0, 100.0, 10.0, 10.0, 10.0], SLOW, late)
    assert days.closes() == [100.0, 100.0]


def test_a_bar_that_is_stated_again_otherwise_waits_no_more() -> None:
    days = one_by_one([100.0, 100.0, 10_000.0])
    days.land(3, bar(session=day(2)), bar(session=day(3)))
    assert days.closes() == [100.0] * 4
    days.land(4, bar(session=day(4)))
    assert days.closes() == [100.0] * 5
    assert days.bars["revision"].max() == 0


def test_an_error_that_nothing_confirms_never_enters() -> None:
    days = one_by_one([100.0, 10_000.0, *[101.0] * 4])
    assert days.closes() == [100.0, *[101.0] * 4]


def test_runs_that_recorded_no_waiting_lose_the_jump_as_they_did() -> None:
    recorded = from_record(IngestionParams, {"jump": {"ratio": 3.0, "idle": 0.5, "agree": 0.2}})
    assert (recorded.jump.waiting, recorded.jump.confirmations) == (1, 1)
    days = Days(recorded)
    days.land(4, *lines_of(RISEN, timed=True), history=True, first=0)
    assert days.closes() == RISEN[:2]


STEPS = st.lists(st.sampled_from([1.0, 1.01, 0.9, 100.0, 0.01, 5.0, 0.2]), min_size=2, max_size=7)


@pytest.mark.parametrize("confirmations", [1, 2])
@given(STEPS)
@settings(max_examples=3, deadline=None)
def test_one_bar_a_landing_ends_as_all_of_history_at_once(confirmations: int, steps: list[float]) -> None:
    params = IngestionParams(jump=JumpParams(confirmations=confirmations))
    closes, level = [], 100.0
    for step in steps:
        level *= step
        closes.append(round(level, 6))
    at_once = Days(params)
    at_once.land(len(closes) - 1, *lines_of(closes), history=True, first=0)
    daily = one_by_one(closes, params)
    assert daily.bars.select(PLAIN).equals(at_once.bars.select(PLAIN))


def recycled(params: IngestionParams) -> Days:
    """A ticker whose company ends at 4; another one lists under it two sessions later at 60."""
    ended = actions({"kind": "delisting", "ex_date": day(2), "amount": 4.0, "available_at": CALENDAR.open_at(day(2))})
    days = Days(params, ended)
    for number, close in ((0, 4.0), (1, 4.0), (3, 60.0), (4, 61.0)):
        days.land(number, bar(session=day(number), open=close, high=close, low=close, close=close))
    return days


def test_the_first_bar_of_another_company_follows_from_nobodys_close() -> None:
    days = recycled(PARAMS)
    assert days.bars["available_at"].to_list() == [known_at(number) for number in (0, 1, 3, 4)]
    assert days.aside.is_empty()
    first = IngestionParams(jump=JumpParams(securities=1))
    assert recycled(first).bars["available_at"].to_list() == [known_at(number) for number in (0, 1, 4, 4)]


def test_a_renamed_companys_bar_follows_from_its_last_close() -> None:
    told = {"kind": "rename", "ex_date": day(2), "successor": "NEW", "available_at": CALENDAR.open_at(day(2))}
    days = Days(PARAMS, actions(told | {"amount": None}))
    for number, ticker, close in ((0, "AAA", 50.0), (1, "AAA", 51.0), (2, "NEW", 5100.0), (3, "NEW", 52.0)):
        days.land(number, bar(ticker=ticker, session=day(number), open=close, high=close, low=close, close=close))
    assert days.bars.sort("session").select("ticker", "close").rows() == [("AAA", 50.0), ("AAA", 51.0), ("NEW", 52.0)]
    assert days.aside.select("ticker", "session", "rule").rows() == [("NEW", day(2), SUSPENDED)]


LINES = ("", " ", "{", "x", '{"a": 1.50, "b": 3}', '{"a": "2"}\r', '{"a": null, "b": 1e3}', '{"b": "é"}')


@given(st.lists(st.lists(st.tuples(st.sampled_from(LINES), st.booleans()), min_size=1, max_size=6), max_size=3))
def test_lines_that_wait_are_read_as_among_all_others(payloads: list[list[tuple[str, bool]]]) -> None:
    landed = RAW_PRICES.empty()
    for number, lines in enumerate(payloads):
        text = "\n".join(line for line, _ in lines)
        one = landing([]).with_columns(payload_id=pl.lit(f"p{number}"), payload=pl.lit(text))
        landed = pl.concat([landed, one.select(landed.columns)])
    waits = [(f"p{at}", line) for at, lines in enumerate(payloads) for line, (_, asked) in enumerate(lines) if asked]
    asked = pl.DataFrame(waits, schema={"payload_id": pl.String, "line": pl.Int64}, orient="row")
    every = decode(landed, ("a", "b")).join(asked, on=["payload_id", "line"], how="semi", maintain_order="left")
    few = decode(blank_others(landed, asked), ("a", "b"))
    # Beside a line that cannot be read a number keeps the text it came as, 1.50 for 1.5.
    as_numbers = pl.col("a", "b").cast(pl.Float64, strict=False)
    assert few.with_columns(as_numbers).equals(every.with_columns(as_numbers))
