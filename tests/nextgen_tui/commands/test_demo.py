"""The whole operation through the command line: a small simulated lake from beginning to proof."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lake.runs import last_session
from lake.store import Lake
from lake.tables.books import LEDGER_ENTRIES, PORTFOLIO_VALUE
from lake.tables.control import SYSTEM_HEALTH
from lake.tables.intraday import INTRADAY_PRICES
from lake.tables.predictions import PREDICTIONS
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.main import outcome
from pipeline.control.workers.job import Job
from pipeline.control.workers.task_actions import perform
from tests.copies import copy_lake
from tests.nextgen_tui.lakes import land

# pandas' own change of mind, inside the calendar library.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")

SMALL = (
    "source.simulated.names=6",
    "source.simulated.history_sessions=200",
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A demo lake of a few names, replayed for one session."""
    path = tmp_path_factory.mktemp("demo") / "lake"
    chosen = [word for text in SMALL for word in ("--set", text)]
    code = outcome(["demo", "--sessions", "1", *chosen, "--quiet", "--json", "--lake", str(path)])
    assert code == exit_codes.DONE
    return path


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any, str]:
    """Exit code, the JSON on stdout (None if there is none), and stderr."""
    code = outcome([*arguments, "--json"])
    out, err = capsys.readouterr()
    return code, json.loads(out) if out else None, " ".join(err.split())


def test_the_demo_replays_what_is_missing_and_its_books_balance(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told, _ = said(capsys, "demo", "--sessions", "2", "--lake", str(demo))
    assert code == exit_codes.DONE
    assert told["summary"]["ledger"]["balances"] is True
    assert told["summary"]["sessions"] == 2
    assert told["data"]["bars"] > 1_000


def test_the_next_cycle_follows_the_last_and_is_done_once(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, cycle, _ = said(capsys, "cycle", "--lake", str(demo))
    assert code == exit_codes.DONE
    assert {run["status"] for run in cycle["runs"]} == {"done"}
    again = said(capsys, "cycle", "--session", cycle["session"], "--lake", str(demo))[1]
    assert again["already_done"] is True


def test_a_replay_and_cycles_up_to_a_day_end_with_what_came_of_them(
    demo: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as given:
        given.setenv("NEXTGEN_SOURCE__SIMULATED__INTERVALS", "1d,1h")
        code, replayed, _ = said(capsys, "replay", "--sessions", "1", "--snapshots", "3h", "--lake", str(demo))
    assert code == exit_codes.DONE
    bars = Lake.open(demo).read(INTRADAY_PRICES).filter(pl.col("session").cast(pl.String) == replayed["last"])
    assert set(bars.group_by("ticker").len()["len"]) == {7}, "hours of a session"
    health = Lake.open(demo).read(SYSTEM_HEALTH).filter(pl.col("check") == "daily bar")
    assert "daily bars beside shorter ones" in health["message"][0], "they were taken before the session's cycle"
    again = said(capsys, "cycle", "--session", replayed["last"], "--to", replayed["last"], "--lake", str(demo))[1]
    assert (replayed["done"], again["done"], again["already_done"]) == (1, 0, 1)
    assert again["summary"] == replayed["summary"]
    value = Lake.open(demo).read(PORTFOLIO_VALUE).sort("session")
    assert replayed["summary"]["book"]["value"] == str(value["nav"][-1])
    assert replayed["summary"]["book"]["start_value"] == str(value["nav"][-2])
    assert replayed["summary"]["baselines"]["equal weight"] == pytest.approx(
        value["equal_weight_net"][-1] / value["equal_weight_net"][-2] - 1
    )
    rungs = [rung["name"] for rung in replayed["summary"]["ladder"]]
    assert rungs == ["cash", "benchmark", "equal weight", "top-k dropout", "book"]


def test_books_that_are_added_up_from_the_start_agree_and_a_forged_entry_of_the_past_is_found(
    demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told, _ = said(capsys, "check", "books", "--lake", str(demo))
    assert (code, told["agrees"], told["kept"]) == (exit_codes.DONE, True, True)
    copy = copy_lake(demo, tmp_path / "copy")
    lake = Lake.open(copy)
    entries = lake.read(LEDGER_ENTRIES).drop("run_id").filter(pl.col("kind") == "fund")
    forged = entries.with_columns(pl.format("x{}", "entry_id").alias("entry_id"), event_id=pl.lit("x"))
    land(lake, LEDGER_ENTRIES, forged)
    code, told, _ = said(capsys, "check", "books", "--lake", str(copy))
    assert (code, told["balances_agree"]) == (exit_codes.DEGRADED, False)
    assert "do NOT agree" in told["sentence"]


def test_the_end_of_a_replay_is_told_in_words(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(["demo", "--sessions", "1", "--lake", str(demo)]) == exit_codes.DONE
    out = " ".join(capsys.readouterr().out.split())
    for words in ("became", "equal weight", "Maximum drawdown", "What blocked most", "nextgen report --from"):
        assert words in out


@pytest.mark.parametrize("asked", [("--from", "2090-01-01", "--sessions", "1"), ("--to", "1950-01-03")])
def test_a_day_that_no_calendar_reaches_is_refused_with_how_far_it_does(
    demo: Path, capsys: pytest.CaptureFixture[str], asked: tuple[str, ...]
) -> None:
    code, _, err = said(capsys, "replay", *asked, "--lake", str(demo))
    assert code == exit_codes.USAGE
    assert "outside the calendar of XNYS, which runs from 1990" in err


def test_cycles_cannot_end_before_they_begin(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, "cycle", "--to", "2000-01-03", "--lake", str(demo))
    assert code == exit_codes.USAGE
    assert "cannot end earlier, at 2000-01-03" in err


def test_a_simulated_market_goes_on_by_one_session_when_a_cycle_is_asked_for_without_naming_one(demo: Path) -> None:
    lake = Lake.open(demo)
    before, now = last_session(lake), datetime.now(UTC)
    assert before is not None
    assert now.date() - before > timedelta(days=365), "the computer's clock is years ahead"
    asked = Job(
        task="request:cycle",
        slot="cli-1",
        attempt=0,
        run=("cycle",),
        session=None,
        due_at=now,
        timeout=timedelta(hours=1),
        grace=timedelta(seconds=10),
        requested=True,
    )
    done = perform(lake, asked, {})
    after = last_session(lake)
    assert after is not None
    assert timedelta() < after - before < timedelta(days=5)
    assert done.cycle_id == f"cycle-{after:%Y%m%d}"


def test_runs_are_computed_again_bit_for_bit(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = said(capsys, "runs", "--limit", "40", "--lake", str(demo))[1]
    session = max(run["session"] for run in runs)
    names = [run["run_id"] for run in runs if run["session"] == session]
    code, verdicts, _ = said(capsys, "reproduce", *names, "--lake", str(demo))
    assert code == exit_codes.DONE
    assert {verdict["identical"] for verdict in verdicts} == {True}


def test_a_batch_is_forecast_as_its_session_was(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = Lake.open(demo).read(PREDICTIONS)
    last = made.filter(made["session"] == made["session"].max())
    code, again, _ = said(capsys, "predict-batch", last["features_id"][0], "--lake", str(demo))
    assert code == exit_codes.DONE
    points = {(row["ticker"], row["horizon"]): row["point"] for row in again}
    assert last.height > 0
    assert all(
        points[ticker, horizon] == point
        for ticker, horizon, point in last.select("ticker", "horizon", "point").iter_rows()
    )


def test_a_lake_is_begun_once(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, "init", "--source", "simulated", "--lake", str(demo))
    assert code == exit_codes.USAGE
    assert "there is a lake at" in err


def test_the_demo_touches_nothing_that_is_not_a_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    code, _, err = said(capsys, "demo", "--fresh", "--lake", str(tmp_path))
    assert code == exit_codes.USAGE
    assert "not a demo lake" in err
    assert (tmp_path / "thesis.txt").read_text(encoding="utf-8") == "years of work"


def test_a_bad_price_file_leaves_no_half_made_lake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prices = tmp_path / "prices.csv"
    prices.write_text("when,what\n2022-01-03,5\n", encoding="utf-8")
    code, _, err = said(capsys, "init", "--prices", str(prices), "--lake", str(tmp_path / "lake"))
    assert code == exit_codes.USAGE
    assert "prices.csv" in err
    assert not (tmp_path / "lake").exists()


def test_a_session_that_is_not_over_is_for_later(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pipeline.market.sessions import exchange_sessions

    future = exchange_sessions("XNYS").days[-1]
    code, _, err = said(capsys, "cycle", "--session", future.isoformat(), "--lake", str(demo))
    assert code == exit_codes.RETRY
    assert "try again after that" in err


def test_a_day_without_trading_is_no_session(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, "cycle", "--session", "2022-01-01", "--lake", str(demo))
    assert code == exit_codes.USAGE
    assert "2022-01-01 is not a session of XNYS" in err
