"""The writer lease: a lake has one writer at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lake.errors import BusyError
from lake.storage.disk import in_words
from lake.storage.lock import held, left_behind, note_of

LOCK = ".writer.lock"
NOTE = note_of(Path(LOCK)).name


@contextmanager
def writer_lease(lake: Path, purpose: str) -> Iterator[bool]:
    """Hold the lake's writer lease for the block.

    Yields:
        Whether the last holder gave it back; False after a crash, when its note is still there.

    Raises:
        BusyError: at once, naming the holder, if another process has it.
        StorageError: if the folder cannot be written.
    """
    with ExitStack() as stack:
        try:
            tidy = stack.enter_context(held(lake / LOCK, purpose))
        except BusyError as holder:
            raise BusyError(f"the lake at {lake} is being written by {holder}; try again later") from None
        except OSError as error:
            raise in_words(error, f"the lake at {lake} cannot be written") from error
        yield tidy


def left_untidy(lake: Path) -> bool:
    """Whether the last writer ended without giving the lease back, and nobody has written since."""
    return left_behind(lake / LOCK)
