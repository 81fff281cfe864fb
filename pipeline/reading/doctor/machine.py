"""The machine: processor, memory, open files; how much room the disk has, and of what kind it is."""

from __future__ import annotations

import os
import platform
import resource
from collections.abc import Iterator
from pathlib import Path

from pipeline.reading.doctor.finding import Finding

LITTLE_MEMORY = 2 << 30
"""Bytes free below which a training of some hundred names may be ended by the system."""
FEW_FILES = 512
"""Open files a process may have below which a lake of many tables runs out of them."""
REMOTE = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "ceph", "fuse.s3fs", "davfs"})
"""Kinds of file systems where another machine keeps the files: a lock held here may not hold there."""
MEMORY_FILE, MOUNTS_FILE = Path("/proc/meminfo"), Path("/proc/self/mounts")
LIMIT_FILE = Path("/sys/fs/cgroup/memory.max")


def look_at_machine() -> Iterator[Finding]:
    """Processor, memory and open files of this machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    system = f"{platform.system()} {platform.release()} on {platform.machine()}"
    words = f"{system}, {cores} {'core' if cores == 1 else 'cores'}, Python {platform.python_version()}"
    yield Finding("machine", "ok", words, facts={"cores": cores})
    yield judge_memory(*read_memory())
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    yield judge_open_files(files)


def read_memory() -> tuple[int, int | None]:
    """Bytes of memory in all, and of those that are free for programs; None where the system does not tell.

    What a container is limited to counts as all there is.
    """
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    free: int | None = None
    if MEMORY_FILE.is_file():
        lines = dict(line.split(":", 1) for line in MEMORY_FILE.read_text(encoding="ascii").splitlines() if ":" in line)
        free = int(lines["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in lines else None
    if LIMIT_FILE.is_file() and (limit := LIMIT_FILE.read_text(encoding="ascii").strip()).isdigit():
        total = min(total, int(limit))
    return total, free if free is None else min(free, total)


def judge_memory(total: int, free: int | None) -> Finding:
    """Whether there is memory for a training.

    Args:
        total: bytes.
        free: bytes that programs can still have; None where nobody knows.
    """
    facts = {"memory_bytes": total, "free_memory_bytes": free}
    words = f"{total / 1e9:.1f} GB of memory" + (f", {free / 1e9:.1f} GB of it free" if free is not None else "")
    if min(total, total if free is None else free) < LITTLE_MEMORY:
        fix = "end what else needs memory, or train where there is more; fewer names or a shorter window need less"
        return Finding("machine", "warn", f"{words}; a training may need {LITTLE_MEMORY / 1e9:.0f} GB", fix, facts)
    return Finding("machine", "ok", words, facts=facts)


def judge_open_files(limit: int) -> Finding:
    """Whether a process may open as many files as a lake needs."""
    words, facts = f"A process may open {limit:,} files", {"open_files": limit}
    if 0 <= limit < FEW_FILES:
        return Finding(
            "machine", "warn", f"{words}; a large lake needs {FEW_FILES}", f"`ulimit -n {FEW_FILES * 8}`", facts
        )
    return Finding("machine", "ok", words if limit >= 0 else "A process may open any number of files", facts=facts)


def look_at_folder(what: str, folder: Path) -> Iterator[Finding]:
    """Whether a folder of ours can be written, and lies on a disk of this machine.

    Args:
        what: what it is, such as "The folder of the lake".
        folder: may not exist yet; then the one above it that does is looked at.
    """
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not os.access(there, os.W_OK):
        fix = f"have its owner give you rights: `ls -ld {there}` tells whose it is"
        yield Finding("disk", "warn", f"{what}, {folder}, cannot be written by this user", fix)
    else:
        yield Finding("disk", "ok", f"{what}, {folder}, can be written")
    kind = find_file_system(there, MOUNTS_FILE.read_text(encoding="utf-8") if MOUNTS_FILE.is_file() else "")
    if kind in REMOTE:
        words = f"{what}, {folder}, lies on another machine ({kind}), where a lock may not keep a second writer out"
        yield Finding("disk", "warn", words, "move it to a disk of this machine", {"file_system": kind})


def find_file_system(path: Path, mounts: str) -> str:
    """The kind of file system a path lies on, by the system's list of mounts; empty where that does not tell."""
    best, kind = "", ""
    for line in mounts.splitlines():
        _, _, rest = line.partition(" ")
        at, _, rest = rest.partition(" ")
        at = at.replace("\\040", " ")
        if path.is_relative_to(at) and len(at) >= len(best):
            best, kind = at, rest.split(" ")[0]
    return kind
