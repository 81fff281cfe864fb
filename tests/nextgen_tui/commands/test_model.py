"""`nextgen model baseline` says how forecasts did beside a pretrained model, or what it lacks for that."""

from __future__ import annotations

import json
from datetime import date
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from lake.store import Lake
from lake.tables.market import MARKET_PRICES
from lake.tables.predictions import PREDICTIONS
from nextgen_tui.cli.main import outcome
from nextgen_tui.learning.zero_shot_view import show_zero_shot
from pipeline.market.sessions import exchange_sessions
from pipeline.research.paired import compare_pairs
from pipeline.research.zero_shot.beside import ForecasterStanding, HorizonBeside
from tests.frames import market
from tests.new_lake import new_lake
from tests.nextgen_tui.lakes import forecast, publish, rows
from tests.nextgen_tui.runner import Run

NAMES = ("ACME", "BOLT", "CORE", "DYNE", "EDGE")
CALENDAR = exchange_sessions("XNYS")


@pytest.fixture
def forecasted(tmp_path: Path) -> Lake:
    """Five names at 80 closes, each forecast at the next to last."""
    lake = new_lake(tmp_path / "lake")
    first = date(2022, 3, 1)
    path = [
        {"ticker": name, "session": CALENDAR.offset(first, number), "close": 100.0 + place * number % 7}
        for place, name in enumerate(NAMES, start=1)
        for number in range(80)
    ]
    publish(lake, MARKET_PRICES, market.prices(*path, calendar=CALENDAR), name="prices")
    days = {"session": CALENDAR.offset(first, 78), "target_session": CALENDAR.offset(first, 79)}
    publish(lake, PREDICTIONS, rows(PREDICTIONS, *(forecast(name, 1, **days) for name in NAMES)), name="predict")
    return lake


def test_the_figures_of_all_three_are_shown_and_recorded(forecasted: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(["model", "baseline", "--lake", str(forecasted.path)]) == 0
    shown = capsys.readouterr().out
    for word in (
        "champion",
        "naive",
        "zero-shot",
        "1 session ahead (1 session, 5 forecasts)",
        "too few for an interval",
    ):
        assert word in shown
    assert outcome(["model", "baseline", "--json", "--lake", str(forecasted.path)]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["horizon"], told["forecasts"], told["verdict"]) == (1, 5, "cannot be told")
    assert [one["forecaster"] for one in told["standings"]] == ["champion", "naive", "zero-shot"]


def test_sessions_without_outcomes_are_refused_in_words(run: Run) -> None:
    code, _, said = run("model", "baseline", "--from", "2030-01-02")
    assert code != 0 and "no forecast of these sessions has come out yet" in said


@pytest.mark.parametrize(
    ("ours", "words"), [(0.010, "the champion is ahead of it"), (0.014, "behind it"), (0.012, "equal")]
)
def test_a_verdict_says_who_lost_less_and_by_how_much(ours: float, words: str) -> None:
    loss = compare_pairs("pinball loss", [0.012] * 40, [ours] * 40, unit="of price", better=-1)
    naive = ForecasterStanding(forecaster="naive", pinball=0.012, rank_correlation=None, held=0.8)
    found = HorizonBeside(horizon=5, sessions=40, forecasts=400, standings=(naive,), pinball=loss)
    written = StringIO()
    Console(width=160, file=written).print(show_zero_shot([found]))
    assert words in written.getvalue() and "ranks nothing" in written.getvalue()
    assert f"{100 * (ours - 0.012):+.3f} %" in written.getvalue()
