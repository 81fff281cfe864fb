"""The units that keep the daemon running under systemd or launchd."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.sax.saxutils import escape

LABEL = "nextgen-daemon"
LAUNCHD_LABEL = "org.nextgen.daemon"
STOP_TIMEOUT = 7_200
"""Seconds that a stop waits for running work: as long as a cycle may take."""
WATCHDOG = 120
"""Seconds without an iteration of the main loop after which systemd restarts the daemon."""
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")


def format_systemd_unit(program: Path, lake: Path, metrics: int | None = None) -> str:
    """Write a systemd user unit: `Type=notify`, a watchdog, a stop that drains, a reload that reads the schedule.

    Raises:
        ValueError: if a path has control characters, which a unit file cannot contain.
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
            # 2: the schedule cannot be used, 3: there is another daemon. A restart would not help.
            "RestartPreventExitStatus=2 3",
            # The next daemon adopts the workers: stopping this one must not kill them.
            "KillMode=process",
            f"TimeoutStopSec={STOP_TIMEOUT}",
            "NoNewPrivileges=true",
            "",
            "[Install]",
            "WantedBy=default.target",
            "",
        )
    )


def format_launchd_unit(program: Path, lake: Path, metrics: int | None = None) -> str:
    """Write a launch agent that keeps the daemon running.

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


def choose_service_unit(
    program: Path, lake: Path, platform: str = sys.platform, metrics: int | None = None
) -> tuple[Path, str]:
    """Choose the platform's unit: its path below the home folder, where the service manager looks, and its text."""
    if platform == "darwin":
        return Path("Library/LaunchAgents") / f"{LAUNCHD_LABEL}.plist", format_launchd_unit(program, lake, metrics)
    return Path(".config/systemd/user") / f"{LABEL}.service", format_systemd_unit(program, lake, metrics)


def _quote(path: Path) -> str:
    """Quote a word of a systemd command and escape its special characters."""
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
        raise ValueError(f"{text!r} has control characters, which a unit file cannot contain; choose another path")
    return text
