from pathlib import Path

import pytest

from lake.store import Lake
from tests.new_lake import new_lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake of our own tables in a temporary folder."""
    return new_lake(tmp_path / "lake")
