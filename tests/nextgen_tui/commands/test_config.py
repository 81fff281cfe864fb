"""`nextgen config`: where a value comes from, and whether all are valid."""

from __future__ import annotations

import pytest

from lake.store import Lake
from nextgen_tui.cli import exit_codes
from tests.nextgen_tui.runner import Run, json_of

# pandas' own change of mind, inside the calendar library.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")


def test_config_show_says_where_a_value_comes_from(run: Run, lake: Lake) -> None:
    (lake.path / "nextgen.toml").write_text("[runtime]\nseed = 5\n", encoding="utf-8")
    content = json_of(run, "config", "show", "runtime")
    assert content["runtime.seed"] == {"value": 5, "origin": f"file {lake.path / 'nextgen.toml'}"}
    _, out, _ = run("config", "show", "--changed")
    assert out.startswith("[runtime]\nseed = 5  # file ")


def test_what_config_show_prints_can_be_read_back(run: Run, lake: Lake) -> None:
    _, out, _ = run("config", "show", "--explain")
    (lake.path / "nextgen.toml").write_text(out, encoding="utf-8")
    assert run("config", "validate")[0] == exit_codes.DONE


def test_a_mistake_in_the_configuration_is_a_usage_error(run: Run, lake: Lake) -> None:
    (lake.path / "nextgen.toml").write_text("[trading]\ncapitall = 1\n", encoding="utf-8")
    code, _, err = run("config", "validate")
    assert code == exit_codes.USAGE
    assert "did you mean trading.capital?" in " ".join(err.split())


def test_settings_that_cannot_work_are_refused_by_name_before_anything_runs(run: Run, lake: Lake) -> None:
    refused = {
        "trading.capital=-100": "trading.capital must be a number above 0",
        "trading.sizing.kelly=-1": "trading.sizing.kelly must be a number from 0 to 10",
        "trading.horizon=0": "trading.horizon must be a whole number from 1 to 20",
        "trading.horizon=7": "trading.horizon is 7 and prediction.horizons are 1, 5, 20",
        "trading.rules.drawdown_hard=0.08": "drawdown_hard is 0.08 and drawdown_soft is 0.08",
    }
    for line, sentence in refused.items():
        (lake.path / "nextgen.toml").write_text(line + "\n", encoding="utf-8")
        for command in (["config", "validate"], ["run", "features"]):
            code, _, err = run(*command)
            assert code == exit_codes.USAGE, line
            assert sentence in " ".join(err.split()), err
            assert f"file {lake.path / 'nextgen.toml'}" in " ".join(err.split())


def test_a_plugin_file_that_does_not_exist_is_told_and_stops_nothing_else(run: Run, lake: Lake) -> None:
    (lake.path / "nextgen.toml").write_text("plugins.files = ['mine.py']\n", encoding="utf-8")
    code, _, err = run("config", "validate")
    assert code == exit_codes.USAGE
    assert f"plugins.files: there is no file {lake.path / 'mine.py'}" in " ".join(err.split())
    assert run("config", "show")[0] == exit_codes.DONE
    (lake.path / "mine.py").touch()
    assert run("config", "validate")[0] == exit_codes.DONE


def test_an_earlier_name_of_a_setting_works_and_the_new_one_is_told(run: Run, lake: Lake) -> None:
    (lake.path / "nextgen.toml").write_text("[trading.rules]\nleast_holding = 3\n", encoding="utf-8")
    code, out, _ = run("config", "validate")
    assert code == exit_codes.DONE
    assert "trading.rules.least_holding is now called trading.rules.min_holding" in " ".join(out.split())
    _, out, _ = run("config", "show", "--changed")
    assert "min_holding = 3" in out
    assert "by its earlier name trading.rules.least_holding" in out
