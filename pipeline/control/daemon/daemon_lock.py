"""The lock that lets only one daemon serve a lake."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lake.errors import BusyError
from lake.storage.lock import find_holder, hold_lock

LOCK = "daemon.lock"


@contextmanager
def hold_daemon_lock(control: Path) -> Iterator[None]:
    """Be the only daemon of the lake for the block.

    Raises:
        BusyError: at once, naming the other daemon, if there is one.
    """
    control.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(hold_lock(control / LOCK, "nextgen-daemon"))
        except BusyError as other:
            raise _make_refusal(str(other)) from None
        yield


def refuse_second_daemon(control: Path) -> None:
    """Refuse early, before a second daemon loads its libraries.

    Raises:
        BusyError: naming the other daemon.
    """
    if other := find_holder(control / LOCK):
        raise _make_refusal(other)


def daemon_is_running(control: Path) -> bool:
    """Whether a daemon serves the lake now."""
    return bool(find_holder(control / LOCK))


def _make_refusal(other: str) -> BusyError:
    return BusyError(f"this lake already has a daemon: {other}; stop it first")
