from pathlib import Path

import pytest

from lake.store import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake of our own tables in a temporary folder."""
    return Lake.create(tmp_path / "lake")
