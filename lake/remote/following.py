"""Bring a working copy to what the store has: follow its changes, fetch what is asked for, give room back."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from time import time

from lake.access import make_private_folder
from lake.errors import DamageError, NotALakeError
from lake.remote import changes
from lake.remote.changes import FileChange, State, StoredChange, read_change, read_state
from lake.remote.differences import TABLES, find_differences
from lake.remote.index import Index, Known
from lake.remote.objects import Objects
from lake.storage.atomic import replace_atomic, write_atomic
from lake.storage.commit_pointer import HEAD
from lake.storage.file_repair import QUARANTINE
from lake.storage.manifest import MANIFEST
from lake.tables import TABLES as CONTRACTS

LOG = "_delta_log"
RUNS_LOG = f"{TABLES}/runs/{LOG}"
GRACE_SECONDS = 600.0
"""Age of a data file here below which its room is not given back: another process may be about to read it."""


class Follower:
    """One exchange of a working copy with the store, from there to here."""

    def __init__(self, lake: Path, objects: Objects, index: Index) -> None:
        self._lake = lake
        self._objects = objects
        self._index = index
        self._folder = f"{QUARANTINE}/{datetime.now(UTC):%Y%m%dT%H%M%S%f}-remote"
        self.set_aside: list[str] = []
        """Paths of what was here, unknown to the store, in the way of what it has."""
        self._lost: set[str] = set()
        """Paths that were taken away and may have to be fetched again, once all changes are followed."""

    def follow(self) -> None:
        """Follow every change that was made in the store since the last time.

        Raises:
            DamageError: if the log of changes is damaged or altered.
            StorageError: if the store does not answer.
        """
        if self._index.number < 0:
            self._begin()
        while found := self._objects.find(changes.change_key(self._index.number + 1)):
            number = self._index.number + 1
            change = read_change(found.content, number, self._index.value("digest", ""))
            self.apply(change, sha256(found.content).hexdigest())
        self._bring_back()

    def catch_up(self) -> None:
        """As `follow`, for a copy so old that what it lacks may have been pruned: it begins anew from a state."""
        last = self._index.number
        later = self._objects.list(changes.CHANGES, changes.change_key(max(last, 0)) if last >= 0 else None, 1)
        if last >= 0 and later and later[0].key != changes.change_key(last + 1):
            self._begin()
        self.follow()

    def apply(self, change: StoredChange, digest: str) -> None:
        """Make the change here, and record that it was followed."""
        own = change.copy == self._index.copy
        if self._index.number < 0 and not own:
            self._require_empty()
        if change.epoch is not None:
            if not own and self._index.value("unpublished", ""):
                self.set_aside_unpublished()
            self._index.put_value("epoch", change.epoch)
            self._index.put_value("epoch_copy", change.copy)
        for file in sorted(change.put, key=lambda one: _rank(one.path)):
            self._take(file)
        for path in change.removed:
            self._remove(path)
        self._index.put_value("number", change.number)
        self._index.put_value("digest", digest)

    def set_aside_unpublished(self) -> None:
        """Move to quarantine what this copy had begun to write when another took its lease over; its work is done again
        on what is published now."""
        found = find_differences(self._lake, self._index)
        ours = {path for path in (*found.changed, *found.removed) if path.startswith(f"{TABLES}/") or path == HEAD}
        for path in sorted(ours, key=_rank, reverse=True):  # from the top down: a crash half way leaves no gap
            self._set_aside(path)
        self._lost |= ours
        self._index.put_value("unpublished", "")

    def set_aside_table(self, table: str) -> None:
        """Move to quarantine what this copy has begun to write in a table that another wrote first."""
        for path in find_differences(self._lake, self._index, table).changed:
            self._set_aside(path)

    def fetch(self, files: Iterable[Known]) -> int:
        """Fetch the contents of data files of which only the sizes are here, and return how many bytes came."""
        wanted = {one.path: one for one in files if not one.present}
        size = 0
        for path, content in self._objects.find_all(wanted):
            known = wanted[path]
            self._write(FileChange(path, known.size, known.sha256), _verified(path, content, known))
            size += known.size
        return size

    def evict(self, max_bytes: int) -> None:
        """Give back the room of the data files used longest ago, while those here take more than that."""
        size = self._index.count_present()
        for known in self._index.least_used(time() - GRACE_SECONDS) if size > max_bytes else ():
            if size <= max_bytes:
                return
            if not _is_eager(known.path):
                self._make_hollow(FileChange(known.path, known.size, known.sha256))
                size -= known.size

    # ---- inner workings

    def _begin(self) -> None:
        """Take the newest state that the store keeps as one great change, where there is one."""
        kept = self._objects.list(changes.SNAPSHOTS)
        if not kept:
            return
        found = self._objects.find(kept[-1].key)
        if found is None:
            raise DamageError(f"{kept[-1].key} in the store is gone; try again")
        if self._index.number < 0:
            self._require_empty()
        state = read_state(found.content, kept[-1].key)
        self._take_state(state)
        self._index.put_value("state_at", state.number)

    def _require_empty(self) -> None:
        """Refuse to mix a lake that was made here with another that is at the address.

        Raises:
            NotALakeError: if one was made here and never got there.
        """
        if self._index.value("made_here", ""):
            raise NotALakeError(
                f"{self._lake} holds a lake that never got to {self._objects.address}, where another was made "
                "meanwhile; move the folder away to work with that one"
            )

    def _take_state(self, state: State) -> None:
        if state.copy != self._index.copy and self._index.value("unpublished", ""):
            self.set_aside_unpublished()
        known = self._index.files()
        fresh = [one for path, one in state.files.items() if path not in known or known[path].sha256 != one.sha256]
        small = [one for one in fresh if not one.is_data or _is_eager(one.path)]
        contents = dict(self._objects.find_all(one.path for one in small))
        later = _contents_after(self._objects, state.number) if any(not _fits(contents, one) for one in small) else {}
        for file in sorted(fresh, key=lambda one: _rank(one.path)):
            self._take(file, contents[file.path] if _fits(contents, file) else later.get(file.sha256))
        for path in known.keys() - state.files.keys():
            self._remove(path)
        for key, value in (("number", state.number), ("digest", state.digest), ("epoch", state.epoch)):
            self._index.put_value(key, value)
        self._index.put_value("epoch_copy", state.copy)

    def _bring_back(self) -> None:
        """Fetch what was taken away and no change has put since."""
        for path in sorted(self._lost, key=_rank):
            known = self._index.find(path)
            if known and not (known.mtime_ns and (self._lake / path).exists()):
                self._take(FileChange(path, known.size, known.sha256), last=True)
        self._lost.clear()

    def _take(self, file: FileChange, content: bytes | None = None, *, last: bool = False) -> None:
        """Have the file here as the store has it.

        Its content may be gone from there, since a later change replaced or removed it: that is told only where all
        changes were followed and it is still missing.

        Raises:
            DamageError: if it is the `last` look, and the store has not the content.
        """
        path = self._lake / file.path
        if path.exists():
            known = self._index.find(file.path)
            if _is_same(path, file, known):
                self._index.put(file, path.stat().st_mtime_ns, present=known.present if known else True, used=time())
                return
            if not is_hollow(path.stat()) and (known is None or _differs(path, known)):
                self._set_aside(file.path)
        make_private_folder(path.parent)
        if file.is_data and not _is_eager(file.path):
            self._make_hollow(file)
            return
        if content is None:
            content = file.content
        if content is None:
            found = self._objects.find(file.key) or self._objects.find(file.path)
            content = found.content if found else None
        if not last and (content is None or sha256(content).hexdigest() != file.sha256):
            self._index.put(file, 0, present=False, used=0.0)
            self._lost.add(file.path)
            return
        self._write(file, _verified(file.path, content, file))

    def _write(self, file: FileChange, content: bytes) -> None:
        path = self._lake / file.path
        write_atomic(path, content, durable=False)  # it can be fetched again
        self._index.put(file, path.stat().st_mtime_ns, present=True, used=time())

    def _make_hollow(self, file: FileChange) -> None:
        """A file of the right size without content, which takes no room; who reads it asks for the content first."""
        path = self._lake / file.path
        with replace_atomic(path, durable=False) as draft:
            draft.touch()
            os.truncate(draft, file.size)
        self._index.put(file, path.stat().st_mtime_ns, present=False, used=time())

    def _remove(self, path: str) -> None:
        if (known := self._index.find(path)) and _differs(self._lake / path, known):
            self._set_aside(path)
        (self._lake / path).unlink(missing_ok=True)
        self._index.remove(path)

    def _set_aside(self, path: str) -> None:
        here = self._lake / path
        if here.exists():
            target = self._lake / self._folder / path
            make_private_folder(target.parent)
            here.rename(target)
            self.set_aside.append(path)


def is_hollow(stat: os.stat_result) -> bool:
    """Whether a file may have a size and no content; the index says whether it does."""
    return stat.st_blocks * 512 < stat.st_size


def _rank(path: str) -> tuple[int, str]:
    """The order in which files appear: none before what it rests on, and what publishes last."""
    if path in (HEAD, MANIFEST):
        return (4, path)
    folder = path.rpartition("/")[0]
    if folder == RUNS_LOG:
        return (3, path)
    return (2 if folder.endswith(f"/{LOG}") else 1, path)


def _is_eager(path: str) -> bool:
    """Whether a data file's content is fetched at once: of the few rows that say what runs, and who asked for what."""
    parts = path.split("/")
    table = CONTRACTS.get(parts[1]) if parts[0] == TABLES and len(parts) > 1 else None
    return table is not None and table.domain == "control"


def _is_same(path: Path, file: FileChange, known: Known | None) -> bool:
    """Whether the file here is the store's; one that the index knows, and that was not touched since, is not read."""
    stat = path.stat()
    if stat.st_size != file.size:
        return False
    if known is not None and stat.st_mtime_ns == known.mtime_ns:
        return known.sha256 == file.sha256
    return not is_hollow(stat) and sha256(path.read_bytes()).hexdigest() == file.sha256


def _differs(path: Path, known: Known) -> bool:
    """Whether the file here is not what the index says it is."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return False
    return (stat.st_size, stat.st_mtime_ns) != (known.size, known.mtime_ns)


def _fits(contents: Mapping[str, bytes | None], file: FileChange) -> bool:
    content = contents.get(file.path)
    return content is not None and sha256(content).hexdigest() == file.sha256


def _contents_after(objects: Objects, number: int) -> dict[str, bytes]:
    """What later changes say themselves, by its hash."""
    keys = [one.key for one in objects.list(changes.CHANGES, changes.change_key(number))]
    found: dict[str, bytes] = {}
    for _, content in objects.find_all(keys):
        for file in _read_loosely(content):
            if file.content is not None:
                found[file.sha256] = file.content
    return found


def _read_loosely(content: bytes | None) -> tuple[FileChange, ...]:
    """The files of a change whose place in the log is checked later, when it is followed."""
    if content is None:
        return ()
    told = json.loads(content)
    return read_change(content, int(told["number"]), str(told["follows"])).put


def _verified(path: str, content: bytes | None, file: FileChange | Known) -> bytes:
    if content is None:
        raise DamageError(f"{path} is missing in the store; restore the lake from a backup")
    if len(content) != file.size or sha256(content).hexdigest() != file.sha256:
        raise DamageError(f"{path} in the store is not what was written there; restore the lake from a backup")
    return content
