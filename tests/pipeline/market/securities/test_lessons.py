"""A lesson about a ticker is one about its company: it goes on under another name, and not into another company."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from pipeline.feedback import bias, insights
from pipeline.feedback.params import FeedbackParams
from pipeline.market.securities.following import Securities
from pipeline.market.securities.lessons import follow_slices, keep_slices, ticker_of
from tests.frames.feedback import Tables, accuracy, at, flags, run, run_and_keep
from tests.frames.market import CALENDAR, DAY, actions

EARLIER = FeedbackParams(learning=1)
"""Every slice tested anew each session, as runs of earlier programs did: what follows a company needs no hypothesis."""
SESSIONS = 40
TURN = CALENDAR.offset(DAY, -10)


def scored(renamed: dict[str, str]) -> pl.DataFrame:
    """Errors of twelve tickers over forty sessions; those of T05 lie 1.5 % to one side."""
    random = np.random.default_rng(1)
    rows: list[dict[str, Any]] = []
    for back in range(SESSIONS, 0, -1):
        made, target = CALENDAR.offset(DAY, -back), CALENDAR.offset(DAY, 1 - back)
        for number in range(12):
            name = f"T{number:02d}"
            error = float(random.normal(0.015 if number == 5 else 0.0, 0.01))
            called = renamed.get(name, name) if made >= TURN else name
            rows.append(
                {"prediction_id": f"{back:08x}{number:08x}", "session": target, "made_session": made, "ticker": called}
                | {"target_session": target, "error": error, "sector": "tech"}
            )
    return accuracy(*rows)


def flagged(tables: Tables) -> set[str]:
    return set(run(bias.STAGE, tables, at(DAY), EARLIER).filter(scope="ticker", active=True)["slice"])


def rename(old: str, new: str) -> dict[str, Any]:
    return {"ticker": old, "ex_date": TURN, "kind": "rename", "successor": new, "amount": None}


def test_a_tickers_errors_count_together_through_a_rename() -> None:
    usual = flagged({"prediction_accuracy": scored({})})
    assert "T05" in usual
    told = actions(rename("T05", "NEW"))
    found = flagged({"prediction_accuracy": scored({"T05": "NEW"}), "corporate_actions": told})
    assert found == usual - {"T05"} | {"NEW"}


def test_the_errors_of_another_company_that_got_the_ticker_are_its_own() -> None:
    ended = {"ticker": "T05", "ex_date": CALENDAR.previous(TURN), "kind": "delisting", "amount": 1.0}
    found = run(bias.STAGE, {"prediction_accuracy": scored({}), "corporate_actions": actions(ended)}, at(DAY), EARLIER)
    slices = set(found.filter(scope="ticker")["slice"])
    assert "T05, ended" in slices
    assert not found.filter(slice="T05", active=True).height  # ten sessions say too little


def test_a_flag_of_the_session_before_is_remembered_under_the_name_of_today() -> None:
    little = pl.when(pl.col("ticker") == "T05").then(0.05).otherwise(1.0)
    told = {"prediction_accuracy": scored({}).with_columns(pl.col("error") * little)}
    told["corporate_actions"] = actions(rename("T05", "NEW") | {"ex_date": DAY})
    before = flags({"session": CALENDAR.previous(DAY), "scope": "ticker", "slice": "T05", "active": True})
    mine = {"scope": "ticker", "slice": "NEW"}
    assert run(bias.STAGE, told, at(DAY), EARLIER).filter(**mine).is_empty()
    assert run(bias.STAGE, told | {"bias_flags": before}, at(DAY), EARLIER).filter(**mine).height == 1


def steps(turn: dict[str, Any], second: str) -> list[tuple[str, str, str]]:
    """Insight (by the day it was opened), slice and state of each step: flagged as T05, then by another ticker."""
    tables: Tables = {"corporate_actions": actions(turn)}
    for back in range(-12, -7):
        session = CALENDAR.offset(DAY, back)
        name = "T05" if session < TURN else second
        tables["bias_flags"] = flags({"session": session, "scope": "ticker", "slice": name})
        run_and_keep(insights.STAGE, tables, at(session), EARLIER)
    rows = tables["learning_insights"].sort("session", "insight_id").to_dicts()
    return [(row["insight_id"], row["slice"], row["status"]) for row in rows]


def test_an_insight_goes_on_under_the_ticker_that_its_company_has() -> None:
    found = steps(rename("T05", "NEW"), "NEW")
    assert {identity for identity, *_ in found} == {f"bias:ticker:T05:1:{CALENDAR.offset(DAY, -12)}"}
    assert [(name, state) for _, name, state in found] == [("T05", "open"), ("T05", "acted")]


def test_an_insight_on_a_company_that_ended_is_retired_and_not_the_next_ones() -> None:
    ended = {"ticker": "T05", "ex_date": CALENDAR.previous(TURN), "kind": "delisting", "amount": 1.0}
    found = steps(ended, "T05")
    assert [(name, state) for _, name, state in found] == [
        ("T05", "open"), ("T05", "acted"), ("T05, ended", "retired"), ("T05", "open"), ("T05", "acted"),
    ]  # fmt: skip
    assert len({identity for identity, *_ in found}) == 2


def test_what_was_learned_of_a_ticker_with_a_trait_follows_its_company_too() -> None:
    before = CALENDAR.previous(TURN)
    learned = flags(
        *(
            {"session": before, "scope": "pair", "slice": name}
            for name in ("news:yes & ticker:T05", "news:yes & sector:tech")
        ),
        {"session": before, "scope": "ticker", "slice": "T05"},
        {"session": before, "scope": "pair", "slice": "ticker:T051 & weekday:mon"},
    )
    companies = Securities.trace(
        actions(rename("T05", "NEW")), learned.select("session", ticker=ticker_of()).drop_nulls()
    )
    for follow in (follow_slices, keep_slices):
        named = set(follow(learned, companies, DAY)["slice"])
        assert named == {"news:yes & ticker:NEW", "news:yes & sector:tech", "NEW", "ticker:T051 & weekday:mon"}


def test_what_was_learned_of_a_company_that_ended_is_not_the_next_ones() -> None:
    ended = {"ticker": "T05", "ex_date": TURN, "kind": "delisting", "amount": 1.0}
    learned = flags({"session": CALENDAR.previous(TURN), "scope": "pair", "slice": "news:yes & ticker:T05"})
    companies = Securities.trace(actions(ended), learned.select("session", ticker=ticker_of()).drop_nulls())
    assert follow_slices(learned, companies, DAY).is_empty()
    assert keep_slices(learned, companies, DAY)["slice"].to_list() == ["news:yes & ticker:T05, ended"]
