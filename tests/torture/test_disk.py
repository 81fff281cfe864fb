"""A disk with too little room is refused before the first write, in words and with the exit code for it."""

from __future__ import annotations

import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from lake.storage.lock import WRITER_HOLDER, WRITER_LOCK
from tests.torture.conftest import Bench
from tests.torture.faults import ROOT, Fault, command

IN_8_MB = """
mount -t tmpfs -o size=8m tmpfs "$1" && cp -r "$2" "$1/lake" || exit 100
before=$(cd "$1/lake" && find . -type f ! -name '.writer.*' -exec sha256sum {} + | sort)
lake="$1/lake"; shift 2
"$@" --lake "$lake"
code=$?
after=$(cd "$lake" && find . -type f ! -name '.writer.*' -exec sha256sum {} + | sort)
[ "$before" = "$after" ] || exit 101
exit $code
"""


def contents(lake: Path) -> dict[str, str]:
    files = (path for path in lake.rglob("*") if path.is_file() and path.name not in (WRITER_LOCK, WRITER_HOLDER))
    return {str(path.relative_to(lake)): sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_nearly_full_disk_is_refused_before_the_first_write(bench: Bench) -> None:
    lake = bench.copy()
    before = contents(lake)
    ended = bench.order("cycle", lake, session=bench.prepared.session, durable=True, mode=int(Fault.NO_ROOM), k=0)
    assert ended["code"] == 74, ended
    assert "free some space, nothing was written" in ended["error"]
    assert contents(lake) == before


@pytest.mark.torture
def test_a_disk_of_eight_megabytes_is_refused_by_the_command_with_code_74(bench: Bench, tmp_path: Path) -> None:
    namespace = shutil.which("unshare")
    if namespace is None or subprocess.run([namespace, "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs a mount namespace of its own, which this system does not permit")
    disk = tmp_path / "disk"
    disk.mkdir()
    given = [namespace, "-rm", "sh", "-c", IN_8_MB, "sh", str(disk), str(bench.copy()), *command("cycle")]
    ended = subprocess.run(given, capture_output=True, text=True, cwd=ROOT, env=dict(os.environ), check=False)
    assert ended.returncode == 74, (ended.returncode, ended.stdout, ended.stderr)
    assert "free some space" in ended.stderr
