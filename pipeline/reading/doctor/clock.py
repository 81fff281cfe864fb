"""The clock: whether it is set from the network, and whether the time zones are known."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline.reading.doctor.finding import Finding

SECONDS = 5.0
"""For the system's own program to say whether its clock is set from the network."""
A_ZONE = "America/New_York"


def look_at_clocks(now: datetime) -> Iterator[Finding]:
    """The time, and what the system says of its clock and its time zones.

    Args:
        now: the system's time.
    """
    here = now.astimezone()
    words = f"It is {now.astimezone(UTC):%Y-%m-%d %H:%M} UTC, {here:%H:%M} by this machine's own zone ({here.tzname()})"
    yield Finding("clock", "ok", words, facts={"now": now})
    try:
        ZoneInfo(A_ZONE)
    except ZoneInfoNotFoundError:
        words = "The time zones of exchanges are not known here"
        yield Finding("clock", "fail", words, "`pip install tzdata`, or the system's package tzdata")
    yield from judge_synchronisation(_ask_system())


def judge_synchronisation(answer: str) -> Iterator[Finding]:
    """Whether the clock is set from the network.

    Args:
        answer: yes or no, as systemd writes it; anything else tells nothing.
    """
    if answer == "no":
        words = "The system says that its clock is not set from the network; decisions and closes go by it"
        yield Finding("clock", "warn", words, "`timedatectl set-ntp true`")
    elif answer == "yes":
        yield Finding("clock", "ok", "The system sets its clock from the network")


def _ask_system() -> str:
    if shutil.which("timedatectl") is None:
        return ""
    command = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""
