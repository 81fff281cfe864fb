"""One daemon per lake."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lake.errors import BusyError
from lake.storage.lock import find_holder, hold_lock

LOCK = "daemon.lock"


@contextmanager
def hold_daemon_lock(control: Path) -> Iterator[None]:
    """Be the lake's daemon for the block.

    Raises:
        BusyError: at once, naming the other, if there is one.
    """
    control.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(hold_lock(control / LOCK, "nextgen-daemon"))
        except BusyError as other:
            raise _make_refusal(str(other)) from None
        yield


def refuse_second_daemon(control: Path) -> None:
    """Spare a program that is to be the daemon its start, where there is one already.

    Raises:
        BusyError: naming the other.
    """
    if other := find_holder(control / LOCK):
        raise _make_refusal(other)


def daemon_is_running(control: Path) -> bool:
    """Whether a daemon serves now."""
    return bool(find_holder(control / LOCK))


def _make_refusal(other: str) -> BusyError:
    return BusyError(f"this lake has a daemon already: {other}; stop it first")
