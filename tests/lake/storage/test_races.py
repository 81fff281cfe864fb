"""Two writers at once: one writes, the other is told; nobody's update is lost; a killed writer leaves the lake free."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lake.errors import BusyError, LakeError
from lake.store import Lake
from lake.tables.market import INSTRUMENTS
from tests.frames.published import instrument_rows, publish_sessions

ROOT = Path(__file__).parents[3]
TRIES = 20
RAISES = 3
RACER = """
import os, sys
from pathlib import Path
from lake.errors import BusyError
from lake.store import Lake
path = Path(sys.argv[1])
for word in sys.stdin:  # try
    try:
        with Lake.open(path).lock("a race"):
            inside = os.open(path.parent / "inside", os.O_CREAT | os.O_EXCL)  # fails if another writer is
            print("inside", flush=True)
            sys.stdin.readline()  # leave
            os.close(inside)
            os.unlink(path.parent / "inside")
        print("left", flush=True)
    except BusyError as error:
        print(error, flush=True)
"""
COUNTER = """
import sys, time
from pathlib import Path
from lake.errors import BusyError
from lake.publication import publish
from lake.store import Lake
from lake.tables.market import INSTRUMENTS
from tests.frames.control import recipe, run
from tests.frames.published import FIRST, instrument_rows
lake, done = Lake.open(Path(sys.argv[1])), 0
while done < int(sys.argv[2]):
    try:
        with lake.lock("counting"):
            number = int(lake.read(INSTRUMENTS)["name"][0].split()[1]) + 1
            one = run(recipe=recipe(stage="instruments", cycle_id=f"count-{number}", output_table="instruments",
                                    session=FIRST, since=FIRST, inputs={}))
            written = lake.commit(INSTRUMENTS, instrument_rows(f"name {number}"), one.run_id, {"run": one.row()})
            counted = run(recipe=one.recipe, output_version=written.version, written=1)
            publish(lake, [counted], f"count {number}", durable=False)
        done += 1
        print(number, flush=True)
    except BusyError:
        time.sleep(0.005)
"""
HOLDER = """
import subprocess, sys, time
from pathlib import Path
from lake.store import Lake
with Lake.open(Path(sys.argv[1])).lock("a writer that is killed"):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdout=subprocess.DEVNULL)
    print(child.pid, flush=True)
    time.sleep(600)
"""


def started(program: str, lake: Path, *given: object) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", program, str(lake), *map(str, given)]
    return subprocess.Popen(words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def say(racer: subprocess.Popen[str], word: str) -> None:
    assert racer.stdin is not None
    racer.stdin.write(f"{word}\n")
    racer.stdin.flush()


def answer(racer: subprocess.Popen[str]) -> str:
    assert racer.stdout is not None
    return racer.stdout.readline().rstrip()


def test_of_two_writers_at_once_one_writes_and_the_other_learns_who_does(lake: Lake) -> None:
    racers = [started(RACER, lake.path) for _ in range(2)]
    try:
        for number in range(TRIES):
            for racer in racers if number % 2 else reversed(racers):
                say(racer, "try")
            answers = {racer.pid: answer(racer) for racer in racers}
            winners = [racer for racer in racers if answers[racer.pid] == "inside"]
            assert len(winners) == 1, answers
            (told,) = (words for pid, words in answers.items() if pid != winners[0].pid)
            assert f"is being written by process {winners[0].pid}" in told
            say(winners[0], "leave")
            assert answer(winners[0]) == "left"
    finally:
        for racer in racers:
            racer.kill()
            racer.communicate()


def test_a_killed_writer_leaves_the_lake_free_at_once_even_while_a_child_of_its_lives(lake: Lake) -> None:
    holder = started(HOLDER, lake.path)
    child = int(answer(holder))
    try:
        with pytest.raises(BusyError, match=f"process {holder.pid}"), lake.lock("impatient"):
            pass
        holder.kill()
        holder.communicate()
        with Lake.open(lake.path).lock("next"):
            pass
        os.kill(child, 0)  # it lives: it never had the lock
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_counter_raised_by_several_processes_ends_at_the_number_acknowledged(lake: Lake) -> None:
    publish_sessions(lake, 1)
    raisers = [started(COUNTER, lake.path, RAISES) for _ in range(3)]
    acknowledged = [int(line) for one in raisers for line in one.communicate()[0].split()]
    assert sorted(acknowledged) == list(range(1, 3 * RAISES + 1))
    assert Lake.open(lake.path).read(INSTRUMENTS)["name"].to_list() == [f"name {3 * RAISES}"]


def test_rows_that_runs_publish_are_not_written_without_the_lock(lake: Lake) -> None:
    with pytest.raises(LakeError, match="only under the writer lock"):
        lake.commit(INSTRUMENTS, instrument_rows("name 1"), "somebody", {})


def calls(path: Path) -> list[tuple[str, ast.Call]]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return [(ast.unparse(node.func).split(".")[-1], node) for node in nodes if isinstance(node, ast.Call)]


def test_no_table_is_overwritten_but_through_the_handle_it_was_read_by() -> None:
    """A write to a path takes whatever is newest there for what it read: the update in between is lost."""
    writes = [node for name, node in calls(ROOT / "lake" / "storage" / "delta.py") if name == "write_deltalake"]
    assert len(writes) >= 2
    assert {ast.unparse(node.args[0]) for node in writes} == {"handle"}, "write to a DeltaTable, never to a path"
    for path in (path for package in ("lake", "pipeline", "nextgen_tui") for path in (ROOT / package).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if path != ROOT / "lake" / "storage" / "delta.py" and ("overwrite" in text or "delta" in text):
            strange = {name for name, _ in calls(path)} & {"write_deltalake", "write_delta", "sink_delta"}
            assert not strange, f"{path} calls {strange}: tables are written by lake/storage/delta.py only"
            words = [ast.unparse(word) for _, node in calls(path) for word in node.keywords]
            assert "mode='overwrite'" not in words, f"{path} overwrites a whole path"
