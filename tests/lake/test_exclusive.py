"""One holder at a time: looking on never bars the way, and only the living are named."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lake.errors import BusyError
from lake.storage.lease import left_untidy, writer_lease
from lake.storage.lock import held, holder, left_behind, note_of

TAKE_AND_DIE = """
import os, sys
from pathlib import Path
from lake.storage.lock import held
with held(Path(sys.argv[1]), "the dead"):
    os.kill(os.getpid(), 9)
"""
TAKINGS = 300


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "post.lock"


@pytest.fixture
def orphaned(lock: Path) -> Path:
    """A post whose holder was killed."""
    subprocess.run([sys.executable, "-c", TAKE_AND_DIE, str(lock)], check=False)
    assert note_of(lock).exists()
    return lock


def test_a_post_that_is_held_names_its_holder_and_one_given_back_nobody(lock: Path) -> None:
    assert holder(lock) == ""
    with held(lock, "a test") as tidy:
        assert tidy
        assert "(a test, since " in holder(lock)
        assert not left_behind(lock)
        with pytest.raises(BusyError, match="a test"), held(lock, "another"):
            pass
    assert holder(lock) == ""
    assert not left_behind(lock)


def test_the_dead_hold_nothing_and_leave_a_sign_until_the_next_holder(orphaned: Path) -> None:
    assert holder(orphaned) == ""
    assert left_behind(orphaned)
    with held(orphaned, "the next") as tidy:
        assert not tidy
        assert "the next" in holder(orphaned)
        assert not left_behind(orphaned)
    assert not left_behind(orphaned)


def test_a_holder_that_has_not_signed_yet_is_never_called_by_the_name_of_a_dead_one(
    orphaned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lake.storage.lock.TRIES", 3)
    taken = "import fcntl, sys; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); input()"
    command = [sys.executable, "-c", taken, str(orphaned)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as silent:
        assert silent.stdout is not None
        silent.stdout.readline()
        with pytest.raises(BusyError, match=r"^another process$"), held(orphaned, "a test"):
            pass
        silent.communicate("\n")


def test_whoever_only_looks_never_bars_a_writer(tmp_path: Path) -> None:
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            left_untidy(tmp_path)
            holder(tmp_path / ".writer.lock")

    lookers = [threading.Thread(target=look) for _ in range(2)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(TAKINGS):
            with writer_lease(tmp_path, "a test") as tidy:
                assert tidy
    finally:
        stop.set()
        for looker in lookers:
            looker.join()


def test_a_note_nobody_can_read_still_says_that_somebody_was_there(lock: Path) -> None:
    note_of(lock).write_text("\0" * 20)
    assert left_behind(lock)
    with held(lock, "the next") as tidy:
        assert not tidy
        assert json.loads(note_of(lock).read_text())["purpose"] == "the next"
