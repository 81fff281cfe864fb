"""A dialog says what will be true: who is champion, which orders remain, at which exposure, how long it takes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from lake.store import Lake
from lake.tables.books import PORTFOLIO_HOLDINGS, PORTFOLIO_VALUE
from lake.tables.control import TRADE_DECISIONS, TRADING_SWITCHES
from lake.tables.models import MODEL_PROMOTIONS, MODEL_REGISTRY
from lake.tables.trading import TRADE_PLANS
from pipeline.reading.foresight.consequences import find_consequences
from tests.new_lake import new_lake
from tests.nextgen_tui.lakes import SESSION, land, publish, rows

OPEN = date(2022, 3, 2)
WEIGHTS = {"weights": b"w", "weights_sha256": "0" * 64}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return new_lake(tmp_path / "lake")


def promote(lake: Lake, *champions: str | None) -> None:
    """Let models have been champions one after the other, each promoted in a session of its own."""
    made = [
        {"session": date(2022, 2, 1 + n), "model_id": f"m{n}", "champion": now, "previous": before, "promoted": True}
        for n, (before, now) in enumerate(zip((None, *champions), champions, strict=False))
    ]
    publish(lake, MODEL_PROMOTIONS, rows(MODEL_PROMOTIONS, *made), name="promote")


def test_a_rollback_says_who_will_be_champion(lake: Lake) -> None:
    promote(lake, "old", "new")
    trained = {"model_id": "old", "session": date(2022, 2, 1), "feature_set": "f1", "member": "ridge"} | WEIGHTS
    publish(lake, MODEL_REGISTRY, rows(MODEL_REGISTRY, trained), name="train")
    assert find_consequences(lake, "rollback", "") == (
        "champion now: new",
        "champion after it: old, trained on 2022-02-01",
    )
    assert find_consequences(lake, "rollback", "old") == ("it is refused: champion by then is new, not old",)
    assert find_consequences(lake, "promote", "old")[1] == "champion after it: old, trained on 2022-02-01"
    assert find_consequences(lake, "promote", "other") == ("it is refused: there is no model other",)


def test_a_rollback_of_the_first_champion_says_that_nobody_will_be(lake: Lake) -> None:
    assert find_consequences(lake, "rollback", "") == ("nobody is champion, so nothing is taken back",)
    promote(lake, "first")
    assert find_consequences(lake, "rollback", "")[1] == "champion after it: nobody: the naive forecast decides"


def planned(lake: Lake) -> None:
    orders = [
        {"ticker": name, "side": side, "shares": shares, "close": 100.0, "taken": True, "for_session": OPEN}
        | {"plan_id": f"{SESSION}:{name}", "session": SESSION, "intent": "add", "rate": None, "blocked_by": None}
        for name, side, shares in (("A", "buy", 100), ("B", "sell", 50), ("C", "buy", 10))
    ]
    publish(lake, TRADE_PLANS, rows(TRADE_PLANS, *orders), name="plan")
    value = {"session": SESSION, "nav": Decimal(100_000), "exposure": 0.5}
    publish(lake, PORTFOLIO_VALUE, rows(PORTFOLIO_VALUE, value), name="value")
    held = {"session": SESSION, "ticker": "B", "shares": 500, "market_value": Decimal("50000.00")}
    publish(lake, PORTFOLIO_HOLDINGS, rows(PORTFOLIO_HOLDINGS, held), name="holdings")


def test_a_veto_says_which_orders_remain_and_how_much_is_held_then(lake: Lake) -> None:
    planned(lake)
    assert find_consequences(lake, "veto", f"{SESSION}:A") == (
        "not placed: buy 100 A, about 10,000.00 at the last close",
        "2 of 3 orders remain for the open of 2022-03-02",
        "exposure after the open: about 46.0 % instead of 56.0 %",
    )
    both = find_consequences(lake, "veto", f"{SESSION}:A {SESSION}:C")
    assert [line.split()[2:5] for line in both[:2]] == [["buy", "100", "A,"], ["buy", "10", "C,"]]
    assert both[2].startswith("1 of 3 orders remain") and "about 45.0 % instead" in both[3]
    vetoed = {
        "decision_id": "x",
        "ticker": "C",
        "origin": "cli",
        "plan_id": f"{SESSION}:C",
        "for_session": OPEN,
        "decision": "veto",
    }
    land(lake, TRADE_DECISIONS, rows(TRADE_DECISIONS, vetoed), "veto")
    assert find_consequences(lake, "veto", f"{SESSION}:A")[1].startswith("1 of 2 orders remain")
    assert find_consequences(lake, "veto", "nobody") == ("no such order stands in the last plan",)


def test_a_kill_says_what_is_cancelled_and_what_is_sold(lake: Lake) -> None:
    planned(lake)
    assert find_consequences(lake, "pause", "")[0].startswith("the plan of 3 orders worth 16,000.00 still goes")
    assert find_consequences(lake, "kill", "close") == (
        "the plan of 3 orders worth 16,000.00 is cancelled",
        "sold at the next open: 1 position worth 50,000.00",
    )


def test_a_cycle_says_how_long_it_takes_by_the_last_ones_and_where_there_was_none(lake: Lake) -> None:
    assert find_consequences(lake, "cycle", "")[0].startswith("nothing of the kind was ever done here")
    planned(lake)
    assert find_consequences(lake, "retry", "cycle/2022-03-01")[0].endswith("by the mean of the last 1")


def test_a_resume_says_what_it_lifts(lake: Lake) -> None:
    assert find_consequences(lake, "resume", "") == ("nothing holds, so nothing is lifted",)
    moment = datetime(2022, 3, 1, 22, tzinfo=UTC)
    said = {"switch_id": "s", "switch": "pause", "decided_at": moment, "recorded_at": moment, "session": OPEN}
    said |= {"origin": "cli", "reason": "a storm", "lifts": []}
    publish(lake, TRADING_SWITCHES, rows(TRADING_SWITCHES, said), name="pause")
    lifted, then = find_consequences(lake, "resume", "")
    assert lifted == "lifted: trading was paused at 2022-03-01 22:00:00 UTC: a storm"
    assert then == "the next plan may order again; what was stopped stays so"
