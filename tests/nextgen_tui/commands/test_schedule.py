"""`nextgen schedule check`: every line that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from nextgen_tui.cli import exit_codes
from tests.nextgen_tui.runner import Run

# pandas' own change of mind, inside the calendar library.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")


def test_all_that_is_wrong_with_a_schedule_is_told_a_line_each(run: Run, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('[tasks.a]\nrun = "cycle"\ntrigger = "close+20m"\nretires = 3\ngroup = "x"\n')
    code, _, err = run("schedule", "check", "--file", str(tmp_path / "s.toml"))
    assert code == exit_codes.USAGE
    assert [line.partition("tasks.")[2].split(":")[0] for line in err.splitlines()] == ["a.retires", "a.group"]
