"""The console's words on corporate actions: what was stated, what became of it, what it did to the book."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import polars as pl

from pipeline.reading.results.action_changes import read_changes, read_corrections, read_holds, read_statements
from tests.frames import market
from tests.frames.trading import CALENDAR, DAYS, World, bars_at, dividend, free, plans, split


def test_what_the_operator_stated_is_pending_until_its_session_has_come() -> None:
    covers = {"since": str(DAYS[1]), "until": str(DAYS[1])}
    request = {"ticker": "A", "kind": "split", "verb": "release", "reason": "mended", "origin": "cli", "covers": covers}
    raw = market.landing([], kind="actions", source="operator", request=request, session=DAYS[3], calendar=CALENDAR)
    for session, state in ((DAYS[2], "pending"), (DAYS[3], "learned")):
        [row] = read_statements(raw, session).to_dicts()
        assert (row["verb"], row["ticker"], row["ex_date"], row["state"]) == ("release", "A", DAYS[1], state)


def test_an_action_is_shown_as_what_became_of_it() -> None:
    late = split("A", DAYS[1], 2, 1, learned_on=DAYS[3])
    told = dividend("B", DAYS[2], 1.0, learned_on=DAYS[2])
    gone = told | {"revision": 1, "withdrawn": True}
    mended = dividend("C", DAYS[2], 1.0, learned_on=DAYS[2]) | {"revision": 1, "amount": 2.0}
    found = read_changes(
        market.actions(late, told, gone, mended, dividend("D", DAYS[5], 1.0), calendar=CALENDAR), DAYS[4]
    )
    assert found.select("ticker", "state", "terms").rows() == [
        ("B", "withdrawn", "amount 1.0"), ("C", "corrected", "amount 2.0"),
        ("A", "learned late", "numerator 2, denominator 1"),
    ]  # fmt: skip


def test_a_correction_is_shown_with_what_it_reversed() -> None:
    given = World(*bars_at("A", *[100.0] * 2, *[50.0] * 4), params=free())
    given.order(DAYS[0], "A", "buy", 100)
    told = split("A", DAYS[2], 3, 1)
    given.act(
        told, told | {"numerator": 2, "revision": 1, "available_at": CALENDAR.close_at(DAYS[4]) + timedelta(minutes=5)}
    )
    given.settle_to(DAYS[5])
    rows = (
        read_corrections(given.rows("ledger_entries")).select("kind", "shares", "money", "effective", "session").rows()
    )
    assert rows == [
        ("correction", 100, Decimal(0), DAYS[2], DAYS[4]), ("reversal", -200, Decimal(0), DAYS[2], DAYS[4]),
    ]  # fmt: skip


def test_a_name_on_hold_is_shown_with_its_reason() -> None:
    why = {"rule": "unexplained_price", "verdict": "refuse", "scale": 0.0, "distance": None, "reason": "on hold since"}
    held = {"session": DAYS[1], "ticker": "A", "taken": False, "blocked_by": "unexplained_price", "verdicts": [why]}
    found = read_holds(plans(held, {"session": DAYS[1], "ticker": "B"}))
    assert found.select("ticker", "reason").rows() == [("A", "on hold since")]
    assert read_holds(
        pl.DataFrame(schema=found.schema | {"blocked_by": pl.String, "verdicts": plans(held).schema["verdicts"]})
    ).is_empty()
