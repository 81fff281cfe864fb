"""`nextgen securities`: who a ticker was, now and as was known then."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from lake.store import Lake
from lake.tables.market import CORPORATE_ACTIONS
from nextgen_tui.cli import exit_codes
from tests.frames.market import actions
from tests.nextgen_tui.lakes import publish
from tests.nextgen_tui.runner import Run, json_of

# pandas' own change of mind, inside the calendar library.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")
DAY = date(2022, 2, 22)


def tell(lake: Lake, ticker: str, kind: str, successor: str | None = None, day: date = DAY) -> None:
    at = datetime(day.year, day.month, day.day, 14, tzinfo=UTC)
    fact = {"ticker": ticker, "kind": kind, "successor": successor, "ex_date": day, "available_at": at}
    publish(lake, CORPORATE_ACTIONS, actions(fact | {"amount": 0.0}), name=f"actions-{ticker}")


def test_a_company_is_shown_under_all_its_tickers(run: Run, lake: Lake) -> None:
    tell(lake, "OLDCO", "rename", "ACME", date(2021, 1, 4))
    tell(lake, "ACME", "delisting")
    later, before, first = json_of(run, "securities", "acme")
    assert (before["ticker"], before["until"], before["first_bar"]) == ("OLDCO", "2021-01-04", None)
    assert (first["company"], first["since"], first["until"]) == ("OLDCO", "2021-01-04", "2022-02-23")
    assert (later["company"], later["first_bar"]) == ("ACME@2022-02-23", "2022-02-23")
    then = json_of(run, "securities", "ACME", "--as-of", "2022-02-20")
    assert [row["until"] for row in then] == ["2021-01-04", None]


def test_a_doubt_is_told_in_words(run: Run, lake: Lake) -> None:
    tell(lake, "ZETA", "rename", "ACME")
    code, out, _ = run("securities")
    assert code == exit_codes.DONE
    assert "in doubt, ZETA as ZETA: renamed to ACME, which was in use: taken for a merger into it" in " ".join(
        out.split()
    )


def test_one_company_all_along_and_a_ticker_without_bars_are_said_to_be_so(run: Run) -> None:
    [row] = json_of(run, "securities", "ACME")
    assert (row["company"], row["since"], row["doubt"]) == ("ACME", None, None)
    assert "No bar of NOBODY is known." in run("securities", "NOBODY")[1]
    assert "No ticker changed hands" in run("securities")[1]
