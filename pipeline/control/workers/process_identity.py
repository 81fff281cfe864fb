"""Which process a pid means: its start time and boot tell it from a later process with the same pid."""

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
    """A process, told apart from any later one with the same pid."""

    pid: int
    started: str
    boot_id: str


def identify(pid: int) -> Identity | None:
    """Find the living process with that pid; None if there is none, or if it is a zombie."""
    started = _read_start(pid)
    return Identity(pid, started, read_boot_id()) if started else None


def is_alive(who: Identity) -> bool:
    """Whether this very process still runs."""
    return who.boot_id == read_boot_id() and _read_start(who.pid) == who.started


@cache
def read_boot_id() -> str:
    """Read what identifies this boot of the host."""
    try:
        return (PROC / "sys" / "kernel" / "random" / "boot_id").read_text().strip()
    except OSError:
        return _run_command("sysctl", "-n", "kern.boottime") or "unknown"


def signal_group(leader: int, sign: signal.Signals) -> None:
    """Signal every process in the group, and for SIGKILL in its session, where the system lets us see that."""
    members = find_session_members(leader) if sign == signal.SIGKILL else []
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
        os.killpg(leader, sign)
    for pid in members:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sign)


def find_session_members(leader: int) -> list[int]:
    """Find the other processes in the leader's session (Linux; empty elsewhere)."""
    found = []
    for entry in PROC.glob("[0-9]*/stat") if sys.platform == "linux" else ():
        fields = _read_stat(int(entry.parent.name))
        if fields and int(fields[3]) == leader and int(entry.parent.name) != leader:
            found.append(int(entry.parent.name))
    return found


def count_resident_bytes() -> int:
    """Count the bytes of memory this process uses."""
    try:
        pages = int((PROC / "self" / "statm").read_text().split()[1])
    except OSError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")


def count_open_descriptors() -> int:
    """Count the open file descriptors of this process; 0 where the system does not say."""
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
    """The fields of /proc/PID/stat after the name, which may itself contain spaces and brackets."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (OSError, UnicodeDecodeError):
        return []


def _run_command(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=5).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""
