"""The units that keep the daemon running: systemd's and launchd's."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.sax.saxutils import escape

LABEL = "nextgen-daemon"
LAUNCHD_LABEL = "org.nextgen.daemon"
STOP_TIMEOUT = 7_200
"""Seconds that a stop waits for what runs: as long as a cycle may take."""
WATCHDOG = 120
"""Seconds without a turn of the main loop after which systemd starts the daemon anew."""
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")


def systemd_unit(program: Path, lake: Path, metrics: int | None = None) -> str:
    """A user unit: `Type=notify` with a watchdog; stopping lets what runs finish, reloading reads the schedule again.

    Raises:
        ValueError: if a path has control characters, which no unit can hold.
    """
    command = f"{_quote(program)} --lake {_quote(lake)} --quiet" + (f" --metrics {metrics}" if metrics else "")
    return "\n".join(
        (
            "[Unit]",
            "Description=nextgen: trading research, run when it is due",
            "After=network-online.target",
            "Wants=network-online.target",
            "",
            "[Service]",
            "Type=notify",
            f"ExecStart={command}",
            "ExecReload=/bin/kill -HUP $MAINPID",
            f"WatchdogSec={WATCHDOG}",
            "Restart=on-failure",
            "RestartSec=10",
            # 2 and 3 are a schedule that cannot be used and another daemon: starting again would not help.
            "RestartPreventExitStatus=2 3",
            # Workers are taken over by the next daemon: stopping this one must not take them along.
            "KillMode=process",
            f"TimeoutStopSec={STOP_TIMEOUT}",
            "NoNewPrivileges=true",
            "",
            "[Install]",
            "WantedBy=default.target",
            "",
        )
    )


def launchd_unit(program: Path, lake: Path, metrics: int | None = None) -> str:
    """A launch agent that keeps the daemon running.

    Raises:
        ValueError: if a path has control characters.
    """
    arguments = [str(program), "--lake", str(lake), "--quiet", *(["--metrics", str(metrics)] if metrics else [])]
    for one in arguments:
        _refuse_control_characters(one)
    listed = "\n".join(f"        <string>{escape(one)}</string>" for one in arguments)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
    <key>Label</key>
    <string>{LAUNCHD_LABEL}</string>
    <key>ProgramArguments</key>
    <array>
{listed}
    </array>
    <key>RunAtLoad</key>
    <true/>
    <key>KeepAlive</key>
    <dict>
        <key>SuccessfulExit</key>
        <false/>
    </dict>
    <key>AbandonProcessGroup</key>
    <true/>
    <key>ExitTimeOut</key>
    <integer>{STOP_TIMEOUT}</integer>
    <key>ProcessType</key>
    <string>Background</string>
</dict>
</plist>
"""


def service_unit(
    program: Path, lake: Path, platform: str = sys.platform, metrics: int | None = None
) -> tuple[Path, str]:
    """Where the platform's service manager looks for the unit, below the home folder, and the unit."""
    if platform == "darwin":
        return Path("Library/LaunchAgents") / f"{LAUNCHD_LABEL}.plist", launchd_unit(program, lake, metrics)
    return Path(".config/systemd/user") / f"{LABEL}.service", systemd_unit(program, lake, metrics)


def _quote(path: Path) -> str:
    """A word of a systemd command: quoted, with its own escapes, specifiers and variables made plain."""
    text = (
        _refuse_control_characters(str(path))
        .replace("\\", "\\\\")
        .replace('"', '\\"')
        .replace("%", "%%")
        .replace("$", "$$")
    )
    return f'"{text}"'


def _refuse_control_characters(text: str) -> str:
    if CONTROL_CHARACTERS.search(text):
        raise ValueError(f"{text!r} has control characters, which a unit cannot hold; choose another path")
    return text
