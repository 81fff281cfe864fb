"""Sessions that are measured together know, to the bit, what each of them would measure by itself."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from lake.storage.visibility import select_last_revisions
from lake.tables.books import PORTFOLIO_HOLDINGS
from lake.tables.market import MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.predictions import PREDICTIONS
from lake.tables.trading import EXECUTED_TRADES, TRADE_PLANS
from pipeline.research.desk import DeskSession
from pipeline.research.desk.stored_rows import StoredRows
from pipeline.research.desk.stretches import SharedView, divide
from pipeline.trading.execution.volatility_and_volume import LOOKBACK, measure_before_open
from pipeline.trading.params import TradingParams
from pipeline.trading.planning.generate_orders import gather_inputs
from pipeline.trading.planning.holds import find_doubts
from tests.frames.market import CALENDAR, actions, prices

PARAMS = TradingParams()
NAMES = ("AAA", "BBB", "CCC", "DDD", "EEE")
DAYS = CALENDAR.days[: LOOKBACK + 46]
ASKED = [DeskSession(day, CALENDAR.close_at(day) + timedelta(minutes=20), PARAMS) for day in DAYS[LOOKBACK + 1 :]]
MEASURED = ("last_session", "close", "volatility", "median_volume")


def draw_bars(seed: int, restated: int) -> pl.DataFrame:
    """Every revision: some bars are missing, some late, some stated otherwise days later; DDD is delisted."""
    rng, rows = np.random.default_rng(seed), []
    for ticker in NAMES:
        close = 100.0
        for day in DAYS[:50] if ticker == "DDD" else DAYS:
            close *= float(np.exp(rng.normal(0, 0.02)))
            if rng.random() < 0.05:
                continue
            bar = {"ticker": ticker, "session": day, "close": round(close, 2), "volume": int(rng.integers(1e3, 1e6))}
            rows.append(bar)
            if rng.random() < restated / (len(NAMES) * len(DAYS)):
                later = CALENDAR.close_at(day) + timedelta(days=int(rng.integers(1, 30)))
                other = {"revision": 1, "close": round(close * 1.03, 2), "available_at": later}
                rows.append(bar | {"ts": CALENDAR.close_at(day)} | other)
    return prices(*rows)


ACTED = actions(
    {"ticker": "AAA", "ex_date": DAYS[40]},
    {"ticker": "BBB", "ex_date": DAYS[45], "kind": "dividend"},
    {"ticker": "DDD", "ex_date": DAYS[49], "kind": "delisting"},
)


def see(bars: pl.DataFrame, asked: DeskSession) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Bars and actions as a stage reads them at a session."""
    since = CALENDAR.offset(asked.session, -LOOKBACK)
    known = bars.filter(pl.col("session").is_between(since, asked.session), pl.col("available_at") <= asked.as_of)
    last = select_last_revisions(known.sort(MARKET_PRICES.key), MARKET_PRICES)
    return last, ACTED.filter(pl.col("ex_date").is_between(since, asked.session))


def by_ticker(rows: Any) -> dict[str, tuple[Any, ...]]:
    return {row["ticker"]: tuple(row[name] for name in MEASURED) for row in rows}


def assert_same_as_alone(stretch: SharedView, asked: DeskSession, bars: pl.DataFrame) -> None:
    session, (seen, acted) = asked.session, see(bars, asked)
    assert stretch.recent(session).equals(seen)
    today = seen.filter(pl.col("session") == session)["ticker"].to_list()
    opening = measure_before_open(seen, acted, today, session, CALENDAR, PARAMS)
    found = by_ticker(stretch.many.at_open.get(session, {}).values())
    assert {ticker: found[ticker] for ticker in today if ticker in found} == by_ticker(opening.iter_rows(named=True))
    nothing = (PORTFOLIO_HOLDINGS.empty(), seen, acted, TRADE_PLANS.empty(), EXECUTED_TRADES.empty())
    own = gather_inputs(
        PREDICTIONS.empty(), *nothing, TICKER_UNIVERSE.empty(), {}, session, CALENDAR, PARAMS, further=NAMES
    )
    gone = {ticker for ticker, day in stretch.ended.items() if day < session}
    closing = by_ticker(stretch.many.at_close[session].values())
    expected = by_ticker(own.conditions.values())
    assert {ticker: row for ticker, row in closing.items() if ticker not in gone} == expected
    lately = CALENDAR.between(CALENDAR.offset(session, -2 * PARAMS.rules.hold_sessions), session)
    assert not stretch.many.moved.isdisjoint(lately) or not find_doubts(seen, acted, session, CALENDAR, PARAMS)


@pytest.mark.parametrize(
    ("seed", "restated"), [*(pytest.param(*one, marks=pytest.mark.slow) for one in ((1, 0), (2, 6))), (3, 60)]
)
def test_stretches_know_what_each_session_would_measure_by_itself(seed: int, restated: int) -> None:
    bars = draw_bars(seed, restated)
    stretches = list(divide(StoredRows(MARKET_PRICES, bars), ACTED, ASKED, CALENDAR))
    assert [day for one in stretches for day in one.sessions] == [one.session for one in ASKED]
    asked = {one.session: one for one in ASKED}
    for stretch in stretches:
        for session in set(stretch.sessions) - stretch.alone:
            assert_same_as_alone(stretch, asked[session], bars)
    assert (len(stretches) == 1) == (restated == 0)
    assert "DDD" in stretches[-1].ended
    assert not any(one.alone for one in stretches)


def test_a_name_that_another_company_takes_up_leaves_its_sessions_to_themselves() -> None:
    bars, later = draw_bars(4, 0), DAYS[60]
    again = prices({"ticker": "DDD", "session": later, "close": 7.0})
    (stretch,) = divide(StoredRows(MARKET_PRICES, pl.concat([bars, again])), ACTED, ASKED, CALENDAR)
    assert stretch.ended == {}
    assert later in stretch.alone


def test_another_stretch_begins_where_a_bar_becomes_known_otherwise_and_where_settings_change() -> None:
    told: date = DAYS[LOOKBACK + 11]
    late = {"revision": 1, "close": 50.0, "available_at": CALENDAR.close_at(told)}
    first = {"ticker": "AAA", "session": DAYS[LOOKBACK], "ts": CALENDAR.close_at(DAYS[LOOKBACK])}
    bars = prices(*({"ticker": "AAA", "session": day} for day in DAYS), first | late)
    other = TradingParams(horizon=PARAMS.horizon + 1)
    asked = [*ASKED[:-1], ASKED[-1]._replace(params=other)]
    before, after, last = divide(StoredRows(MARKET_PRICES, bars), ACTED.clear(), asked, CALENDAR)
    assert (before.sessions[0], after.sessions[0], last.sessions) == (ASKED[0].session, told, [ASKED[-1].session])
    closes = [row["close"] for one in (before, after) for row in one.recent(told).iter_rows(named=True)
              if row["session"] == DAYS[LOOKBACK]]  # fmt: skip
    assert closes == [100.0, 50.0]
