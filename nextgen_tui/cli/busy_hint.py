"""Another process is writing: what the operator can do about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lake.errors import BusyError

if TYPE_CHECKING:
    from nextgen_tui.cli.invocation import Invocation


@contextmanager
def or_ask(invocation: Invocation, request: str) -> Iterator[None]:
    """Where a daemon serves the lake, tell who is refused how to have the daemon do it in its turn.

    Raises:
        BusyError: naming who holds the lease, and the request that waits for it.
    """
    try:
        yield
    except BusyError as error:
        from pipeline.control.daemon.daemon_lock import daemon_is_running

        if not daemon_is_running(invocation.lake_path / "control"):
            raise
        turn = f"`nextgen request {request} --wait` has the daemon do it in its turn"
        raise BusyError(f"{str(error).removesuffix('; try again later')}; {turn}") from error
