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
