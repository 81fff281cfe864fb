"""A file is replaced whole or not at all, whatever goes wrong in between."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from lake.storage.atomic import replace_atomic, write_atomic


@pytest.mark.parametrize("durable", [True, False])
def test_the_content_is_replaced_and_nothing_else_is_left(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "state.json"
    write_atomic(path, "old", durable=durable)
    write_atomic(path, "new \u00e9".encode(), durable=durable)
    assert path.read_text(encoding="utf-8") == "new \u00e9"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_content_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_atomic(path, "old")
    with pytest.raises(KeyboardInterrupt), replace_atomic(path) as draft:
        draft.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_folder_in_the_way_is_an_error_and_leaves_no_draft(tmp_path: Path) -> None:
    (tmp_path / "state.json").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_atomic(tmp_path / "state.json", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_of_two_writers_at_once_one_wins_with_all_it_wrote(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    contents = [str(number) * 100_000 for number in range(4)]

    def write(content: str) -> None:
        for _ in range(20):
            write_atomic(path, content, durable=False)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() in contents and list(tmp_path.iterdir()) == [path]
