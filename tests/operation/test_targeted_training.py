"""A training for some names in a lake: recorded, reproduced, finished after a kill, and read by the next cycle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from lake.store import Lake
from lake.tables.market import TICKER_UNIVERSE
from lake.tables.models import MODEL_REGISTRY, SPECIALISTS, TARGETED_TRAININGS, TRIALS
from lake.tables.predictions import PREDICTIONS
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.main import outcome
from pipeline.engine.reproduction import reproduce
from pipeline.engine.runner import Runner
from tests.copies import copy_lake
from tests.operation.conftest import Operation


@pytest.fixture(scope="module")
def tuned(operation: Operation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """The small operation's lake, in which any specialist speaks, however little it gains."""
    lake = Lake.open(copy_lake(operation.lake.path, tmp_path_factory.mktemp("tuned") / "lake"))
    models = replace(operation.settings.models, target_z=-100.0, min_target_rows=40)
    yield Runner(lake, replace(operation.settings, models=models))


@pytest.fixture(scope="module")
def sector(operation: Operation) -> str:
    universe = operation.lake.read(TICKER_UNIVERSE, since=operation.sessions[-1]).filter("member")
    most = universe.group_by("sector").len().sort("len", "sector", descending=True)["sector"][0]
    assert isinstance(most, str)
    return most


def test_a_training_for_a_sector_is_recorded_and_comes_out_the_same(
    tuned: Runner, operation: Operation, sector: str
) -> None:
    session = operation.sessions[-1]
    runs = tuned.train(session, target=f"sector={sector}")
    assert [run.recipe.stage for run in runs] == ["train_target", "trials", "targeted_trainings"]
    row = tuned.lake.read(TARGETED_TRAININGS).row(0, named=True)
    assert (row["target"], row["outcome"]) == (f"sector={sector}", "registered"), row["reason"]
    rows = tuned.lake.read(SPECIALISTS)
    assert set(rows["specialist_id"]) == {row["specialist_id"]}
    assert rows["member"].to_list() == ["lstm", "naive", "ridge"]
    assert row["specialist_id"] in set(tuned.lake.read(TRIALS)["model_id"])
    assert tuned.lake.read(MODEL_REGISTRY).equals(operation.lake.read(MODEL_REGISTRY)), "it is no model of all names"
    for run in runs:
        assert reproduce(tuned, run).identical


@pytest.mark.slow
def test_it_speaks_for_its_names_in_the_next_cycle(tuned: Runner, operation: Operation, sector: str) -> None:
    session = tuned.calendar.next(operation.sessions[-1])
    cycle = tuned.cycle(session)
    row = tuned.lake.read(TARGETED_TRAININGS).row(0, named=True)
    made = tuned.lake.read(PREDICTIONS, since=session).filter(pl.col("role") == "champion")
    if made.is_empty() or made["model_id"][0] != row["champion"]:
        pytest.skip("another champion decides by now, with whom it lapsed")
    universe = tuned.lake.read(TICKER_UNIVERSE, since=session)
    mine = universe.filter(pl.col("sector") == sector)["ticker"].to_list()
    spoken = made.filter(pl.col("specialist") == row["specialist_id"])["ticker"].unique().to_list()
    assert set(spoken) == set(mine) & set(made["ticker"])
    (run,) = [run for run in cycle.runs if run.recipe.stage == "predict"]
    assert reproduce(tuned, run).identical


def test_one_that_is_cut_off_between_its_stages_is_finished_for_the_same_target(
    tuned: Runner, operation: Operation, sector: str, tmp_path: Path
) -> None:
    lake = Lake.open(copy_lake(operation.lake.path, tmp_path / "lake"))
    runner = Runner(lake, tuned.settings)

    def interrupt(what: str, _done: int, _total: int) -> None:
        if what == "targeted trainings":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runner.train(operation.sessions[-1], interrupt, target=f"sector={sector}")
    assert lake.read(TARGETED_TRAININGS).is_empty()
    Runner(Lake.open(lake.path), tuned.settings).recover()
    assert Lake.open(lake.path).read(TARGETED_TRAININGS)["target"].to_list() == [f"sector={sector}"]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("sector=Nowhere", "is not in the universe"),
        ("ticker=NOBODY", "is not in the universe"),
        ("everything", "is no target"),
    ],
)
def test_a_target_that_nobody_knows_is_refused_before_anything_is_trained(
    operation: Operation, capsys: pytest.CaptureFixture[str], target: str, words: str
) -> None:
    assert outcome(["train", "--target", target, "--lake", str(operation.lake.path)]) == exit_codes.USAGE
    assert words in capsys.readouterr().err


def test_too_little_history_of_a_ticker_is_said(
    operation: Operation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = Lake.open(copy_lake(operation.lake.path, tmp_path / "lake"))
    (lake.path / "nextgen.toml").write_text("[models]\nmin_target_rows = 100000\n", encoding="utf-8")
    ticker = last_member(lake, operation.sessions[-1])
    assert outcome(["train", "--target", f"ticker={ticker}", "--lake", str(lake.path), "--json"]) == exit_codes.DONE
    (row,) = json.loads(capsys.readouterr().out)
    assert row["speaks"] is False
    assert row["outcome"] in ("few_windows", "short_history")
    assert lake.read(SPECIALISTS).is_empty()


def last_member(lake: Lake, session: date) -> str:
    ticker = lake.read(TICKER_UNIVERSE, since=session).filter("member")["ticker"][0]
    assert isinstance(ticker, str)
    return ticker
