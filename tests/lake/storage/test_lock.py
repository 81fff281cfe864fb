"""One holder at a time: looking on never bars the way, and only the living are named."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lake.errors import BusyError
from lake.storage.lock import find_holder, hold_lock, holder_died, holder_file, writer_died, writer_lock

TAKE_AND_DIE = """
import os, sys
from pathlib import Path
from lake.storage.lock import hold_lock
with hold_lock(Path(sys.argv[1]), "the dead"):
    os.kill(os.getpid(), 9)
"""
TAKINGS = 300


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "some.lock"


@pytest.fixture
def orphaned(lock: Path) -> Path:
    """A lock whose holder was killed."""
    subprocess.run([sys.executable, "-c", TAKE_AND_DIE, str(lock)], check=False)
    assert holder_file(lock).exists()
    return lock


def test_a_lock_names_its_holder_and_after_its_release_nobody(lock: Path) -> None:
    assert find_holder(lock) == ""
    with hold_lock(lock, "a test") as released:
        assert released
        assert "(a test, since " in find_holder(lock)
        assert not holder_died(lock)
        with pytest.raises(BusyError, match="a test"), hold_lock(lock, "another"):
            pass
    assert find_holder(lock) == ""
    assert not holder_died(lock)


def test_the_dead_hold_nothing_and_leave_a_sign_until_the_next_holder(orphaned: Path) -> None:
    assert find_holder(orphaned) == ""
    assert holder_died(orphaned)
    with hold_lock(orphaned, "the next") as released:
        assert not released
        assert "the next" in find_holder(orphaned)
        assert not holder_died(orphaned)
    assert not holder_died(orphaned)


def test_a_holder_that_has_not_signed_yet_is_never_called_by_the_name_of_a_dead_one(
    orphaned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lake.storage.lock.TRIES", 3)
    taken = "import fcntl, sys; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); input()"
    command = [sys.executable, "-c", taken, str(orphaned)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as silent:
        assert silent.stdout is not None
        silent.stdout.readline()
        with pytest.raises(BusyError, match=r"^another process$"), hold_lock(orphaned, "a test"):
            pass
        silent.communicate("\n")


def test_whoever_only_looks_never_bars_a_writer(tmp_path: Path) -> None:
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            writer_died(tmp_path)
            find_holder(tmp_path / ".writer.lock")

    lookers = [threading.Thread(target=look) for _ in range(2)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(TAKINGS):
            with writer_lock(tmp_path, "a test") as released:
                assert released
    finally:
        stop.set()
        for looker in lookers:
            looker.join()


def test_an_unreadable_holder_file_still_says_that_somebody_was_there(lock: Path) -> None:
    holder_file(lock).write_text("\0" * 20)
    assert holder_died(lock)
    with hold_lock(lock, "the next") as released:
        assert not released
        assert json.loads(holder_file(lock).read_text())["purpose"] == "the next"
