"""The desk's lake, built once; tests that write get a copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from lake.store import Lake
from tests.copies import copy_lake
from tests.nextgen_tui.console.desk import desk


@pytest.fixture(scope="session")
def desk_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake to look at."""
    return desk(tmp_path_factory.mktemp("desk") / "lake").path


@pytest.fixture
def own_desk(desk_path: Path, tmp_path: Path) -> Lake:
    """A lake to do with as one likes."""
    return Lake.open(copy_lake(desk_path, tmp_path / "lake"))
