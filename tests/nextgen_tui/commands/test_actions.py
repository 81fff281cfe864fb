"""`nextgen actions` as an operator types it: listed, stated with a reason, refused in words."""

from __future__ import annotations

import json
from datetime import date

import pytest

from lake.store import Lake
from lake.tables.market import CORPORATE_ACTIONS, RAW_PRICES
from nextgen_tui.cli import exit_codes
from pipeline.market.sessions import exchange_sessions
from tests.nextgen_tui.lakes import SESSION
from tests.nextgen_tui.runner import Run

# pandas' own change of mind, inside the calendar library.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")

NEXT = exchange_sessions().next(SESSION)
BEFORE = "2022-02-22"
WHY = ("--reason", "the company says so")


def listed(run: Run, *options: str) -> list[dict[str, object]]:
    code, out, _ = run("actions", "list", *options, "--json")
    assert code == exit_codes.DONE
    rows: list[dict[str, object]] = json.loads(out)
    return rows


def terms(run: Run, *options: str) -> list[tuple[object, ...]]:
    return [(one["what"], one["sequence"], one["terms"], one["state"]) for one in listed(run, *options)]


def test_what_is_added_is_on_record_with_its_reason_and_the_next_session_learns_it(run: Run, lake: Lake) -> None:
    code, out, _ = run("actions", "add", "acme", BEFORE, "split", "--ratio", "2:1", *WHY)
    assert code == exit_codes.DONE
    assert f"split of ACME on {BEFORE} added: the cycle of {NEXT} learns it" in " ".join(out.split())
    (landed,) = lake.read(RAW_PRICES).iter_rows(named=True)
    request = json.loads(landed["request"])
    assert (landed["source"], landed["session"]) == ("operator", NEXT)
    assert (request["reason"], request["origin"], request["verb"]) == (WHY[1], "cli", "add")
    (row,) = listed(run, "ACME")
    assert (row["state"], row["learned_on"], row["reason"]) == ("stated", str(NEXT), WHY[1])
    assert lake.read(CORPORATE_ACTIONS).is_empty(), "no stage has run"


def test_the_cycle_of_the_session_takes_it_in(run: Run, lake: Lake) -> None:
    run("actions", "add", "ACME", BEFORE, "special-dividend", "--amount", "3", "--pay-date", "2022-03-09", *WHY)
    assert run("run", "actions", "--session", str(NEXT))[0] == exit_codes.DONE
    (row,) = lake.read(CORPORATE_ACTIONS, version=lake.newest(CORPORATE_ACTIONS)).iter_rows(named=True)
    assert (row["kind"], row["nature"], row["amount"], row["source"]) == ("dividend", "special", 3.0, "operator")
    assert (row["learned_on"], row["pay_date"]) == (NEXT, date(2022, 3, 9))


def test_one_action_is_corrected_and_withdrawn_by_name_day_and_kind(run: Run) -> None:
    run("actions", "add", "ACME", BEFORE, "dividend", "--amount", "1", *WHY)
    assert run("actions", "correct", "ACME", BEFORE, "dividend", "--amount", "0.1", *WHY)[0] == exit_codes.DONE
    assert terms(run) == [("dividend", 0, "amount 0.1", "stated")]
    assert run("actions", "add", "ACME", BEFORE, "dividend", "--amount", "0.1", "--another", *WHY)[0] == exit_codes.DONE
    assert terms(run) == [("dividend", number, "amount 0.1", "stated") for number in (0, 1)]
    assert run("actions", "withdraw", "ACME", BEFORE, "dividend", "--sequence", "1", *WHY)[0] == exit_codes.DONE
    assert terms(run) == [("dividend", 0, "amount 0.1", "stated")]
    assert run("actions", "withdraw", "ACME", BEFORE, "dividend", *WHY)[0] == exit_codes.DONE
    assert terms(run) == []


def test_what_is_released_is_the_word_of_the_sources_again(run: Run, lake: Lake) -> None:
    run("actions", "add", "ACME", BEFORE, "split", "--ratio", "2:1", *WHY)
    run("run", "actions", "--session", str(NEXT))
    code, out, _ = run("actions", "release", "ACME", BEFORE, "split", "--reason", "the vendor has it right now")
    assert code == exit_codes.DONE
    assert f"split of ACME on {BEFORE} released: the cycle of" in " ".join(out.split())
    assert terms(run) == []
    (gone,) = listed(run, "--withdrawn")
    assert (gone["state"], gone["source"], gone["reason"]) == ("withdrawn", "released", "the vendor has it right now")


def test_a_swap_of_tickers_is_stated_and_withdrawn_for_both_companies(run: Run) -> None:
    assert run("actions", "add", "ACME", BEFORE, "ticker-swap", "--successor", "ZETA", *WHY)[0] == exit_codes.DONE
    assert [(one["ticker"], one["what"], one["successor"]) for one in listed(run)] == [
        ("ACME", "ticker_swap", "ZETA"),
        ("ZETA", "ticker_swap", "ACME"),
    ]
    code, _, err = run("actions", "correct", "ACME", BEFORE, "ticker_swap", "--successor", "NEWN", *WHY)
    assert (code, "withdraw that" in " ".join(err.split())) == (exit_codes.USAGE, True)
    assert run("actions", "withdraw", "ZETA", BEFORE, "ticker_swap", *WHY)[0] == exit_codes.DONE
    assert terms(run) == []


def test_what_is_stated_ahead_is_shown_ahead(run: Run) -> None:
    run("actions", "add", "ACME", "2022-03-15", "rename", "--successor", "NEWN", *WHY)
    assert terms(run) == [("rename", 0, "successor NEWN", "ahead")]
    assert terms(run, "--until", BEFORE) == []


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        (("add", "ZZZ", BEFORE, "split", "--ratio", "2:1", *WHY), "ZZZ is unknown"),
        (("add", "ACME", "2021-01-04", "split", "--ratio", "2:1", *WHY), "ACME has no session before"),
        (("add", "ACME", BEFORE, "split", "--ratio", "0:1", *WHY), "a split has a positive ratio other than 1"),
        (("add", "ACME", BEFORE, "split", "--ratio", "-2:1", *WHY), "a split has a positive ratio other than 1"),
        (("add", "ACME", BEFORE, "split", "--ratio", "two", *WHY), "is not NEW:OLD"),
        (("add", "ACME", BEFORE, "dividend", "--amount", "-1", *WHY), "a dividend has a positive amount"),
        (("add", "ACME", BEFORE, "dividend", "--amount", "much", *WHY), "amount is a finite number"),
        (("add", "ACME", BEFORE, "bonus", "--amount", "1", *WHY), "there is no kind of action 'bonus'"),
        (("add", "ACME", BEFORE, "spin-off", "--amount", "1", *WHY), "a spin-off has a successor and a ratio"),
        (("add", "ACME", BEFORE, "rename", "--successor", "ACME", *WHY), "a rename leads to another ticker"),
        (("add", "ACME", BEFORE, "dividend", "--amount", "1", "--reason", " "), "say why"),
        (("add", "ACME", BEFORE, "dividend", "--amount", "1"), "Missing option '--reason'"),
        (("add", "ACME", "2023-03-01", "dividend", "--amount", "1", *WHY), "state it from"),
        (("correct", "ACME", BEFORE, "split", "--ratio", "3:1", *WHY), "there is no split of ACME"),
        (("correct", "ACME", BEFORE, "split", *WHY), "say what is to change"),
        (("withdraw", "ACME", BEFORE, "split", *WHY), "there is no split of ACME"),
        (("release", "ACME", BEFORE, "split", *WHY), "you state nothing of a split of ACME"),
        (("add", "ACME", BEFORE, "ticker_swap", "--successor", "ACME", *WHY), "a rename leads to another ticker"),
        (("add", "ACME", BEFORE, "ticker_swap", *WHY), "a rename has a successor"),
        (("add", "ACME", BEFORE, "ticker_swap", "--successor", "ZZZ", *WHY), "ZZZ is unknown"),
        (("withdraw", "ACME", BEFORE, "split", "--session", BEFORE, *WHY), "cannot learn it"),
    ],
)
def test_what_cannot_be_is_refused_in_words_and_nothing_is_recorded(
    run: Run, lake: Lake, typed: tuple[str, ...], why: str
) -> None:
    code, _, err = run("actions", *typed)
    assert code == exit_codes.USAGE
    assert why in " ".join(err.split())
    assert lake.read(RAW_PRICES).is_empty()


def test_what_contradicts_what_stands_is_refused_in_words(run: Run, lake: Lake) -> None:
    run("actions", "add", "ACME", BEFORE, "rename", "--successor", "ZETA", *WHY)
    again = run("actions", "add", "ACME", BEFORE, "rename", "--successor", "NEWN", *WHY)
    circle = run("actions", "add", "ZETA", "2022-02-25", "rename", "--successor", "ACME", *WHY)
    same = run("actions", "correct", "ACME", BEFORE, "rename", "--successor", "ZETA", *WHY)
    assert [code for code, *_ in (again, circle, same)] == [exit_codes.USAGE] * 3
    assert "the rename of ACME on 2022-02-22 (successor ZETA) is known already, from operator" in " ".join(
        again[2].split()
    )
    assert "renames lead in no circle" in " ".join(circle[2].split())
    assert "says so already" in " ".join(same[2].split())
    assert lake.read(RAW_PRICES).height == 1
