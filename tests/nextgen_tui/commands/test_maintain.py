"""The commands that keep a lake: they say what they did, and their exit code can be relied on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lake.storage.lock import WRITER_HOLDER
from lake.store import Lake
from lake.tables.market import MARKET_PRICES
from nextgen_tui.cli.main import outcome
from tests.copies import copy_lake
from tests.frames.published import publish_sessions
from tests.new_lake import new_lake


@pytest.fixture(scope="module")
def aged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake = new_lake(tmp_path_factory.mktemp("aged") / "lake")
    publish_sessions(lake, 4)
    return lake.path


@pytest.fixture
def lake(aged: Path, tmp_path: Path) -> Path:
    copy_lake(aged, tmp_path / "lake")
    return tmp_path / "lake"


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = outcome(words)
    streams = capsys.readouterr()
    return code, streams.out, " ".join(streams.err.split())


def test_scrub_is_silent_about_a_whole_lake_and_names_a_damaged_file(
    lake: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(capsys, "scrub", "--lake", str(lake))[0] == 0
    file = next(iter((lake / "tables" / "market_prices").glob("*.parquet")))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    code, out, err = said(capsys, "scrub", "--json", "--lake", str(lake))
    assert code == 74
    assert file.name in json.loads(out)["findings"][0]["file"]
    assert "1 damaged or missing" in err
    assert "`nextgen restore BACKUP --lake NEW`" in err


def test_a_backup_is_restored_to_the_same_rows(lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "backup", str(tmp_path / "safe"), "--lake", str(lake))[0] == 0
    assert said(capsys, "restore", str(tmp_path / "safe"), "--lake", str(tmp_path / "back"))[0] == 0
    assert Lake.open(tmp_path / "back").read(MARKET_PRICES).equals(Lake.open(lake).read(MARKET_PRICES))
    code, _, err = said(capsys, "restore", str(tmp_path / "safe"), "--lake", str(lake))
    assert (code, "not empty" in err) == (2, True)


def test_compact_then_gc_keep_every_row(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = Lake.open(lake).read(MARKET_PRICES)
    due = said(capsys, "compact", "--all", "--dry-run", "--json", "--lake", str(lake))[1]
    (bars,) = [one for one in json.loads(due) if one["table"] == "market_prices"]
    assert (bars["files"], bars["rows"]) == (4, 4)
    code, _, err = said(capsys, "compact", "--all", "--lake", str(lake))
    assert (code, "market_prices: 4 rows rewritten" in err) == (0, True)
    assert said(capsys, "gc", "--dry-run", "--lake", str(lake))[0] == 0
    assert said(capsys, "gc", "--lake", str(lake))[0] == 0
    assert Lake.open(lake).read(MARKET_PRICES).equals(before)


def test_recover_says_what_it_put_right(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (lake / "tables" / "market_prices" / "part-0.parquet#1").write_bytes(b"half")
    (lake / WRITER_HOLDER).write_text("{}")
    code, _, err = said(capsys, "recover", "--lake", str(lake))
    assert (code, "part-0.parquet#1: an unfinished file was removed" in err) == (0, True)
    assert said(capsys, "recover", "--lake", str(lake))[2].startswith("0 repairs")
