"""A lake of a few cycles that is there at once, and copied by every test that writes."""

from pathlib import Path

import pytest

from lake.migrations.run import migrate
from lake.store import Lake
from pipeline.config.loading import load
from pipeline.engine.runner import Runner
from tests.copies import copy_lake
from tests.frames.golden import SECOND, unpack


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake = unpack(SECOND, tmp_path_factory.mktemp("engine"))
    migrate(Lake.open(lake, older=True))
    return lake


@pytest.fixture
def runner(migrated: Path, tmp_path: Path) -> Runner:
    """A runner on a copy of a lake of ten cycles, the last of 2019-09-17."""
    lake = Lake.open(copy_lake(migrated, tmp_path / "lake"))
    return Runner(lake, load(lake.path, {}).settings)
