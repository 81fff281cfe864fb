"""A lake whose history is loaded and that has run no session says so, and what comes next."""

from __future__ import annotations

from pathlib import Path

import pytest

from lake.store import Lake
from lake.tables.control import RUNS
from lake.tables.market import MARKET_PRICES
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.page import Page
from nextgen_tui.console.pages.book import BookPage
from nextgen_tui.console.pages.data import DataPage
from nextgen_tui.console.pages.learning import LearningPage
from nextgen_tui.console.pages.predictions import PredictionsPage
from tests.frames.market import prices
from tests.new_lake import new_lake
from tests.nextgen_tui.lakes import SESSION, publish


@pytest.fixture
def loaded(tmp_path: Path) -> LakeView:
    lake = new_lake(tmp_path / "lake")
    publish(lake, MARKET_PRICES, prices({"ticker": "AAA", "session": SESSION}), name="market_prices")
    return LakeView(Lake.open(lake.path), lake.read(RUNS))


def test_data_does_not_advise_to_load_what_is_loaded(loaded: LakeView) -> None:
    page = DataPage()
    assert page.sentence(page.load(loaded)) == (
        f"History is loaded up to {SESSION}, and no session was run yet; `nextgen cycle` or `nextgen replay` runs some."
    )


@pytest.mark.parametrize(
    ("page", "sheet", "said"),
    [
        (PredictionsPage(), "not forecast", "Nothing was due to be forecast yet."),
        (LearningPage(), "insights", "No insight yet: no forecast was measured."),
        (BookPage(), "holdings", "The book has not been opened yet."),
        (BookPage(), "sectors", "The book has not been opened yet."),
    ],
    ids=["predictions", "learning", "book", "sectors"],
)
def test_a_sheet_without_rows_claims_nothing_of_what_was_never_looked_at(
    loaded: LakeView, page: Page[object], sheet: str, said: str
) -> None:
    assert page.sheet(page.load(loaded), sheet).empty == said
