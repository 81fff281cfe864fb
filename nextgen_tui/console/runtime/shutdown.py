"""The end of the console: what still works for it is waited for, but not a disk that will never answer."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

PATIENCE = 3.0
"""Seconds for what was begun, such as a request that is being written."""
NAME = "console"


class ConsoleExecutor(ThreadPoolExecutor):
    """The threads that read and write for the console; once it ends they are waited for only so long."""

    def __init__(self) -> None:
        super().__init__(thread_name_prefix=NAME)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let them end."""
        super().shutdown(wait=False, cancel_futures=cancel_futures)
        end = monotonic() + (PATIENCE if wait else 0.0)
        for thread in _reader_threads():
            thread.join(max(end - monotonic(), 0.0))


def finish(code: int) -> int:
    """The exit code; but where a thread still waits for its disk, the process ends here: Python would wait with it."""
    if _reader_threads():
        sys.stdout.flush()
        os._exit(code)
    return code


def _reader_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(f"{NAME}_")]
