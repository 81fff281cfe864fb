"""Whether a lake's folder is the lake or a working copy, and who may write it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lake.errors import LakeError
from lake.remote.address import attached_to
from lake.remote.exchange import Exchange, NoStore
from lake.storage.lock import writer_lock


def exchange_of(folder: Path) -> Exchange:
    """What a lake's folder exchanges, and with whom.

    Raises:
        DamageError: if the file that says so is damaged.
    """
    if (address := attached_to(folder)) is None:
        return NoStore()
    from lake.remote.working_copy import WorkingCopy  # whoever has none starts without all that it needs

    return WorkingCopy(folder, address)


@contextmanager
def hold_for_writing(folder: Path, exchange: Exchange, purpose: str) -> Iterator[bool]:
    """Hold the lock of a lake's folder and the lease of the store for the block.

    Who is refused the lease has written nothing, and leaves the lock as he found it.

    Yields:
        Whether the last holder released the lock; see `writer_lock`.

    Raises:
        BusyError: at once, naming the holder, if another process or machine writes.
        StorageError: if the folder cannot be written, or the store does not answer.
    """
    refused: LakeError | None = None
    with writer_lock(folder, purpose) as released, ExitStack() as lease:
        try:
            lease.enter_context(exchange.lease(purpose))
        except LakeError as error:
            if not released:
                raise
            refused = error
        else:
            yield released
    if refused is not None:
        raise refused
