"""What was foretold is judged by returns that the test works out itself, beside how many names went the same way."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.store import Lake
from lake.tables.market import MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.research import NOTES
from pipeline.reading.notes.scored_notes import NotesRecord, distribution, score_notes, sum_up
from tests.new_lake import new_lake
from tests.nextgen_tui.lakes import bars, land, publish, rows

FIRST = date(2022, 3, 1)
CLOSES = {"ACME": [100.0, 102.0, 99.0], "UPON": [10.0, 11.0, 12.0], "DOWN": [10.0, 9.0, 8.0], "ALSO": [5.0, 6.0, 5.5]}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = new_lake(tmp_path / "lake")
    given_bars = [bar for ticker, closes in CLOSES.items() for bar in bars(ticker, closes, FIRST + timedelta(days=2))]
    publish(made, MARKET_PRICES, rows(MARKET_PRICES, *given_bars), name="prices")
    members = [{"session": FIRST, "ticker": name, "member": True, "reason": "member"} for name in CLOSES]
    publish(made, TICKER_UNIVERSE, rows(TICKER_UNIVERSE, *members), name="universe")
    return made


def write(lake: Lake, *notes: dict[str, object]) -> None:
    own = {"session": FIRST, "about": "ticker", "target": "ACME", "ticker": "ACME", "text": "x", "origin": "cli"}
    land(
        lake, NOTES, rows(NOTES, *(own | {"note_id": f"n{number}"} | one for number, one in enumerate(notes))), "notes"
    )


def by_id(lake: Lake, known: date | None = None) -> dict[str, dict[str, object]]:
    return {row["note_id"]: row for row in score_notes(lake, known).iter_rows(named=True)}


def test_a_direction_is_judged_by_the_total_return_over_the_horizon(lake: Lake) -> None:
    write(
        lake,
        {"direction": "up", "horizon": 1},
        {"direction": "up", "horizon": 2},
        {"direction": "down", "horizon": 2},
        {"direction": "up", "horizon": 5},
        {"direction": None, "horizon": None},
    )
    found = by_id(lake)
    assert [found[f"n{n}"]["state"] for n in range(5)] == ["hit", "missed", "hit", "open", "note"]
    assert found["n0"]["realised"] == pytest.approx(102 / 100 - 1)
    assert found["n2"]["realised"] == pytest.approx(99 / 100 - 1)
    assert found["n0"]["due"] == FIRST + timedelta(days=1) and found["n3"]["due"] is None


def test_the_base_rate_is_the_share_of_the_other_members_that_went_the_same_way(lake: Lake) -> None:
    write(lake, {"direction": "up", "horizon": 2}, {"direction": "down", "horizon": 2})
    found = by_id(lake)
    rose = [closes[2] > closes[0] for name, closes in CLOSES.items() if name != "ACME"]
    assert found["n0"]["base"] == pytest.approx(sum(rose) / len(rose))
    assert found["n1"]["base"] == pytest.approx(1 - sum(rose) / len(rose))


def test_at_a_past_moment_what_was_not_due_is_open_and_what_was_not_written_is_not_there(lake: Lake) -> None:
    write(lake, {"direction": "up", "horizon": 2}, {"session": FIRST + timedelta(days=2), "text": "later"})
    found = by_id(lake, FIRST + timedelta(days=1))
    assert set(found) == {"n0"} and found["n0"]["state"] == "open"


def test_a_ticker_without_a_bar_where_it_is_due_has_no_outcome_and_does_not_count(lake: Lake) -> None:
    write(lake, {"direction": "up", "horizon": 1, "ticker": "GONE", "target": "GONE"})
    scored = score_notes(lake)
    assert scored["state"].to_list() == ["no outcome"] and sum_up(scored).judged == 0


def test_a_lake_without_notes_has_none(lake: Lake) -> None:
    assert sum_up(score_notes(lake)) == NotesRecord(0, 0, 0.0, None)
    assert "Nothing that was foretold" in sum_up(score_notes(lake)).sentence


def test_the_record_counts_hits_beside_those_of_somebody_who_guesses(lake: Lake) -> None:
    write(
        lake, {"direction": "up", "horizon": 1}, {"direction": "up", "horizon": 2}, {"direction": "down", "horizon": 2}
    )
    found = by_id(lake)
    record = sum_up(score_notes(lake))
    rates = [float(str(found[f"n{n}"]["base"])) for n in range(3)]
    assert (record.judged, record.hits, record.expected) == (3, 2, pytest.approx(sum(rates)))
    outcomes = product((False, True), repeat=3)
    exact = sum(weight(one, rates) for one in outcomes if sum(one) >= 2)
    assert record.chance == pytest.approx(exact)


def weight(outcome: tuple[bool, ...], rates: list[float]) -> float:
    total = 1.0
    for hit, rate in zip(outcome, rates, strict=True):
        total *= rate if hit else 1 - rate
    return total


@given(st.lists(st.floats(0, 1), max_size=12))
def test_the_chances_of_each_count_add_up_to_one(rates: list[float]) -> None:
    odds = distribution(rates)
    assert len(odds) == len(rates) + 1 and sum(odds) == pytest.approx(1.0)
    assert sum(count * chance for count, chance in enumerate(odds)) == pytest.approx(sum(rates), abs=1e-9)
