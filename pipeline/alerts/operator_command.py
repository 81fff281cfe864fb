"""Alerts by a program of the operator's own, which reads them as JSON and ends with 0 when it has told him."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from pipeline.alerts.channel import Begin, DeliveryError, blot_all, note_nothing
from pipeline.alerts.message import Message
from pipeline.config.secrets import SECRETS

MAX_SAID = 300
"""Characters of what a program said that are recorded."""


@dataclass(frozen=True)
class CommandChannel:
    """A program, started without a shell and without the secrets of this one."""

    command: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    name = "command"

    def send(self, message: Message, seconds: float, begin: Begin = note_nothing) -> None:
        """Run the program with the message; at the deadline it ends with all that it started."""
        environ = {name: value for name, value in self.environ.items() if name not in SECRETS}
        begin()
        try:
            child = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=environ,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise DeliveryError(f"{self.command[0]} cannot be started: {error}") from None
        try:
            _, said = child.communicate(json.dumps(message.record()).encode(), timeout=seconds)
        except subprocess.TimeoutExpired:
            _end(child)
            words = f"{self.command[0]} has not ended after {seconds:g} seconds, and was ended"
            raise DeliveryError(words, maybe_arrived=True) from None
        if child.returncode:
            words = blot_all(said.decode("utf-8", "replace").strip()[-MAX_SAID:], dict(self._secrets()))
            raise DeliveryError(f"{self.command[0]} ended with {child.returncode}: {words}")

    def _secrets(self) -> Mapping[str, str]:
        return {name: self.environ.get(name, "") for name in SECRETS}


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the program's whole group, and do not wait for what it left behind."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    for stream in (child.stdin, child.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.close()
    child.wait()
