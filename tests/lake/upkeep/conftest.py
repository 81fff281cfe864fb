"""A lake some sessions old, for the tests of what keeps one for years."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from lake.fingerprint import fingerprint
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.market import INSTRUMENTS
from lake.upkeep.vacuum import find_pinned_versions
from tests.copies import copy_lake
from tests.frames.published import publish_sessions
from tests.new_lake import new_lake


def every_version(lake: Lake) -> dict[tuple[str, int], str]:
    """A hash of each version of each table that a run names."""
    return {
        (name, version): fingerprint(lake.read(TABLES[name], version=version), TABLES[name].key)
        for name, versions in find_pinned_versions(lake).items()
        for version in versions
    }


@pytest.fixture(scope="session")
def aged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake some sessions old, checkpointed and archived. Tests work on copies."""
    lake = new_lake(tmp_path_factory.mktemp("aged") / "lake")
    for start in (0, 2, 4):
        publish_sessions(lake, 2, start=start)
        with lake.lock("upkeep"):
            lake.checkpoint(INSTRUMENTS)
            lake.archive_log(INSTRUMENTS)
    publish_sessions(lake, 2, start=6)
    return lake.path


@pytest.fixture
def old(aged: Path, tmp_path: Path) -> Lake:
    copy_lake(aged, tmp_path / "lake")
    return Lake.open(tmp_path / "lake")


def hurt(path: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    if chance.random() < 0.5:
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(content)
    else:
        path.write_bytes(content[: chance.randrange(len(content))])
