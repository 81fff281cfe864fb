"""Who may be traded, and the words for who may not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest

from lake.tables.market import CONSTITUENTS, CORPORATE_ACTIONS, FX_RATES, TICKER_UNIVERSE
from pipeline.engine.stage import Moment
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.universe.params import UniverseParams
from pipeline.ingestion.universe.ticker_universe import universe
from tests.frames.market import CALENDAR, DAY, actions, instruments, moment, prices, rates

SMALL = UniverseParams(max_stale=1, min_history=3, min_close=1.0, min_dollar_volume=1e6, max_members=2)
PARAMS = replace(IngestionParams(), universe=SMALL)


def bars(ticker: str, days: list[date], **values: Any) -> list[dict[str, Any]]:
    return [{"ticker": ticker, "session": day, "volume": 100_000} | values for day in days]


def back(count: int, until: date = DAY) -> list[date]:
    return CALENDAR.between(CALENDAR.offset(until, 1 - count), until)


def computed(
    rows: list[dict[str, Any]] | pl.DataFrame,
    *,
    before: pl.DataFrame | None = None,
    listed: pl.DataFrame | None = None,
    ended: pl.DataFrame | None = None,
    spells: pl.DataFrame | None = None,
    worth: pl.DataFrame | None = None,
    at: Moment | None = None,
    params: IngestionParams = PARAMS,
) -> pl.DataFrame:
    frame = rows if isinstance(rows, pl.DataFrame) else prices(*rows)
    listed = instruments(*frame["ticker"].unique().sort()) if listed is None else listed
    before = TICKER_UNIVERSE.empty() if before is None else before
    ended = CORPORATE_ACTIONS.empty() if ended is None else ended
    spells = CONSTITUENTS.empty() if spells is None else spells
    worth = FX_RATES.empty() if worth is None else worth
    return TICKER_UNIVERSE.check(universe(frame, before, listed, ended, spells, worth, at or moment(), params))


def reason(rows: list[dict[str, Any]], **values: Any) -> str:
    verdicts = computed(rows, **values)
    assert verdicts.height == 1
    assert verdicts["member"][0] == (verdicts["reason"][0] == "member")
    return str(verdicts["reason"][0])


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (bars("AAA", back(3)), "member"),
        (bars("AAA", back(2)), "2 of 3 sessions of history"),
        (bars("AAA", back(4)[:-1]), "member"),
        (bars("AAA", back(5)[:-2]), "no bar for 2 sessions (at most 1)"),
        (bars("AAA", back(3), close=0.5), "close 0.5 below 1.0"),
        (bars("AAA", back(3), volume=9_000), "dollar volume 900000 below 1000000"),
    ],
)
def test_the_first_filter_that_fails_is_named_with_its_figures(rows: list[dict[str, Any]], words: str) -> None:
    assert reason(rows) == words


def test_a_benchmark_is_compared_with_and_never_traded() -> None:
    listed = instruments("AAA", role="benchmark")
    assert reason(bars("AAA", back(3)), listed=listed) == "a benchmark: compared with, never traded"


@pytest.mark.parametrize(
    ("listing", "words"),
    [
        ({"currency": "JPY"}, "quoted in JPY, the book is kept in USD"),
        ({"currency": "GBP", "unit": "GBX"}, "quoted in GBX (GBP), the book is kept in USD"),
        (
            {"currency": "EUR", "role": "benchmark"},
            "a benchmark that is not compared with: quoted in EUR, the book is kept in USD",
        ),
    ],
)
def test_a_listing_in_another_currency_than_the_books_is_no_member_and_says_why(
    listing: dict[str, str], words: str
) -> None:
    assert reason(bars("AAA", back(3)), listed=instruments("AAA", **listing)) == words


def foreign(**values: Any) -> dict[str, Any]:
    """A name in yen that trades 100,000 shares a session at 2,000."""
    return {"listed": instruments("AAA", currency="JPY"), **values}


def yen(rate: str, day: date, **values: Any) -> dict[str, Any]:
    return {"base": "JPY", "quote": "USD", "session": day, "rate": Decimal(rate)} | values


def in_yen(price: float = 2_000.0, until: date = DAY) -> list[dict[str, Any]]:
    return bars("AAA", back(3, until), currency="JPY", close=price, open=price)


def test_a_listing_in_another_currency_is_judged_in_the_books_where_a_rate_is_known() -> None:
    worth = rates(yen("0.01", back(2)[0]))
    (row,) = computed(in_yen(), **foreign(worth=worth)).to_dicts()
    assert (row["member"], row["close"], row["dollar_volume"]) == (True, 2_000.0, 2_000_000.0)
    assert reason(in_yen(99.0), **foreign(worth=worth)) == "close 0.99 below 1.0"
    assert reason(in_yen(999.0), **foreign(worth=worth)) == "dollar volume 999000 below 1000000"


def test_the_rate_of_a_decision_is_the_last_of_a_day_before_it_in_either_direction() -> None:
    two, one = back(3)[:2]
    inverse = {"base": "USD", "quote": "JPY"}
    known = [yen("0.01", two), yen("50", one, **inverse), yen("0.04", DAY)]
    assert computed(in_yen(), **foreign(worth=rates(*known)))["dollar_volume"][0] == 4_000_000.0
    both = rates(*known, yen("0.03", one))
    assert computed(in_yen(), **foreign(worth=both))["dollar_volume"][0] == 6_000_000.0


def test_a_benchmark_in_another_currency_is_compared_with_where_a_rate_is_known() -> None:
    listed = instruments("AAA", currency="JPY", role="benchmark")
    words = "a benchmark: compared with, never traded"
    assert reason(in_yen(), listed=listed, worth=rates(yen("0.01", back(2)[0]))) == words
    assert reason(in_yen(), listed=listed).startswith("a benchmark that is not compared with: quoted in JPY")


def test_without_a_rate_that_is_new_and_known_enough_a_foreign_listing_is_refused() -> None:
    words = "quoted in JPY, the book is kept in USD, and no rate of it is known that is at most 7 days old"
    day = back(2)[0]
    assert reason(in_yen(), **foreign(worth=rates(yen("0.01", DAY - timedelta(days=7))))) == "member"
    assert reason(in_yen(), **foreign(worth=rates(yen("0.01", DAY - timedelta(days=8)), yen("2", DAY)))) == words
    euros = rates({"session": day, "rate": Decimal("1.1")})
    assert reason(in_yen(), **foreign(worth=euros)).startswith("quoted in JPY, the book is kept in USD")
    late = rates(yen("0.01", day, available_at=CALENDAR.close_at(DAY) + timedelta(hours=1)))
    assert not computed(in_yen(), **foreign(worth=late))["member"][0]


def test_on_a_range_each_decision_has_the_rate_that_it_could_know() -> None:
    first, last = back(2)
    eve = CALENDAR.previous(first)
    told = CALENDAR.close_at(last)
    worth = rates(yen("0.01", eve), yen("0.02", eve, revision=1, available_at=told), yen("0.03", first))
    span = moment(since=first)
    found = computed(in_yen(until=last) + in_yen(until=CALENDAR.previous(eve)), **foreign(worth=worth, at=span))
    assert found["dollar_volume"].to_list() == [2_000_000.0, 6_000_000.0]


def test_bars_in_another_currency_than_their_listing_says_are_not_taken_for_it() -> None:
    rows = bars("AAA", back(4)[:-1]) + bars("AAA", back(1), currency="CHF")
    assert reason(rows) == "quoted in CHF, the book is kept in USD"
    assert reason(bars("AAA", back(4)[:-1], currency="CHF") + bars("AAA", back(1))) == "member"


def test_a_book_kept_in_the_listings_currency_has_it_and_a_run_of_before_did_not_ask() -> None:
    listed, rows = instruments("AAA", currency="JPY"), bars("AAA", back(3), currency="JPY")
    for currency in ("JPY", ""):
        assert reason(rows, listed=listed, at=replace(moment(), currency=currency)) == "member"


def test_what_trades_in_fractions_is_as_liquid_as_what_was_traded_of_it() -> None:
    coins = bars("AAA", back(3), close=4_000_000.0, volume=0, volume_rounding=0.4)
    assert computed(coins)["dollar_volume"].to_list() == [1_600_000.0]
    assert reason(coins) == "member"


def test_a_delisted_stock_says_since_when() -> None:
    ended = actions({"kind": "delisting", "amount": 0.0})
    assert reason(bars("AAA", back(4)[:-1]), ended=ended) == "delisted on 2020-03-04"


def test_who_trades_after_a_delisting_is_listed_with_a_history_of_its_own() -> None:
    ended = actions({"kind": "delisting", "amount": 0.0, "ex_date": back(4)[0]})
    assert reason(bars("AAA", back(4)), ended=ended) == "member"
    later = actions({"kind": "delisting", "amount": 0.0, "ex_date": back(4)[1]})
    assert reason(bars("AAA", back(4)), ended=later) == "2 of 3 sessions of history"


def rename(old: str, new: str, day: date, **values: object) -> dict[str, Any]:
    return {"ticker": old, "ex_date": day, "kind": "rename", "successor": new, "amount": None} | values


def test_a_renamed_company_keeps_its_history_and_its_old_ticker_has_no_row() -> None:
    rows = bars("OLD", back(3)[:2]) + bars("NEW", back(1), close=101.0)
    verdicts = computed(rows, ended=actions(rename("OLD", "NEW", DAY)))
    assert verdicts.select("ticker", "reason", "history", "close", "dollar_volume").rows() == [
        ("NEW", "member", 3, 101.0, 1e7)
    ]


def test_a_renamed_company_without_a_bar_yet_goes_on_as_one_that_did_not_trade() -> None:
    rows = bars("OLD", back(4)[:3])
    listed = instruments("OLD", "NEW")
    verdicts = computed(rows, ended=actions(rename("OLD", "NEW", DAY)), listed=listed)
    assert verdicts.select("ticker", "reason", "stale").rows() == [("NEW", "member", 1)]
    earlier = computed(rows, ended=actions(rename("OLD", "NEW", DAY)), listed=listed, at=moment(back(2)[0]))
    assert computed([], before=earlier, ended=actions(rename("OLD", "NEW", DAY)), listed=listed)[
        "ticker"
    ].to_list() == ["NEW"]


def test_the_history_of_another_company_that_had_the_ticker_does_not_count() -> None:
    gap = replace(PARAMS, universe=replace(SMALL, max_gap=10))
    rows = bars("AAA", back(30)[:5]) + bars("AAA", back(2))
    assert reason(rows, params=gap) == "2 of 3 sessions of history"
    assert reason(rows) == "member"


def test_a_rename_told_late_joins_histories_from_the_decision_that_could_know_it() -> None:
    days = back(5)
    rows = bars("OLD", days[:2]) + bars("NEW", days[2:])
    late = actions(rename("OLD", "NEW", days[2], available_at=CALENDAR.close_at(days[4]) - timedelta(hours=1)))
    found = computed(rows, ended=late, at=moment(since=days[1])).filter(pl.col("session") > days[1])
    new = found.filter(ticker="NEW").select("session", "history").rows()
    assert new == [(days[2], 1), (days[3], 2), (days[4], 5)]
    assert found.filter(ticker="OLD")["session"].to_list() == days[2:4]


def test_runs_of_earlier_programs_counted_the_bars_of_the_ticker() -> None:
    earlier = replace(PARAMS, universe=replace(SMALL, securities=1))
    rows = bars("OLD", back(3)[:2]) + bars("NEW", back(1))
    verdicts = computed(rows, ended=actions(rename("OLD", "NEW", DAY)), params=earlier)
    assert verdicts.select("ticker", "history").rows() == [("NEW", 1), ("OLD", 2)]


def test_a_delisting_is_not_foreseen() -> None:
    later = CALENDAR.offset(DAY, 2)
    ended = actions({"kind": "delisting", "amount": 0.0, "ex_date": later})
    verdicts = computed(bars("AAA", back(3)), ended=ended, at=moment(later, since=DAY))
    assert verdicts["reason"].to_list() == ["member", "member", "delisted on 2020-03-06"]


def test_only_the_most_liquid_stay_and_ties_go_by_name() -> None:
    rows = [*bars("CCC", back(3)), *bars("BBB", back(3)), *bars("AAA", back(3), volume=50_000)]
    verdicts = computed(rows)
    assert verdicts["member"].to_list() == [False, True, True]
    assert verdicts["reason"][0] == "rank 3 by dollar volume (at most 2)"


def test_the_dollar_volume_is_the_median_of_the_last_twenty_sessions() -> None:
    volumes = [10_000 * number for number in range(1, 31)]
    rows = [row | {"volume": volume} for row, volume in zip(bars("AAA", back(30)), volumes, strict=True)]
    assert computed(rows)["dollar_volume"].to_list() == [100.0 * float(np.median(volumes[-20:]))]


def test_a_ticker_without_a_listing_is_not_judged() -> None:
    assert computed(bars("AAA", back(3)), listed=instruments("BBB")).is_empty()


def test_no_bars_no_verdicts() -> None:
    assert computed(prices(), listed=instruments("AAA")).is_empty()


def test_who_has_no_bar_in_reach_keeps_the_last_close_and_grows_stale() -> None:
    yesterday = CALENDAR.previous(DAY)
    before = pl.DataFrame(
        [("AAA", yesterday, False, "no bar for 300 sessions", "energy", 7.5, None, 0, 300)],
        schema=["ticker", "session", "member", "reason", "sector", "close", "dollar_volume", "history", "stale"],
        orient="row",
    ).cast({"dollar_volume": pl.Float64})
    row = computed(prices(), before=before, listed=instruments("AAA")).row(0, named=True)
    assert (row["close"], row["stale"], row["history"], row["dollar_volume"]) == (7.5, 301, 0, None)


def test_a_late_bar_counts_from_the_decision_that_could_know_it() -> None:
    later = CALENDAR.offset(DAY, 2)
    known = CALENDAR.close_at(CALENDAR.next(DAY)) + timedelta(minutes=15)
    rows = [*bars("AAA", back(3)[:-1]), *bars("AAA", [DAY], close=120.0, available_at=known)]
    verdicts = computed(rows, at=moment(later, since=DAY))
    assert verdicts["close"].to_list() == [100.0, 120.0, 120.0]
    assert verdicts["stale"].to_list() == [1, 1, 2]
    assert verdicts["history"].to_list() == [2, 3, 3]


def _random_bars(seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    days = back(330)
    rows = []
    for ticker in ("AAA", "BBB", "CCC"):
        kept = [day for day in days if rng.random() < 0.9] if ticker != "CCC" else days[:20]
        for day in kept:
            close = float(rng.uniform(0.8, 30))
            rows += bars(ticker, [day], close=close, volume=int(rng.integers(0, 200_000)))
            if rng.random() < 0.05:
                at = CALENDAR.close_at(CALENDAR.offset(day, int(rng.integers(1, 4)))) + timedelta(minutes=15)
                rows += bars(ticker, [day], close=close * 1.1, revision=1, available_at=at)
    return prices(*rows)


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_range_ends_as_day_by_day_and_later_bars_change_nothing(seed: int) -> None:
    frame = _random_bars(seed)
    days = back(315)
    at_once = computed(frame, at=moment(DAY, since=days[0]))
    before, parts = TICKER_UNIVERSE.empty(), []
    # Day by day while history grows, and while CCC leaves the reach of the bars; a range of its own between.
    for first, day in [*((one, one) for one in days[:10]), (days[10], days[-31]), *((one, one) for one in days[-30:])]:
        at = moment(day, since=first)
        reach = (pl.col("session") >= CALENDAR.offset(first, -280)) & (pl.col("session") <= day)
        seen = frame.filter(reach & (pl.col("available_at") <= at.as_of))
        parts.append(computed(seen, before=before, at=at, listed=instruments("AAA", "BBB", "CCC")))
        before = parts[-1].filter(pl.col("session") == day)
    assert pl.concat(parts).equals(at_once)
