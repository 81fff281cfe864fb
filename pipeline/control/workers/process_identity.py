"""Which process a pid means: its start and the boot it ran under, so that a number used again deceives nobody."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Identity:
    """A process beyond mistaking."""

    pid: int
    started: str
    boot_id: str


def identify(pid: int) -> Identity | None:
    """The living process of that number; None if there is none, or if it has ended and only waits to be reaped."""
    started = _read_start(pid)
    return Identity(pid, started, read_boot_id()) if started else None


def is_alive(who: Identity) -> bool:
    """Whether this very process still runs."""
    return who.boot_id == read_boot_id() and _read_start(who.pid) == who.started


@cache
def read_boot_id() -> str:
    """What tells this boot of the host from every other."""
    try:
        return (PROC / "sys" / "kernel" / "random" / "boot_id").read_text().strip()
    except OSError:
        return _run_command("sysctl", "-n", "kern.boottime") or "unknown"


def signal_group(leader: int, sign: signal.Signals) -> None:
    """Signal everybody in the process group, and in its session where the system lets us see that."""
    members = find_session_members(leader) if sign == signal.SIGKILL else []
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
        os.killpg(leader, sign)
    for pid in members:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sign)


def find_session_members(leader: int) -> list[int]:
    """The other processes of the session that the leader began (Linux; empty elsewhere)."""
    found = []
    for entry in PROC.glob("[0-9]*/stat") if sys.platform == "linux" else ():
        fields = _read_stat(int(entry.parent.name))
        if fields and int(fields[3]) == leader and int(entry.parent.name) != leader:
            found.append(int(entry.parent.name))
    return found


def count_resident_bytes() -> int:
    """Memory that this process holds."""
    try:
        pages = int((PROC / "self" / "statm").read_text().split()[1])
    except OSError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")


def count_open_descriptors() -> int:
    """File descriptors that this process has open; 0 where the system does not tell."""
    for folder in (PROC / "self" / "fd", Path("/dev/fd")):
        if folder.is_dir():
            return len(list(folder.iterdir()))
    return 0


def _read_start(pid: int) -> str:
    if sys.platform != "linux":
        return _run_command("ps", "-o", "lstart=", "-p", str(pid))
    fields = _read_stat(pid)
    return fields[19] if fields and fields[0] not in ("Z", "X") else ""


def _read_stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name, which may itself hold spaces and brackets."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (OSError, UnicodeDecodeError):
        return []


def _run_command(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=5).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""
