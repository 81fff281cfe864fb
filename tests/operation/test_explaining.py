"""Why a forecast is what it is, in a lake: stored each session, repeated to the bit, told on the command line."""

from __future__ import annotations

import json
from itertools import pairwise

import polars as pl
import pytest

from lake.errors import NoSuchError
from lake.tables.explanations import EXPLANATIONS
from lake.tables.features import FEATURE_ROWS
from lake.tables.predictions import PREDICTIONS
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.main import outcome
from pipeline.engine.reproduction import reproduce
from pipeline.reading.learning.explanations import read_explanations
from pipeline.reading.learning.past_cases import find_past_cases
from tests.operation.conftest import Operation


@pytest.fixture(scope="module")
def told(operation: Operation) -> pl.DataFrame:
    return operation.lake.read(EXPLANATIONS)


def test_forecasts_of_a_champion_are_explained_each_session(operation: Operation, told: pl.DataFrame) -> None:
    made = operation.lake.read(PREDICTIONS).filter(pl.col("role") == "champion")
    assert not made.is_empty()
    assert set(told["session"]) == set(made["session"])
    joined = told.join(made, on="prediction_id", suffix=" made")
    assert joined.height == told.height
    assert joined["point"].equals(joined["point made"])


def test_the_stage_comes_out_the_same(operation: Operation) -> None:
    (run,) = [run for run in operation.cycles[-1].runs if run.recipe.stage == "explanations"]
    assert reproduce(operation.runner, run).identical


def test_past_cases_are_near_apart_and_over(operation: Operation, told: pl.DataFrame) -> None:
    ticker = told.filter(pl.col("session") == told["session"].max())["ticker"][0]
    calendar = operation.runner.calendar
    for one in read_explanations(operation.lake, ticker):
        cases = find_past_cases(operation.lake, calendar, one, 6)
        assert len(cases) == 6
        assert [case.distance for case in cases] == sorted(case.distance for case in cases)
        for case in cases:
            assert calendar.offset(case.session, one.horizon) <= one.session, "its outcome was known"
            assert -1 < case.outcome < 5
        spans = sorted((case.ticker, calendar.position(case.session)) for case in cases)
        for (name, first), (other, second) in pairwise(spans):
            assert name != other or second - first >= one.horizon
        rows = operation.lake.read(FEATURE_ROWS, since=cases[0].session, until=cases[0].session)
        assert cases[0].ticker in set(rows["ticker"])


def test_the_command_tells_parts_and_cases(
    operation: Operation, told: pl.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    lake, last = str(operation.lake.path), told.filter(pl.col("session") == told["session"].max())
    ticker = last["ticker"][0]
    assert outcome(["explain", ticker, "--horizon", "5", "--lake", lake]) == exit_codes.DONE
    shown = capsys.readouterr().out
    assert "nearest past case" in shown and "together" in shown
    assert outcome(["explain", ticker, "--lake", lake, "--json", "--cases", "0"]) == exit_codes.DONE
    records = json.loads(capsys.readouterr().out)
    assert [one["horizon"] for one in records] == [1, 5, 20]
    for one in records:
        parts = sum(part["contribution"] for part in one["parts"])
        assert parts + sum(one[name] for name in ("rest", "level", "gap", "corrections")) == pytest.approx(one["point"])


def test_what_is_not_explained_is_said(operation: Operation, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(NoSuchError, match="with the largest points are"):
        read_explanations(operation.lake, "NOBODY")
    with pytest.raises(NoSuchError, match="no forecast is explained at"):
        read_explanations(operation.lake, "NOBODY", operation.runner.calendar.offset(operation.sessions[0], -30))
    assert outcome(["explain", "NOBODY", "--lake", str(operation.lake.path)]) != exit_codes.DONE
    assert "NOBODY" in capsys.readouterr().err
