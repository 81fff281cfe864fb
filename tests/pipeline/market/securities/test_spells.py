"""A ticker is one company's at a time, and a company's spells are one chain."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.tables.market import CORPORATE_ACTIONS
from pipeline.market.securities.following import Securities
from pipeline.market.securities.spells import trace_spells
from tests.frames import market
from tests.frames.trading import CALENDAR, DAYS, bar, delisting, dividend


def rename(ticker: str, day: date, successor: str | None) -> dict[str, Any]:
    return {"ticker": ticker, "ex_date": day, "kind": "rename", "successor": successor}


def actions(*rows: dict[str, Any]) -> pl.DataFrame:
    return market.actions(*[row | {"sequence": number} for number, row in enumerate(rows)], calendar=CALENDAR)


def bars(**spans: list[int]) -> pl.DataFrame:
    return market.prices(*[bar(name, DAYS[i]) for name, days in spans.items() for i in days], calendar=CALENDAR)


def spells(
    *rows: dict[str, Any], traded: pl.DataFrame | None = None
) -> list[tuple[str, str, date | None, date | None]]:
    found = trace_spells(actions(*rows), traded, CALENDAR if traded is not None else None)
    return found.sort("security_id", "since").select("security_id", "ticker", "since", "until").rows()


def test_a_company_keeps_its_id_through_any_number_of_renames() -> None:
    found = spells(rename("A", DAYS[2], "B"), rename("B", DAYS[4], "C"), rename("C", DAYS[6], "A"))
    assert [one for one in found if one[0] == "A"] == [
        ("A", "A", None, DAYS[2]),
        ("A", "B", DAYS[2], DAYS[4]),
        ("A", "C", DAYS[4], DAYS[6]),
        ("A", "A", DAYS[6], None),
    ]


def test_after_a_delisting_the_ticker_is_another_companys() -> None:
    found = spells(delisting("GONE", DAYS[3], 0.0))
    after = DAYS[3] + timedelta(days=1)
    assert found == [("GONE", "GONE", None, after), (f"GONE@{after}", "GONE", after, None)]


def test_two_companies_change_places_on_one_day_without_being_mixed() -> None:
    found = spells(rename("A", DAYS[2], "B"), rename("B", DAYS[2], "A"))
    assert found == [
        ("A", "A", None, DAYS[2]), ("A", "B", DAYS[2], None), ("B", "B", None, DAYS[2]), ("B", "A", DAYS[2], None),
    ]  # fmt: skip


def test_companies_that_swap_their_tickers_may_swap_them_back() -> None:
    swapped = [rename(old, DAYS[day], new) for day in (3, 6) for old, new in (("A", "B"), ("B", "A"))]
    assert spells(*swapped) == [
        ("A", "A", None, DAYS[3]), ("A", "B", DAYS[3], DAYS[6]), ("A", "A", DAYS[6], None),
        ("B", "B", None, DAYS[3]), ("B", "A", DAYS[3], DAYS[6]), ("B", "B", DAYS[6], None),
    ]  # fmt: skip


def test_who_takes_the_ticker_of_a_company_that_ends_on_that_day_has_it_from_that_day_on() -> None:
    found = spells(delisting("T", DAYS[5], 30.0), rename("SBC", DAYS[5], "T"))
    assert ("T", "T", None, DAYS[5]) in found
    assert ("SBC", "T", DAYS[5], None) in found


def test_a_rename_to_a_ticker_in_use_is_a_merger_and_said_to_be_taken_for_one() -> None:
    traded = bars(TGT=[0, 1, 2], ACQ=[0, 1, 2, 3, 4])
    found = trace_spells(actions(rename("TGT", DAYS[3], "ACQ")), traded)
    assert found.filter(ticker="ACQ").select("security_id", "since", "until").rows() == [("ACQ", None, None)]
    assert "in use" in found.filter(security_id="TGT")["doubt"][0]


def test_a_bar_of_the_old_ticker_on_the_very_day_of_a_rename_is_still_the_companys() -> None:
    told = actions(rename("OLD", DAYS[3], "NEW"))
    off_by_one = trace_spells(told, bars(OLD=[1, 2, 3], NEW=[4, 5]))
    assert off_by_one.filter(security_id="OLD", ticker="NEW")["since"].to_list() == [DAYS[3] + timedelta(days=1)]
    both = trace_spells(told, bars(OLD=[1, 2, 3], NEW=[3, 4]))
    assert both.filter(security_id="OLD", ticker="NEW")["since"].to_list() == [DAYS[3]]


def test_a_ticker_that_was_long_unused_goes_over_and_its_end_is_in_doubt() -> None:
    traded = bars(WM=[0, 1, *range(40, 44)], WMI=list(range(20, 40)))
    found = trace_spells(actions(rename("WMI", DAYS[40], "WM")), traded)
    assert found.filter(ticker="WM").select("security_id", "since").rows() == [("WM", None), ("WMI", DAYS[40])]
    assert "no row tells" in found.filter(security_id="WM")["doubt"][0]


def test_a_rename_that_is_told_twice_moves_nobody_twice() -> None:
    twice = spells(rename("A", DAYS[2], "B"), rename("A", DAYS[5], "B"))
    assert twice == spells(rename("A", DAYS[2], "B"))


def test_a_long_gap_that_no_row_explains_is_taken_for_another_company_and_doubted() -> None:
    traded = bars(REC=[0, 1, 2, 125, 126], SHORT=[0, 110])
    found = trace_spells(actions(), traded, CALENDAR)
    assert found["security_id"].to_list() == ["REC", f"REC@{DAYS[125]}"]
    assert found["doubt"].to_list() == [None, "another company is taken to trade after 122 sessions without a bar"]


def test_a_gap_before_which_a_company_was_renamed_is_no_gap_of_its_own() -> None:
    traded = bars(OLD=[0, 1], NEW=[0, 130])
    found = trace_spells(actions(rename("OLD", DAYS[60], "NEW")), traded, CALENDAR)
    assert found.filter(ticker="NEW")["security_id"].to_list() == ["NEW", "OLD"]


def test_a_ticker_handed_on_without_a_successor_is_another_companys_from_that_day() -> None:
    assert spells(rename("X", DAYS[3], None)) == [("X", "X", None, DAYS[3]), (f"X@{DAYS[3]}", "X", DAYS[3], None)]


def test_of_two_successors_one_is_followed_and_the_other_told() -> None:
    found = trace_spells(actions(rename("A", DAYS[2], "B"), rename("A", DAYS[2], "C")))
    assert found.filter(security_id="A")["ticker"].to_list() == ["A", "B"]
    assert "to C, is not followed" in found.filter(ticker="A", security_id="A")["doubt"][0]


def test_rows_are_named_by_company_and_get_their_tickers_back() -> None:
    known = Securities.trace(actions(rename("FB", DAYS[3], "META"), delisting("GONE", DAYS[4], 1.0)))
    traded = bars(FB=[1, 2], META=[3, 4], GONE=[3, 6], ELSE=[0, 9])
    named = known.name_companies(traded, "session")
    after = f"GONE@{DAYS[4] + timedelta(days=1)}"
    assert named["ticker"].to_list() == ["FB"] * 4 + ["GONE", after] + ["ELSE"] * 2
    assert known.name_tickers(named, "session").equals(traded)


def test_rows_of_before_get_the_ticker_of_today_and_those_of_ended_companies_are_left_out() -> None:
    known = Securities.trace(actions(rename("FB", DAYS[3], "META"), delisting("GONE", DAYS[4], 1.0)))
    found = known.follow_to(bars(FB=[1], META=[4], GONE=[3, 6], ELSE=[0]), "session", DAYS[8])
    assert found.select("ticker", "session").rows() == [
        ("META", DAYS[1]), ("META", DAYS[4]), ("GONE", DAYS[6]), ("ELSE", DAYS[0]),
    ]  # fmt: skip


def test_what_happens_on_the_day_of_a_rename_concerns_the_company_that_leaves_and_the_one_that_comes() -> None:
    rows = actions(rename("A", DAYS[3], "B"), dividend("A", DAYS[3], 1.0), dividend("B", DAYS[3], 2.0))
    named = Securities.trace(rows).name_actions(rows)
    assert named["ticker"].to_list() == ["A", "A", "A"]


TICKERS = st.sampled_from("ABCD")
EVENTS = st.lists(
    st.tuples(st.sampled_from(["rename", "delisting"]), TICKERS, st.integers(1, 9), st.none() | TICKERS), max_size=8
)
TRADED = st.dictionaries(st.sampled_from("ABCD"), st.sets(st.integers(0, 10)), max_size=4)


@given(EVENTS, st.none() | TRADED)
@settings(max_examples=50, deadline=None)
def test_no_two_companies_share_a_ticker_and_each_company_is_one_chain(
    events: list[tuple[str, str, int, str | None]], traded: dict[str, set[int]] | None
) -> None:
    rows = [(ticker, DAYS[day], kind, to if kind == "rename" else None) for kind, ticker, day, to in events]
    facts = pl.DataFrame(rows, schema=["ticker", "ex_date", "kind", "successor"], orient="row").cast(
        {name: CORPORATE_ACTIONS.schema[name] for name in ("ticker", "ex_date", "kind", "successor")}
    )
    there = [(name, DAYS[day]) for name, days in (traded or {}).items() for day in sorted(days)]
    sessions = pl.DataFrame(there, schema={"ticker": pl.String, "session": pl.Date}, orient="row")
    found = trace_spells(facts, None if traded is None else sessions)
    for _, spell in found.group_by("ticker"):
        for one, other in pairwise(spell.sort("since").rows(named=True)):
            assert one["until"] == other["since"]
        assert spell["since"].null_count() == 1
        assert spell["until"].null_count() == 1
    for _, chain in found.group_by("security_id"):
        for one, other in pairwise(chain.sort("since").rows(named=True)):
            assert one["until"] == other["since"]
    known = Securities(found)
    grid = pl.DataFrame([(t, day) for t in "ABCD" for day in DAYS[:12]], schema=["ticker", "session"], orient="row")
    named = known.name_companies(grid, "session")
    assert named.unique().height == grid.height
    assert known.name_tickers(named, "session").equals(grid)
