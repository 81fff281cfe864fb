import shutil
from pathlib import Path

import pytest

from lake.store import Lake


@pytest.fixture(scope="session")
def new_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty lake that nobody writes to."""
    return Lake.create(tmp_path_factory.mktemp("new") / "lake").path


@pytest.fixture
def lake(new_lake: Path, tmp_path: Path) -> Lake:
    """An empty lake of our own tables in a temporary folder."""
    shutil.copytree(new_lake, tmp_path / "lake")
    return Lake.open(tmp_path / "lake")
