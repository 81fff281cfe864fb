"""The requests of the last days, read again only when the table has a new version."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from lake.store import Lake
from lake.tables.control import TASK_REQUESTS
from pipeline.control.daemon.clock import Clock
from pipeline.control.operator.requests import Request, read_requests

LOOKBACK = timedelta(days=3)
"""How far back requests are read: longer than one may wait and run."""


class Inbox:
    """The requests as of the last refresh."""

    def __init__(self, lake: Lake, clock: Clock) -> None:
        self._lake = lake
        self._clock = clock
        self._version = -1
        self._requests: Sequence[Request] = ()

    def __call__(self) -> Sequence[Request]:
        """The requests, oldest first."""
        return self._requests

    def refresh(self) -> None:
        """Read the requests if there are new ones."""
        version = self._lake.newest(TASK_REQUESTS)
        if version != self._version:
            self._requests = read_requests(self._lake, self._clock.now() - LOOKBACK)
            self._version = version
