"""`nextgen note`: what is written is kept with who and when, is about something, and is listed with what came of it."""

from __future__ import annotations

import pytest

from lake.store import Lake
from lake.tables.market import INSTRUMENTS
from lake.tables.research import NOTES
from nextgen_tui.cli import exit_codes
from pipeline.control.operator.notes import Expectation, read_words
from tests.nextgen_tui.lakes import SESSION, listing, publish, rows
from tests.nextgen_tui.runner import Run, json_of

pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")  # pandas, inside the calendar library


@pytest.fixture(autouse=True)
def listed(lake: Lake) -> None:
    publish(lake, INSTRUMENTS, rows(INSTRUMENTS, listing("ACME"), listing("ZETA")), name="instruments")


def test_a_note_is_recorded_once_with_who_and_when(run: Run, lake: Lake) -> None:
    code, out, _ = run("note", "add", "ACME", "the recall is priced in", "--up", "5")
    assert code == exit_codes.DONE and "Noted on ACME as of 2022-03-01; up within 5 sessions is judged then." in out
    (row,) = lake.read(NOTES).to_dicts()
    assert (row["about"], row["ticker"], row["direction"], row["horizon"]) == ("ticker", "ACME", "up", 5)
    assert row["session"] == SESSION and row["origin"] == "cli" and row["text"] == "the recall is priced in"


def test_a_run_can_be_written_about_and_foretells_nothing(run: Run, lake: Lake) -> None:
    assert run("note", "add", "predict-20220301", "odd")[0] == exit_codes.DONE
    assert lake.read(NOTES)["about"].to_list() == ["run"]
    code, _, err = run("note", "add", "predict-20220301", "odd", "--down", "3")
    assert code == exit_codes.USAGE and "only of a ticker or a trade" in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("ACNE", "x"), "no ticker, trade or run is called 'ACNE'; did you mean ACME?"),
        (("2022-03-01:ACME:buy", "x"), "there is no trade or plan '2022-03-01:ACME:buy'"),
        (("ACME", "   "), "a note without words says nothing"),
        (("ACME", "x" * 4_001), "it may have 4,000"),
        (("ACME", "x", "--up", "21"), "foretell 1 to 20"),
        (("ACME", "x", "--up", "1", "--down", "1"), "contradict each other"),
    ],
)
def test_what_cannot_be_noted_is_refused_in_words(run: Run, lake: Lake, arguments: tuple[str, ...], told: str) -> None:
    code, _, err = run("note", "add", *arguments)
    assert code == exit_codes.USAGE and told in " ".join(err.split())
    assert lake.read(NOTES).is_empty()


def test_notes_are_listed_the_newest_first_and_by_ticker(run: Run) -> None:
    for ticker, text in (("ACME", "first"), ("ZETA", "second"), ("ACME", "third")):
        run("note", "add", ticker, text)
    assert [one["text"] for one in json_of(run, "note", "list")] == ["third", "second", "first"]
    assert [one["text"] for one in json_of(run, "note", "list", "--ticker", "ZETA")] == ["second"]
    assert [one["text"] for one in json_of(run, "note", "list", "--limit", "1")] == ["third"]
    code, out, err = run("note")
    assert code == exit_codes.DONE and "third" in out and "Nothing that was foretold has come due." in err


def test_a_line_is_read_as_a_note_with_or_without_what_it_foretells() -> None:
    assert read_words("up 5: why: because") == ("why: because", Expectation(direction="up", horizon=5))
    assert read_words(" down 20 : x") == ("x", Expectation(direction="down", horizon=20))
    assert read_words("up and away") == ("up and away", None)
    assert read_words("up 5") == ("up 5", None)
