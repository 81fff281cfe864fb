"""Suggests a request to the daemon to who is refused because another process writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lake.errors import BusyError

if TYPE_CHECKING:
    from nextgen_tui.cli.invocation import Invocation


@contextmanager
def suggest_request(invocation: Invocation, request: str) -> Iterator[None]:
    """Where a daemon serves the lake, add to a refusal how to have the daemon do it when its turn comes.

    Raises:
        BusyError: naming who holds the lock, and the request that waits for it.
    """
    try:
        yield
    except BusyError as error:
        from pipeline.reading.daemon import read_daemon

        if not read_daemon(invocation.lake_path).present:
            raise
        turn = f"`nextgen request {request} --wait` queues it for the daemon"
        raise BusyError(f"{str(error).removesuffix('; try again later')}; {turn}") from error
