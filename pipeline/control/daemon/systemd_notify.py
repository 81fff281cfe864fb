"""Reports the daemon's state to systemd (sd_notify): ready, alive, reloading, stopping. Does nothing elsewhere."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping


class SystemdNotifier:
    """The service manager's socket, if there is one."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        usec, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
        ours = not pid or pid == str(os.getpid())
        self.watchdog = int(usec) / 1e6 if usec.isdigit() and ours else None
        """Seconds within which the service manager expects a heartbeat; None if it expects none."""

    def report_ready(self, status: str) -> None:
        """The daemon serves."""
        self._send("READY=1", f"STATUS={status}")

    def report_alive(self, status: str) -> None:
        """An iteration of the main loop is done: this is what the watchdog waits for."""
        self._send("WATCHDOG=1", f"STATUS={status}")

    def report_reloading(self) -> None:
        """The schedule is being read again; `report_ready` follows."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1_000}")

    def report_stopping(self, status: str) -> None:
        """No more work is started."""
        self._send("STOPPING=1", f"STATUS={status}")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        # A leading @ means a name in Linux' abstract namespace.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            try:
                channel.sendto("\n".join(lines).encode(), address)
            except OSError:
                return  # the service manager is gone; the work goes on
