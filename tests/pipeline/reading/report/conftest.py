"""A small book of five sessions over two months, written through the lake's own door."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lake.store import Lake
from lake.tables.attribution import ATTRIBUTIONS
from lake.tables.books import LEDGER_ENTRIES, PORTFOLIO_VALUE
from lake.tables.feedback import SCALE_EDGES, SESSION_SCORES
from lake.tables.market import MARKET_PRICES
from lake.tables.trading import EXECUTED_TRADES, TRADE_PLANS, TRADE_REFLECTIONS
from tests.frames.bars import bar_rows
from tests.new_lake import new_lake
from tests.nextgen_tui.lakes import publish, rows

DAYS = (date(2022, 1, 28), date(2022, 1, 31), date(2022, 2, 1), date(2022, 2, 2), date(2022, 2, 3))
NAVS = ("1000.00", "1100.00", "990.00", "990.00", "1039.50")
RETURNS = (0.0, 0.1, -0.1, 0.0, 0.05)
EQUAL_WEIGHT = (1000.0, 1010.0, 1020.0, 1030.0, 1040.0)
COSTS = ("0.00", "1.00", "3.00", "3.00", "4.50")
"""Commission paid so far."""
CHARGED = (
    "cash_alone",
    "equal_weight_net",
    "equal_weight_net_cost",
    "benchmark_net",
    "benchmark_net_cost",
    "top_k",
    "top_k_cost",
)
"""Columns that earlier programs did not write."""


def value_rows(**changed: Any) -> list[dict[str, Any]]:
    """The book's rows, some columns changed for all of them."""
    return [
        {
            "session": day,
            "capital": Decimal("1000.00"),
            "nav": Decimal(nav),
            "cash": Decimal(nav),
            "session_return": gain,
            "equal_weight": level,
            "benchmark": None,
            **dict.fromkeys(CHARGED),
            "commission": Decimal(paid),
            "exposure": 0.5,
            "turnover": 0.1,
            "restated": Decimal("0.00"),
            "difference": None,
        }
        | changed
        for day, nav, gain, level, paid in zip(DAYS, NAVS, RETURNS, EQUAL_WEIGHT, COSTS, strict=True)
    ]


def verdict(rule: str, said: str, reason: str = "") -> dict[str, Any]:
    """One rule's verdict on a plan."""
    return {"rule": rule, "verdict": said, "scale": 0.0, "distance": 1.0, "reason": reason}


def refused(day: date, ticker: str, rule: str, reason: str, side: str = "buy") -> dict[str, Any]:
    """A plan that a rule was the first to refuse."""
    verdicts = [verdict("eligibility", "allow"), verdict(rule, "refuse", reason)]
    return {
        "plan_id": f"{day}:{ticker}",
        "session": day,
        "for_session": DAYS[-1],
        "ticker": ticker,
        "side": side,
        "intent": "enter",
        "alpha": None,
        "blocked_by": rule,
        "verdicts": verdicts,
    }


PLANS = (
    refused(DAYS[1], "AAA", "cost_awareness", "the first reason"),
    refused(DAYS[2], "AAA", "cost_awareness", "the last reason"),
    refused(DAYS[2], "BBB", "house_rule", "said by a plugin", side="sell"),
    {
        "plan_id": "t",
        "session": DAYS[1],
        "for_session": DAYS[2],
        "ticker": "CCC",
        "side": "buy",
        "intent": "enter",
        "taken": True,
        "shares": 3,
        "blocked_by": None,
    },
)


def trade(number: int, **given: Any) -> dict[str, Any]:
    """A filled order."""
    return {"trade_id": f"t{number}", "session": DAYS[2], "ticker": "CCC", "side": "buy", "status": "filled"} | given


def reflection(ticker: str, profit: str, day: date = DAYS[3]) -> dict[str, Any]:
    """A reviewed sale."""
    return {
        "trade_id": f"{day}:{ticker}:sell",
        "session": day,
        "ticker": ticker,
        "profit": Decimal(profit),
        "realised_return": float(profit) / 100,
        "verdict": "good luck" if float(profit) > 0 else "bad luck",
        "lesson": f"what {ticker} taught",
        "luck_gain": Decimal(profit),
    }


ORIGINS = (
    ("source", "gain", "AAA", "7.00"),
    ("source", "gain", "BBB", "-2.00"),
    ("source", "commission", "", "-1.00"),
    ("exposure", "market", "", "6.00"),
    ("exposure", "sector", "Energy", "-1.00"),
    ("exposure", "commission", "", "-1.00"),
    ("decision", "benchmark", "", "3.00"),
    ("decision", "horizon", "5", "2.50"),
    ("decision", "horizon", "1", "-0.25"),
    ("decision", "rule", "sector_limit", "-0.25"),
    ("decision", "commission", "", "-1.00"),
    ("member", "member", "lstm", "5.00"),
    ("member", "commission", "", "-1.00"),
)
"""What a session's profit came from: view, part, item and amount."""


def origin(session: date, view: str, part: str, item: str, amount: str) -> dict[str, Any]:
    """A row of attributions."""
    return {"session": session, "view": view, "part": part, "item": item, "amount": Decimal(amount)}


def score(day: date, horizon: int, **given: Any) -> dict[str, Any]:
    """A session's scores over all forecasts of a horizon: 10 of a champion, a fifth less loss than naive."""
    return {
        "session": day,
        "target_session": day,
        "scope": "all",
        "slice": "all",
        "horizon": horizon,
        "model_id": "m-1",
        "role": "champion",
        "n": 10,
        "ic": 0.1,
        "pinball": 0.08,
        "naive_pinball": 0.1,
        "absolute_error": 0.1,
        "naive_absolute_error": 0.1,
        "hits": 6,
        "directions": 10,
        "inside_50": 5,
        "inside_80": 8,
        "inside_90": 9,
        "scale_histogram": [0] * (len(SCALE_EDGES) + 1),
    } | given


def leg(event: str, account: str, amount: str) -> dict[str, Any]:
    """One side of an event."""
    return {
        "entry_id": f"{event}/{account}",
        "event_id": event,
        "session": DAYS[0],
        "kind": "fund",
        "account": account,
        "amount": Decimal(amount),
        "ticker": None,
    }


def valued_lake(path: Path, traded: Sequence[date]) -> Lake:
    """A lake with the book's values, and a bar in some of its sessions."""
    lake = new_lake(path)
    publish(lake, MARKET_PRICES, bar_rows(*({"session": day} for day in traded)), name="prices")
    publish(lake, PORTFOLIO_VALUE, rows(PORTFOLIO_VALUE, *value_rows()), name="value")
    return lake


@pytest.fixture(scope="session")
def book_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The lake with that book. Tests only read it."""
    lake = valued_lake(tmp_path_factory.mktemp("book") / "lake", DAYS)
    publish(lake, TRADE_PLANS, rows(TRADE_PLANS, *PLANS), name="plan")
    filled = trade(1, ordered=3, shares=3, gross=Decimal("99.00"))
    publish(lake, EXECUTED_TRADES, rows(EXECUTED_TRADES, filled, trade(2, status="unfilled")), name="execute")
    sales = [
        reflection("AAA", "5.00"),
        reflection("BBB", "-3.00"),
        reflection("CCC", "-9.00"),
        reflection("DDD", "0.00"),
    ]
    publish(lake, TRADE_REFLECTIONS, rows(TRADE_REFLECTIONS, *sales), name="reflect")
    origins = [origin(day, *told) for day in DAYS[2:4] for told in ORIGINS]
    publish(lake, ATTRIBUTIONS, rows(ATTRIBUTIONS, *origins), name="attribution")
    scores = [score(day, horizon) for day in DAYS for horizon in (1, 5)]
    publish(lake, SESSION_SCORES, rows(SESSION_SCORES, *scores), name="session_scores")
    legs = (leg("fund", "cash", "1039.50"), leg("fund", "capital", "-1039.50"))
    publish(lake, LEDGER_ENTRIES, rows(LEDGER_ENTRIES, *legs), name="ledger")
    return lake
