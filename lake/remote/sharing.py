"""Bring what a working copy has written to the store, as one change: it is made there whole, or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from time import time

from lake.errors import BusyError, LakeError, StorageError
from lake.remote import changes
from lake.remote.changes import FileChange, State, StoredChange, change_key, is_data, snapshot_key
from lake.remote.differences import Differences, find_differences
from lake.remote.following import Follower
from lake.remote.index import Index
from lake.remote.lease import HeldLease
from lake.remote.objects import ObjectExistsError, Objects

MAX_ATTEMPTS = 50
"""Changes of others that may come in between one after another."""
SNAPSHOT_EVERY = 128
"""Changes after which the whole state is written, from which new working copies begin."""


class LeaseLostError(LakeError):
    """Another working copy took over the lease: what this one has written since is not published."""


class OvertakenInStoreError(Exception):
    """Another working copy wrote the same version of a table first."""


@dataclass
class Sharer:
    """One exchange of a working copy with the store, from here to there."""

    lake: Path
    objects: Objects
    index: Index
    lease: HeldLease | None

    def share(self, purpose: str, table: str | None = None, *, first: bool = False) -> bool:
        """Bring what has changed here to the store, in one change, and return whether there was anything.

        Args:
            purpose: what for, for whoever reads the log of changes.
            table: only this table; everything where None.
            first: whether it has to be the first change, that makes the lake.

        Raises:
            LeaseLostError: if another working copy has taken over the lease.
            OvertakenInStoreError: if another wrote the same version of the table.
            StorageError: if the store does not answer; nothing of it can then be seen there.
        """
        follower = Follower(self.lake, self.objects, self.index)
        for attempt in range(MAX_ATTEMPTS):
            if attempt:  # the first time all changes were followed before
                follower.follow()
            self._require_lease()
            if table is not None and any(path.startswith(f"tables/{table}/") for path in follower.set_aside):
                follower.set_aside_table(table)
                raise OvertakenInStoreError(table)
            found = find_differences(self.lake, self.index, table)
            if not found:
                self.index.put_folder_times(found.folders)
                return False
            if self._write(self._make_change(found, purpose), found):
                return True
            if first:
                raise BusyError(f"there is a lake at {self.objects.address} already; open it, or use another address")
        raise BusyError(f"others wrote to {self.objects.address} {MAX_ATTEMPTS} times in a row; try again later")

    def mark_epoch(self, purpose: str) -> None:
        """Write an empty change of this lease's epoch, so that an earlier holder that wakes up cannot publish."""
        for _ in range(MAX_ATTEMPTS):
            Follower(self.lake, self.objects, self.index).follow()
            self._require_lease()
            if self._write(self._make_change(Differences(), purpose), Differences()):
                return
        raise BusyError(f"others wrote to {self.objects.address} {MAX_ATTEMPTS} times in a row; try again later")

    def keep_state(self) -> None:
        """Write the whole state where enough has changed, after making sure that all its files lie at their paths."""
        number = self.index.number
        if number < int(self.index.value("state_at", "-1")) + SNAPSHOT_EVERY:
            return
        known = self.index.files()
        there = {one.key: one.size for one in self.objects.list("")}
        lacking = [one for path, one in known.items() if there.get(path) != one.size]
        self.objects.put_all((one.path, (self.lake / one.path).read_bytes()) for one in lacking)
        files = {path: FileChange(path, one.size, one.sha256) for path, one in known.items()}
        epoch, copy = int(self.index.value("epoch", "0")), self.index.value("epoch_copy", "")
        state = State(number, self.index.value("digest", ""), epoch, copy, files)
        self.objects.put(snapshot_key(number), state.dump())
        self.index.put_value("state_at", number)

    # ---- inner workings

    def _require_lease(self) -> None:
        if self.lease is None:
            return
        epoch = int(self.index.value("epoch", "0"))
        if self.lease.lost or epoch > self.lease.lease.epoch:
            self.lease.lost = True
            raise LeaseLostError(
                f"another machine took over the lake at {self.objects.address}, because this process did not renew its "
                "lease in time; what it had not yet published was set aside, and is done again by the next run"
            )

    def _make_change(self, found: Differences, purpose: str) -> StoredChange:
        return StoredChange(
            number=self.index.number + 1,
            follows=self.index.value("digest", ""),
            copy=self.index.copy,
            epoch=self.lease.lease.epoch if self.lease else None,
            made_at=datetime.now(UTC),
            purpose=purpose,
            put=tuple(self._describe(path) for path in sorted(found.changed)),
            removed=tuple(sorted(found.removed)),
        )

    def _describe(self, path: str) -> FileChange:
        content = (self.lake / path).read_bytes()
        inline = content if len(content) <= changes.MAX_INLINE and not is_data(path) else None
        return FileChange(path, len(content), sha256(content).hexdigest(), inline)

    def _write(self, change: StoredChange, found: Differences) -> bool:
        """Write a change and what it rests on; False if its number is taken."""
        self.objects.put_all(self._contents(one for one in change.put if one.is_data or one.content is None))
        content = change.dump()
        try:
            self.objects.put_new(change_key(change.number), content)
        except ObjectExistsError:
            return False
        self._record(change, found, sha256(content).hexdigest())
        self._lay_out(change)
        return True

    def _contents(self, files: Iterable[FileChange]) -> Iterator[tuple[str, bytes]]:
        for one in files:
            yield one.key, (self.lake / one.path).read_bytes()

    def _record(self, change: StoredChange, found: Differences, digest: str) -> None:
        for file in change.put:
            self.index.put(file, found.changed[file.path].st_mtime_ns, present=True, used=time())
        for path in change.removed:
            self.index.remove(path)
        self.index.put_folder_times(found.folders)
        for key, value in (("number", change.number), ("digest", digest)):
            self.index.put_value(key, value)
        if change.epoch is not None:
            self.index.put_value("epoch", change.epoch)
            self.index.put_value("epoch_copy", change.copy)

    def _lay_out(self, change: StoredChange) -> None:
        """Put each file where a reader of Delta tables looks for it. The change is made already: what a crash leaves
        out is put there before the next state is written."""
        rest = [one for one in change.put if not one.is_data]
        with suppress(StorageError):
            self.objects.put_all((one.path, one.content or (self.lake / one.path).read_bytes()) for one in rest)
            self.objects.delete(change.removed)
