"""Where a lake is looked for when nobody names one."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import ConfigError
from pipeline.config.home import config_file, lake_home


@pytest.mark.parametrize(
    ("environ", "platform", "expected"),
    [
        ({"NEXTGEN_LAKE": "/data/lake", "HOME": "/home/a"}, "linux", "/data/lake"),
        ({"NEXTGEN_LAKE": "~/lake", "HOME": "/home/a"}, "linux", "/home/a/lake"),
        ({"HOME": "/home/a"}, "linux", "/home/a/.local/share/nextgen/lake"),
        ({"HOME": "/home/a", "XDG_DATA_HOME": "/big"}, "linux", "/big/nextgen/lake"),
        ({"HOME": "/home/a", "XDG_DATA_HOME": "relative"}, "linux", "/home/a/.local/share/nextgen/lake"),
        ({"HOME": "/Users/a"}, "darwin", "/Users/a/Library/Application Support/nextgen/lake"),
    ],
)
def test_the_lake_lies_where_the_platform_keeps_a_users_data(
    environ: dict[str, str], platform: str, expected: str
) -> None:
    assert lake_home(environ, platform) == Path(expected)


def test_a_lakes_own_file_is_read_unless_another_is_named(tmp_path: Path) -> None:
    own, other = tmp_path / "nextgen.toml", tmp_path / "other.toml"
    own.touch()
    other.touch()
    assert config_file(tmp_path, {}) == own
    assert config_file(tmp_path, {"NEXTGEN_CONFIG": str(other)}) == other
    assert config_file(None, {}) is None


def test_a_named_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"NEXTGEN_CONFIG names .*gone\.toml, which is not a file"):
        config_file(tmp_path, {"NEXTGEN_CONFIG": str(tmp_path / "gone.toml")})
