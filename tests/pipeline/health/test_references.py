"""Health says so where the book makes less of its forecasts than a textbook would."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from lake.tables.books import PORTFOLIO_VALUE
from pipeline.config.recorded import from_record
from pipeline.health.params import HealthParams
from pipeline.health.references import check_references
from tests.nextgen_tui.lakes import rows

FIRST = date(2022, 1, 3)


def book(lead: float, sessions: int = 60, swings: float = 0.001, **given: Any) -> pl.DataFrame:
    """A book that earns so much more than top-k in each session, up to swings that cancel each other."""
    other = 0.01 * np.random.default_rng(7).standard_normal(sessions + 1)
    apart = np.where(np.arange(sessions + 1) % 2, swings, -swings)
    levels = 1e6 * np.cumprod(1 + other)
    return rows(
        PORTFOLIO_VALUE,
        *(
            {
                "session": FIRST + timedelta(days=at),
                "session_return": float(other[at] + lead + apart[at]),
                "top_k": float(levels[at]),
                "top_k_cost": 100.0,
            }
            | given
            for at in range(sessions + 1)
        ),
    )


def test_a_book_that_loses_to_top_k_by_more_than_noise_is_a_remark_with_its_figures() -> None:
    found = check_references(book(-0.002), HealthParams())[0]
    assert (found.service, found.check, found.status, found.limit) == ("book", "top-k", "warn", 0.0)
    assert found.value == pytest.approx(-0.002)
    assert "over the last 60 sessions the book earned" in found.message
    assert "lost to it by more than noise" in found.message


@pytest.mark.parametrize(("lead", "words"), [(0.0, "noise alone"), (0.002, "beat it by more than noise")])
def test_one_that_does_as_well_or_better_is_fine(lead: float, words: str) -> None:
    found = check_references(book(lead), HealthParams())[0]
    assert (found.status, words in found.message) == ("ok", True)


def test_a_loss_within_noise_is_no_remark() -> None:
    assert check_references(book(-0.0002, swings=0.01), HealthParams())[0].status == "ok"


def test_the_figures_are_those_of_the_sessions_compared() -> None:
    before, after = book(-0.01), book(0.0).with_columns(pl.col("session").dt.offset_by("61d"))
    both = pl.concat([before, after])
    assert check_references(both, HealthParams())[0].status == "ok"
    assert check_references(both, HealthParams(compared_sessions=120))[0].status == "warn"


@pytest.mark.parametrize(
    ("frame", "params"),
    [
        (book(-0.01, sessions=15), HealthParams()),
        (book(-0.01, top_k_cost=0.0), HealthParams()),
        (book(-0.01, top_k_cost=None), HealthParams()),
        (book(-0.01), HealthParams(compared_sessions=0)),
        (book(-0.01).clear(), HealthParams()),
    ],
)
def test_nothing_is_said_where_there_is_nothing_to_compare(frame: pl.DataFrame, params: HealthParams) -> None:
    assert check_references(frame, params) == []


def test_reports_of_earlier_runs_are_repeated_without_it() -> None:
    assert check_references(book(-0.01), from_record(HealthParams, {})) == []
