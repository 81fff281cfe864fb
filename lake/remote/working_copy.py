"""A working copy: the folder that all of the program works on, kept the same as a lake in an object store."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from time import time

from lake.errors import BusyError, NotALakeError, StorageError
from lake.remote.address import MAX_BYTES_VARIABLE, REMOTE, Address
from lake.remote.exchange import Pruned, Turn
from lake.remote.following import Follower, is_hollow
from lake.remote.index import Index, open_index
from lake.remote.lease import HeldLease, hold_lease
from lake.remote.objects import Objects
from lake.remote.pruning import prune
from lake.remote.sharing import OvertakenInStoreError, Sharer
from lake.storage.manifest import MANIFEST

MAX_BYTES = 50 * 2**30
"""Bytes of data files that are kept here, unless the variable says otherwise."""
REFRESH_SECONDS = 2.0
"""How often a reader looks for changes, at most."""

REST_SECONDS = 30.0
"""How long a reader goes on with what is here after the store has not answered."""
LONG_SECONDS = 3600.0
"""Time without a look after which the changes that follow may have been pruned."""


class WorkingCopy:
    """Exchanges between one folder and the store that it is a working copy of."""

    def __init__(self, folder: Path, address: Address) -> None:
        self.folder = folder
        self.address: Address | None = address
        self._address = address
        self._given: Objects | None = None
        self._lease: HeldLease | None = None
        self._turns = RLock()
        self._index: Index | None = None
        self._look_at = 0.0
        """When a reader looks for changes again."""
        self.problem = ""
        """Why the store could not be looked at last time; what is read is then of before. Empty where it could."""

    @contextmanager
    def _exchange(self) -> Iterator[Index]:
        """The index, kept from all others for the block; a block within a block of the same thread has the same."""
        with self._turns:
            if self._index is not None:
                yield self._index
                return
            with open_index(self.folder / REMOTE) as index:
                self._index = index
                try:
                    yield index
                finally:
                    self._index = None

    @property
    def _objects(self) -> Objects:
        if self._given is None:
            self._given = Objects(self._address)
        return self._given

    # ---- reading

    def open(self) -> None:
        """Bring the copy to what the store has; without an answer of the store, a copy that was made stays as it is.

        Raises:
            StorageError: if the store does not answer and nothing was fetched before.
            DamageError: if what the store has was altered.
        """
        try:
            with self._exchange() as index:
                follower = Follower(self.folder, self._objects, index)
                follower.catch_up()
                follower.evict(max_bytes(os.environ.get(MAX_BYTES_VARIABLE)))
            self.problem = ""
        except StorageError as error:
            if not (self.folder / MANIFEST).exists():
                raise
            self.problem = str(error)
        self._look_at = time() + REFRESH_SECONDS

    def refresh(self) -> None:
        """Follow what others have published, if nobody has looked just now; a store that does not answer is noted."""
        if self._lease is not None or (late := time() - self._look_at) < 0:
            return
        self._look_at = time() + REFRESH_SECONDS
        try:
            with self._exchange() as index:
                follower = Follower(self.folder, Objects(self._address, patient=False), index)
                follower.catch_up() if late > LONG_SECONDS else follower.follow()
            self.problem = ""
        except (StorageError, BusyError) as error:
            self.problem, self._look_at = str(error), time() + REST_SECONDS

    def fetch(self, paths: Iterable[str]) -> None:
        """Have the contents of data files here.

        Args:
            paths: of files in the folder; those that have their content cost a look at their size.

        Raises:
            StorageError: if the store does not answer.
            DamageError: if the store has lost a file, or has another content.
        """
        begin = len(str(self.folder)) + 1
        if absent := [path[begin:] for path in paths if _seems_hollow(path)]:
            with self._exchange() as index:
                known = [one for one in map(index.find, absent) if one is not None]
                Follower(self.folder, self._objects, index).fetch(known)

    def fetch_all(self) -> None:
        """Have the contents of all data files here, for what reads them all: a backup, a scrub, a branch."""
        with self._exchange() as index:
            Follower(self.folder, self._objects, index).fetch(index.files().values())

    # ---- writing

    @contextmanager
    def lease(self, purpose: str) -> Iterator[None]:
        """Hold the lease of the lake for the block, with the lock of the folder held already.

        Raises:
            BusyError: naming the holder, if another working copy has it.
            StorageError: if the store does not answer, or cannot keep writers apart.
        """
        with self._exchange() as index:
            copy = index.copy
        with hold_lease(self._objects, copy, purpose) as held:
            self._lease = held
            try:
                with self._exchange() as index:
                    Follower(self.folder, self._objects, index).catch_up()
                    if held.taken_over:
                        Sharer(self.folder, self._objects, index, held).mark_epoch(f"{purpose}: took over the lease")
                    index.put_value("unpublished", "yes")
                yield
            finally:
                self._lease = None

    def share(self, purpose: str, *, ends: bool = False) -> None:
        """Bring everything that was written here to the store, in one step.

        Args:
            purpose: what for.
            ends: whether nothing is left to do: then nothing here is of an unfinished work.

        Raises:
            LeaseLostError: if another working copy has taken over the lease.
            StorageError: if the store does not answer: what was written is here, and goes there with the next run.
        """
        with self._exchange() as index:
            sharer = Sharer(self.folder, self._objects, index, self._lease)
            sharer.share(purpose)
            if ends:
                index.put_value("unpublished", "")
                sharer.keep_state()

    def prepare_new(self) -> None:
        """Note that a lake is made here, after refusing a store that cannot keep writers apart.

        Raises:
            StorageError: if it cannot, or does not answer.
        """
        self._objects.require_safe()
        with self._exchange() as index:
            index.put_value("made_here", "yes")

    def share_new(self) -> None:
        """Bring a lake just made to the store, where there must be none yet; one that is there from here stays.

        Raises:
            BusyError: if there is another.
        """
        self._objects.require_safe()
        with self._exchange() as index:
            if index.number >= 0:
                return
            sharer = Sharer(self.folder, self._objects, index, None)
            sharer.share("create", first=True)
            index.put_value("made_here", "")
            sharer.keep_state()

    @contextmanager
    def committing(self, table: str) -> Iterator[Turn]:
        """One commit to a table that several append to: made here within the block, and in the store after it.

        Nobody on this machine commits meanwhile. If the block raises, or the store does not answer, nothing is left.

        Raises:
            StorageError: if the store does not answer.
        """
        turn = Turn()
        with self._exchange() as index:
            follower = Follower(self.folder, self._objects, index)
            follower.follow()
            sharer = Sharer(self.folder, self._objects, index, self._lease)
            yield turn
            try:
                sharer.share(f"append to {table}", table)
            except OvertakenInStoreError:
                turn.overtaken = True
            except StorageError:
                follower.set_aside_table(table)
                raise

    def prune(self, min_age_seconds: float) -> Pruned:
        """Remove from the store what no state of the lake needs any more; under the lease."""
        with self._exchange() as index:
            return prune(self._objects, index, min_age_seconds)


def max_bytes(told: str | None) -> int:
    """How many bytes of data files are kept here.

    Raises:
        NotALakeError: if the variable is no number of gigabytes.
    """
    if not told:
        return MAX_BYTES
    try:
        found = float(told)
    except ValueError:
        found = -1.0
    if not 0 <= found < 1e9:
        raise NotALakeError(f"{MAX_BYTES_VARIABLE} is {told!r}; write a number of gigabytes, such as 20")
    return int(found * 2**30)


def _seems_hollow(path: str) -> bool:
    try:
        return is_hollow(os.stat(path))  # noqa: PTH116, for every file of every read
    except FileNotFoundError:
        return False
