"""The lease on a lake in a store, which takes the place of a kernel lock: one working copy at a time publishes.

A lease that is not renewed can be taken over, and its holder may only have been asleep. So each lease has a number, its
epoch, and whoever takes one over first writes a change of that epoch: the next change of the earlier holder then meets
a number that is taken, and it learns that it lost the lease before it has published anything.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from uuid import uuid4

from lake.errors import BusyError, DamageError, LakeError
from lake.remote.objects import Found, ObjectChangedError, ObjectExistsError, Objects

LEASE = "_nextgen/lease.json"
MAX_AGE = timedelta(seconds=60)
"""Age, by the clock of the store, from which a lease that was not renewed can be taken over."""
RENEW_SECONDS = 15.0


@dataclass(frozen=True)
class Lease:
    """Who may publish."""

    epoch: int
    copy: str
    """The working copy that has it; processes of one machine exclude each other by the lock of its folder."""
    holder: str
    """The process, for people."""
    held: bool
    nonce: str
    """Anew each time it is written, so that no two states of the lease have the same tag."""

    def dump(self) -> bytes:
        """The lease as the object that it is."""
        return json.dumps(self.__dict__).encode()


@dataclass
class HeldLease:
    """A lease while this process has it."""

    lease: Lease
    tag: str
    taken_over: bool
    """Whether its last holder had not released it."""
    lost: bool = False
    """Whether another working copy has it by now, as far as is known."""


@contextmanager
def hold_lease(objects: Objects, copy: str, purpose: str, renew_seconds: float = RENEW_SECONDS) -> Iterator[HeldLease]:
    """Hold the lease for the block, renewing it meanwhile. The caller holds the lock of the working copy.

    Raises:
        BusyError: at once, naming the holder, if another working copy has it.
        StorageError: if the store does not answer, or cannot keep writers apart.
    """
    objects.require_safe()
    held = _take(objects, copy, purpose)
    ended = Event()
    renewing = Thread(target=_renew, args=(objects, held, ended, renew_seconds), daemon=True, name="lease")
    renewing.start()
    try:
        yield held
    finally:
        ended.set()
        renewing.join()
        with suppress(LakeError):  # it ends by itself; what ended the block matters more
            _release(objects, held)


def find_lease(objects: Objects) -> Lease | None:
    """The lease as it stands; None before the first."""
    found = objects.find(LEASE)
    return _read(found.content) if found else None


def _take(objects: Objects, copy: str, purpose: str) -> HeldLease:
    found = objects.find(LEASE)
    before = _read(found.content) if found else None
    if found and before:
        _refuse_held(objects, before, found, copy)
    since = datetime.now(UTC).isoformat(timespec="seconds")
    holder = f"process {os.getpid()} on {socket.gethostname()} ({purpose}, since {since})"
    lease = Lease(before.epoch + 1 if before else 1, copy, holder, True, uuid4().hex)
    try:
        content = lease.dump()
        tag = objects.replace(LEASE, content, found.tag) if found else objects.put_new(LEASE, content)
    except (ObjectExistsError, ObjectChangedError):
        now = find_lease(objects)
        raise _busy(objects, now.holder if now else "another process") from None
    return HeldLease(lease, tag, bool(before and before.held))


def _refuse_held(objects: Objects, lease: Lease, found: Found, copy: str) -> None:
    """Refuse where somebody else has it. One of this copy's own that is still held was left by a process that died:
    the lock of the folder, which the caller holds, would exclude it otherwise."""
    if lease.held and lease.copy != copy and objects.now() - found.modified < MAX_AGE:
        raise _busy(objects, lease.holder)


def _busy(objects: Objects, holder: str) -> BusyError:
    return BusyError(
        f"the lake at {objects.address} is being written by {holder}; try again later (if that process died, its lease "
        f"ends within {MAX_AGE.total_seconds():.0f} s)"
    )


def _renew(objects: Objects, held: HeldLease, ended: Event, every: float) -> None:
    while not ended.wait(every):
        with suppress(LakeError):  # a store that does not answer may do so next time
            try:
                _write(objects, held, replace(held.lease, nonce=uuid4().hex))
            except ObjectChangedError:
                held.lost = True
                return


def _release(objects: Objects, held: HeldLease) -> None:
    if not held.lost:
        with suppress(ObjectChangedError):
            _write(objects, held, replace(held.lease, held=False, nonce=uuid4().hex))


def _write(objects: Objects, held: HeldLease, lease: Lease) -> None:
    held.tag = objects.replace(LEASE, lease.dump(), held.tag)
    held.lease = lease


def _read(content: bytes) -> Lease:
    try:
        told = json.loads(content)
        return Lease(int(told["epoch"]), str(told["copy"]), str(told["holder"]), bool(told["held"]), str(told["nonce"]))
    except (ValueError, KeyError, TypeError):
        raise DamageError(
            f"{LEASE} in the store is damaged; remove the object once nobody writes to the lake"
        ) from None
