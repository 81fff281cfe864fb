"""What passes as a bar, what is set aside, and what becomes of a bar that changes."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.tables.market import CORPORATE_ACTIONS, INSTRUMENTS, MARKET_PRICES, QUARANTINED_ROWS
from pipeline.engine.stage import Moment
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.prices.jumps import SUSPENDED
from pipeline.ingestion.prices.market_prices import STAGE
from pipeline.ingestion.prices.market_prices import prices as stage
from pipeline.ingestion.prices.validate_bars import (
    REPEAT,
    SUPERSEDED,
    TOO_OLD,
    TWO_VALUES,
    ValidatedBars,
    validate_bars,
)
from pipeline.market.sessions import exchange_sessions
from tests.frames.market import CALENDAR, DAY, actions, bar, instruments, landing, moment, prices

PARAMS = IngestionParams()
NEXT, BEFORE = CALENDAR.next(DAY), CALENDAR.previous(DAY)
LAG = timedelta(minutes=15)


def judged(
    raw: pl.DataFrame,
    known: pl.DataFrame | None = None,
    *,
    listed: pl.DataFrame | None = None,
    splits: pl.DataFrame | None = None,
    at: Moment | None = None,
) -> ValidatedBars:
    known = MARKET_PRICES.empty() if known is None else known
    listed = INSTRUMENTS.empty() if listed is None else listed
    splits = CORPORATE_ACTIONS.empty() if splits is None else splits
    return validate_bars(QUARANTINED_ROWS.empty(), raw, known, listed, splits, at or moment(), PARAMS)


def computed(raw: pl.DataFrame, known: pl.DataFrame | None = None, *, at: Moment | None = None) -> pl.DataFrame:
    known = MARKET_PRICES.empty() if known is None else known
    rows = stage(
        QUARANTINED_ROWS.empty(), raw, known, INSTRUMENTS.empty(), CORPORATE_ACTIONS.empty(), at or moment(), PARAMS
    )
    return MARKET_PRICES.check(rows)


def series(closes: list[float], *, first: date = DAY, **values: Any) -> list[dict[str, Any]]:
    """Bars of consecutive sessions."""
    days = CALENDAR.between(first, CALENDAR.days[-1])
    return [
        bar(session=day, open=close, high=close, low=close, close=close, **values)
        for day, close in zip(days, closes, strict=False)
    ]


def test_a_sound_bar_stands_as_it_was_traded() -> None:
    row = computed(landing([bar(open="100.25", volume="12.0")])).row(0, named=True)
    assert (row["ticker"], row["interval"], row["session"], row["revision"]) == ("AAA", "1d", DAY, 0)
    assert (row["open"], row["high"], row["low"], row["close"], row["volume"]) == (100.25, 101.0, 99.0, 100.0, 12)
    assert row["ts"] == CALENDAR.close_at(DAY)
    assert row["available_at"] == CALENDAR.close_at(DAY) + LAG


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"close": "12,3x"}, "close is a number"),
        ({"open": "one"}, "open is a number"),
        ({"close": "NaN"}, "close is a finite number"),
        ({"high": "inf"}, "high is a finite number"),
        ({"low": None}, "low is present"),
        ({"close": " "}, "close is present"),
        ({"close": "0"}, "prices are positive"),
        ({"low": "-1"}, "prices are positive"),
        ({"high": "98"}, "high is not below low"),
        ({"open": "102"}, "open lies within the range"),
        ({"close": "101.001"}, "close lies within the range"),
        ({"close": "98"}, "close lies within the range"),
        ({"volume": None}, "volume is present"),
        ({"volume": "many"}, "volume is a number"),
        ({"volume": "NaN"}, "volume is a finite number"),
        ({"volume": "9e30"}, "volume is a finite number"),
        ({"volume": "-1"}, "volume is not negative"),
        ({"session": None}, "session is present"),
        ({"session": "04/03/2020"}, "session is readable"),
        ({"session": "2020-02-30"}, "session is readable"),
        ({"session": "2020-03-01"}, "the exchange trades that day"),
        ({"session": "0001-01-01"}, "the exchange trades that day"),
        ({"session": None, "ts": "2020-03-04 16:00:00"}, "the time has a zone"),
        ({"session": NEXT.isoformat()}, "the bar has ended"),
        ({"ticker": "../etc"}, "ticker is well-formed"),
        ({"ticker": None}, "ticker is well-formed"),
        ({"ticker": "ZZZ"}, "ticker is listed"),
        ({"available_at": "yesterday"}, "available_at is a time with a zone"),
    ],
)
def test_a_bar_that_breaks_a_rule_is_set_aside_by_name_as_it_came(changes: dict[str, Any], rule: str) -> None:
    line = bar(**changes)
    good, bad = judged(landing([line]), listed=instruments("AAA"))
    assert good.is_empty()
    assert bad["rule"].to_list() == [rule]
    assert bad["text"].to_list() == landing([line])["payload"].to_list()


@pytest.mark.filterwarnings("ignore:Series.values returning")  # pandas, inside the calendar library
def test_a_holiday_of_the_real_exchange_is_no_session() -> None:
    calendar = exchange_sessions("XNYS")
    good_friday = landing([bar(session="2015-04-03")], session=date(2015, 4, 6), calendar=calendar)
    bad = judged(good_friday, at=moment(date(2015, 4, 6), calendar=calendar)).bad
    assert bad["rule"].to_list() == ["the exchange trades that day"]


@pytest.mark.filterwarnings("ignore:Series.values returning")
def test_a_half_day_ends_at_its_own_close() -> None:
    calendar, day = exchange_sessions("XNYS"), date(2019, 11, 29)
    rows = computed(landing([bar(session=day)], session=day, calendar=calendar), at=moment(day, calendar=calendar))
    assert rows["ts"].dt.hour().to_list() == [18]


def test_rounding_by_a_millionth_widens_the_range_and_more_does_not() -> None:
    good = judged(landing([bar(close="101.00005"), bar(ticker="BBB", open="98.99995")])).good
    assert good.select("high", "low").rows() == [(101.00005, 99.0), (101.0, 98.99995)]


def test_a_daily_bar_may_be_told_by_a_time_with_an_offset() -> None:
    raw = landing([bar(session=None, ts="2020-03-05T02:00:00+00:00")])  # still the evening of the 4th in New York
    assert judged(raw).good["session"].to_list() == [DAY]


def test_an_intraday_bar_is_known_by_its_end() -> None:
    raw = landing([bar(session=None, ts="2020-03-04T09:30:00-05:00")], request={"interval": "5m"})
    row = judged(raw).good.row(0, named=True)
    assert (row["ts"] - CALENDAR.open_at(DAY), row["interval"]) == (timedelta(minutes=5), "5m")


def test_an_intraday_bar_outside_trading_hours_is_set_aside() -> None:
    raw = landing([bar(session=None, ts="2020-03-04T08:00:00-05:00")], request={"interval": "5m"})
    assert judged(raw).bad["rule"].to_list() == ["the bar lies within the session"]


def test_of_identical_lines_one_stands() -> None:
    good, bad = judged(landing([bar(), bar()]))
    assert (good["line"].to_list(), bad["line"].to_list(), bad["rule"].to_list()) == ([0], [1], [REPEAT])


def test_of_conflicting_lines_none_stands() -> None:
    good, bad = judged(landing([bar(), bar(close="100.5")]))
    assert good.is_empty()
    assert bad["rule"].to_list() == [TWO_VALUES, TWO_VALUES]


def test_a_later_answer_of_the_same_session_goes_before_an_earlier_one() -> None:
    early = landing([bar(close="100.5")])
    late = landing([bar()], fetched_at=CALENDAR.close_at(DAY) + timedelta(hours=2))
    good, bad = judged(pl.concat([late, early]))
    assert (good["close"].to_list(), bad["rule"].to_list()) == ([100.0], [SUPERSEDED])


def test_a_bar_known_with_these_values_gives_no_row() -> None:
    first = computed(landing([bar()]))
    again = computed(landing([bar(), bar(session=NEXT)], session=NEXT), first, at=moment(NEXT))
    assert again["session"].to_list() == [NEXT]


def test_a_changed_bar_is_a_further_revision_known_since_the_landing() -> None:
    first = computed(landing([bar()]))
    raw = landing([bar(close="100.5")], session=NEXT)
    second = computed(raw, first, at=moment(NEXT))
    assert second.select("session", "revision", "close").rows() == [(DAY, 1, 100.5)]
    assert second["available_at"].to_list() == [CALENDAR.close_at(NEXT) + LAG]


def test_the_same_session_computed_again_gives_the_same_rows() -> None:
    first = computed(landing([bar()]))
    raw = landing([bar(close="100.5"), bar(session=NEXT)], session=NEXT)
    assert computed(raw, first, at=moment(NEXT)).equals(computed(raw, first, at=moment(NEXT)))


def test_a_bar_that_comes_late_in_a_daily_fetch_is_known_since_its_landing() -> None:
    rows = computed(landing([bar()], session=NEXT), at=moment(NEXT))
    assert rows["available_at"].to_list() == [CALENDAR.close_at(NEXT) + LAG]


def test_history_is_known_since_each_bars_own_publication() -> None:
    raw = landing([bar(), bar(session=NEXT)], session=NEXT, history=True)
    rows = computed(raw, at=moment(NEXT, since=DAY))
    assert rows["available_at"].to_list() == [CALENDAR.close_at(DAY) + LAG, CALENDAR.close_at(NEXT) + LAG]


def test_stated_availability_turns_two_vintages_into_a_bar_and_its_revision() -> None:
    evening, later = "2020-03-04T18:00:00-05:00", "2020-03-05T18:00:00-05:00"
    lines = [bar(available_at=evening), bar(close="100.5", available_at=later)]
    last = CALENDAR.next(NEXT)
    rows = computed(landing(lines, session=last, history=True), at=moment(last, since=DAY))
    assert rows.select("revision", "close").rows() == [(0, 100.0), (1, 100.5)]
    assert [at.isoformat() for at in rows["available_at"]] == ["2020-03-04T23:00:00+00:00", "2020-03-05T23:00:00+00:00"]


def test_an_older_vintage_is_judged_again_beside_what_was_public_then_and_not_beside_its_revision() -> None:
    evening, later = "2020-03-04T18:00:00-05:00", "2020-03-05T18:00:00-05:00"
    last = CALENDAR.next(NEXT)
    lines, at = [bar(available_at=evening), bar(close="100.5", available_at=later)], moment(last, since=DAY)
    raw = landing(lines, session=last, history=True)
    known = computed(raw, at=at)
    assert known["revision"].to_list() == [0, 1]
    assert judged(raw, known, at=at).good.select("revision", "new").rows() == [(0, False), (1, False)]


def test_a_daily_fetch_does_not_reach_further_back_than_it_can_compare() -> None:
    old = CALENDAR.offset(DAY, -11)
    assert judged(landing([bar(session=old)])).bad["rule"].to_list() == [TOO_OLD]


@pytest.mark.parametrize("close", [10_000.0, 301.0, 33.0, 1.0])
def test_a_jump_waits(close: float) -> None:
    raw = landing(series([100.0, close]), session=NEXT)
    good, bad = judged(raw, at=moment(NEXT))
    assert (good["session"].to_list(), bad["rule"].to_list()) == ([DAY], [SUSPENDED])


@pytest.mark.parametrize("close", [299.0, 34.0])
def test_a_violent_day_is_believed(close: float) -> None:
    assert judged(landing(series([100.0, close]), session=NEXT), at=moment(NEXT)).bad.is_empty()


def test_a_price_without_trades_is_believed_less() -> None:
    raw = landing([*series([100.0]), *series([151.0], first=NEXT, volume=0)], session=NEXT)
    assert judged(raw, at=moment(NEXT)).bad["rule"].to_list() == [SUSPENDED]


def test_a_jump_is_measured_from_the_bars_known_before() -> None:
    raw = landing(series([10_000.0]))
    assert judged(raw, prices({"session": BEFORE})).bad["rule"].to_list() == [SUSPENDED]


def test_a_unit_error_is_left_out_and_what_follows_stands() -> None:
    last = CALENDAR.offset(DAY, 2)
    good, bad = judged(landing(series([100.0, 10_000.0, 101.0]), session=last), at=moment(last))
    assert (good["session"].to_list(), bad["line"].to_list()) == ([DAY, last], [1])


def test_the_next_session_confirms_a_new_level_and_both_are_known_since_then() -> None:
    last = CALENDAR.offset(DAY, 2)
    raw = landing(series([100.0, 20.0, 21.0]), session=last, history=True)
    rows = computed(raw, at=moment(last, since=DAY))
    assert rows["close"].to_list() == [100.0, 20.0, 21.0]
    assert rows["available_at"].to_list()[1:] == [CALENDAR.close_at(last) + LAG] * 2


def test_a_level_that_the_next_session_does_not_share_is_not_confirmed() -> None:
    last = CALENDAR.offset(DAY, 2)
    bad = judged(landing(series([100.0, 20.0, 25.0]), session=last), at=moment(last)).bad
    assert bad["line"].to_list() == [1, 2]


def test_a_bar_after_a_gap_confirms_nothing() -> None:
    last = CALENDAR.offset(DAY, 3)
    lines = [*series([100.0, 20.0]), *series([20.0], first=last)]
    assert judged(landing(lines, session=last), at=moment(last)).bad["line"].to_list() == [1, 2]


def test_a_close_of_more_than_twenty_sessions_ago_says_nothing() -> None:
    known = prices({"session": CALENDAR.offset(DAY, -21)})
    assert judged(landing(series([10_000.0])), known).bad.is_empty()


@pytest.mark.parametrize(("ratio", "close"), [((4, 1), 25.0), ((1, 10), 1_000.0), ((7, 1), 14.0)])
def test_a_split_explains_a_jump(ratio: tuple[int, int], close: float) -> None:
    split = actions({"ex_date": NEXT, "numerator": ratio[0], "denominator": ratio[1]})
    raw = landing(series([100.0, close]), session=NEXT)
    assert judged(raw, splits=split, at=moment(NEXT)).bad.is_empty()


def test_a_split_told_after_the_close_explains_nothing_that_day() -> None:
    split = actions({"ex_date": NEXT, "numerator": 4, "available_at": CALENDAR.close_at(NEXT) + timedelta(hours=9)})
    last = CALENDAR.offset(DAY, 2)
    raw = landing(series([100.0, 25.0]), session=NEXT)
    assert judged(raw, splits=split, at=moment(NEXT)).bad["rule"].to_list() == [SUSPENDED]
    raw = landing(series([100.0, 25.0, 25.0]), session=last)
    assert judged(raw, splits=split, at=moment(last)).bad.is_empty()


def test_a_split_explains_the_jump_of_its_own_ticker_only() -> None:
    split = actions({"ex_date": NEXT, "numerator": 4})
    lines = [*series([100.0, 25.0]), *series([100.0, 25.0], ticker="BBB")]
    bad = judged(landing(lines, session=NEXT), splits=split, at=moment(NEXT)).bad
    assert bad["ticker"].to_list() == ["BBB"]


def test_a_restatement_that_is_not_believed_leaves_the_old_value_standing() -> None:
    known = prices({"session": BEFORE}, {"session": DAY, "close": 101.0})
    lines = [bar(high="9900", close="9900"), bar(session=NEXT, close="100")]
    good, bad = judged(landing(lines, session=NEXT), known, at=moment(NEXT))
    assert (good["session"].to_list(), bad["rule"].to_list()) == ([NEXT], [SUSPENDED])


WALKS = st.lists(st.sampled_from([1.0, 1.01, 0.9, 100.0, 0.01, 5.0, 0.2, 0.0, -1.0]), min_size=2, max_size=14)


def _walk_lines(steps: list[float]) -> list[dict[str, Any]]:
    """A series with jumps (a factor), bars that break a rule (-1) and missing ones (0)."""
    level, lines = 100.0, []
    for day, step in zip(CALENDAR.between(DAY, CALENDAR.days[-1]), steps, strict=False):
        level *= step if step > 0 else 1.0
        close = -1.0 if step < 0 else round(level, 6)
        if step:
            lines.append(bar(session=day, open=close, high=close, low=close, close=close))
    return lines


@given(WALKS)
@settings(max_examples=8, deadline=None)
def test_history_at_once_ends_as_day_by_day(steps: list[float]) -> None:
    lines = _walk_lines(steps)
    days = CALENDAR.between(DAY, CALENDAR.offset(DAY, len(steps) - 1))
    at_once = computed(landing(lines, session=days[-1], history=True), at=moment(days[-1], since=days[0]))
    known = MARKET_PRICES.empty()
    for day in days:
        window = {d.isoformat() for d in CALENDAR.between(CALENDAR.offset(day, -4), day)}
        daily = landing([line for line in lines if line["session"] in window], session=day)
        new = computed(daily, known.filter(pl.col("session") < day), at=moment(day))
        known = pl.concat([known, new])
    plain = [name for name in MARKET_PRICES.columns if name not in ("payload_id", "line")]
    assert known.sort(MARKET_PRICES.key).select(plain).equals(at_once.select(plain))


@given(WALKS, st.randoms(use_true_random=False))
@settings(max_examples=12, deadline=None)
def test_good_and_bad_together_are_all_that_came_in_any_order(steps: list[float], random: Any) -> None:
    lines = _walk_lines(steps) + _walk_lines(steps[:3])
    last = CALENDAR.offset(DAY, len(steps) - 1)
    raws = [landing([line], session=last, ticker=str(number)) for number, line in enumerate(lines)]
    at = moment(last, since=DAY)
    good, bad = judged(pl.concat(raws) if raws else landing([]), at=at)
    assert good.height + bad.height == len(lines)
    random.shuffle(raws)
    again = judged(pl.concat(raws) if raws else landing([]), at=at)
    assert good.equals(again.good)
    assert bad.equals(again.bad)


@given(WALKS)
@settings(max_examples=12, deadline=None)
def test_judging_again_beside_what_was_taken_sets_the_same_rows_aside(steps: list[float]) -> None:
    last = CALENDAR.offset(DAY, len(steps) - 1)
    raw, at = landing(_walk_lines(steps), session=last, history=True), moment(last, since=DAY)
    good, bad = judged(raw, at=at)
    again = judged(raw, good.select(*MARKET_PRICES.columns), at=at)
    assert again.bad.equals(bad)
    assert not again.good["new"].any()


def test_many_landings_in_one_range_end_as_one_by_one() -> None:
    first = landing([bar()])
    second = landing([bar(close="100.5"), bar(session=NEXT)], session=NEXT)
    one = computed(first)
    two = computed(second, one, at=moment(NEXT))
    together = computed(pl.concat([second, first]), at=moment(NEXT, since=DAY))
    assert together.equals(pl.concat([one, two]).sort(MARKET_PRICES.key))


def test_the_stage_declares_what_it_reads() -> None:
    assert [read.table.name for read in STAGE.reads][:3] == ["quarantined_rows", "raw_prices", "market_prices"]
    assert STAGE.doc
