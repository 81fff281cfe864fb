"""`nextgen features`: all of them, one explained, and one drawn."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from lake.store import Lake
from lake.tables.features import FEATURE_ROWS
from lake.tables.feedback import FEATURE_DRIFT
from nextgen_tui.cli import exit_codes
from tests.frames.features import feature_rows
from tests.nextgen_tui.lakes import publish
from tests.nextgen_tui.runner import Run, json_of

# pandas' own change of mind, inside the calendar library.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")
EXAMPLE = Path("docs/examples/alpha_plugin.py").absolute()
DAYS = [date(2021, 3, 1), date(2021, 3, 2), date(2021, 3, 3)]


def test_every_feature_is_listed_with_whether_it_is_computed(run: Run, lake: Lake) -> None:
    listed = {one["name"]: one for one in json_of(run, "features")}
    assert (listed["beta_60"]["computed"], listed["beta_60"]["warm_up"]) == (True, 60)
    assert not listed["alpha158_corr_20"]["computed"]
    said = f'[plugins]\nfeature_sets = ["alpha158"]\nfiles = ["{EXAMPLE}"]\n'
    (lake.path / "nextgen.toml").write_text(said, encoding="utf-8")
    switched = {one["name"]: one for one in json_of(run, "features")}
    assert switched["alpha158_corr_20"]["computed"]
    assert switched["squeeze_10"]["origin"] == "alpha_plugin.py"


def test_one_is_explained_with_formula_hash_and_how_its_values_lie(run: Run, lake: Lake) -> None:
    publish(lake, FEATURE_ROWS, feature_rows(["AAA", "BBB"], DAYS))
    told = json_of(run, "features", "beta_60")
    assert told["values"]["tickers"] == 2
    assert told["values"]["session"] == "2021-03-03"
    assert told["values"]["lowest"] <= told["values"]["median"] <= told["values"]["highest"]
    code, out, _ = run("features", "alpha158_corr_20")
    assert code == exit_codes.DONE
    assert "correlation(close, log(volume + 1), 20)" in out
    assert '[plugins] feature_sets = ["alpha158"]' in out
    assert "source      Blitz, Huij and Martens 2011" in run("features", "pure_momentum_120_20")[1]


def test_one_is_drawn_for_a_ticker_with_its_first_and_last_session(run: Run, lake: Lake) -> None:
    publish(lake, FEATURE_ROWS, feature_rows(["AAA"], DAYS))
    assert [one["session"] for one in json_of(run, "features", "beta_60", "--ticker", "aaa")] == [*map(str, DAYS)]
    _, out, _ = run("features", "beta_60", "--ticker", "AAA")
    assert "beta_60 of AAA, ratio" in out
    assert "2021-03-01" in out and "2021-03-03" in out
    assert "No value of beta_60 is known for NONE." in run("features", "beta_60", "--ticker", "NONE")[1]


def test_a_name_that_is_not_there_is_answered_with_the_nearest_one(run: Run) -> None:
    code, _, err = run("features", "beta_6")
    assert code == exit_codes.DEGRADED
    assert "did you mean 'beta_60'?" in err
    assert run("features", "--ticker", "AAA")[0] == exit_codes.USAGE


def test_one_says_whether_it_drifted_from_training(run: Run, lake: Lake) -> None:
    publish(lake, FEATURE_ROWS, feature_rows(["AAA"], DAYS))
    row = {
        "session": DAYS[-1], "model_id": "m-20210226-00000000", "feature": "beta_60", "n": 6000, "stability": 0.31,
        "gap": 0.4, "usual_gap": 0.1, "p": 0.0001, "false_discovery_rate": 0.01, "verdict": "drifted",
    }  # fmt: skip
    publish(lake, FEATURE_DRIFT, pl.DataFrame([row], schema=FEATURE_DRIFT.schema), name="drift")
    _, out, _ = run("features", "beta_60")
    assert "drift       2021-03-03: drifted; gap 0.4" in out and "stability 0.31" in out
    assert json_of(run, "features", "beta_60")["drift"]["verdict"] == "drifted"
    assert "drift" not in run("features", "rsi_14")[1]
