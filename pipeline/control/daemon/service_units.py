"""The units that keep the daemon running under systemd or launchd."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.sax.saxutils import escape

from pipeline.control.daemon.service_environment import ENVIRONMENT_FILE, ServiceEnvironment

LABEL = "nextgen-daemon"
LAUNCHD_LABEL = "org.nextgen.daemon"
STOP_TIMEOUT = 7_200
"""Seconds that a stop waits for running work: as long as a cycle may take."""
WATCHDOG = 120
"""Seconds without an iteration of the main loop after which systemd restarts the daemon."""
LINGER = Path("/var/lib/systemd/linger")
"""Holds a file for each user whose services go on without a login."""
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")


CONFINED = (
    "NoNewPrivileges=true",
    "LockPersonality=true",
    "RestrictRealtime=true",
    "RestrictNamespaces=true",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM",
    "KeyringMode=private",
    "UMask=0077",
)
"""What the daemon and its workers need not be able to do."""
FENCED = (
    "PrivateUsers=true",
    "PrivateMounts=true",
    "CapabilityBoundingSet=",
    "ProtectSystem=strict",
    "ProtectHome=read-only",
    "ProtectControlGroups=true",
    "ProtectHostname=true",
    "ProtectKernelLogs=true",
    "ProtectKernelModules=true",
    "ProtectKernelTunables=true",
)
"""The files they see: read only, but for the lake and the caches. A user's service manager needs `PrivateUsers` for it,
and a system that lets users have namespaces."""


def format_systemd_unit(
    program: Path,
    lake: Path,
    metrics: int | None = None,
    environment: ServiceEnvironment | None = None,
    *,
    fenced: bool = True,
) -> str:
    """Write a systemd user unit: `Type=notify`, a watchdog, a stop that drains, a reload that reads the schedule.

    It waits for no network: a user's service manager knows no such target, and what cannot be reached is tried again.

    Args:
        program: the daemon's executable.
        lake: the lake's folder, the only one that it may write, with that of the caches.
        metrics: the port for Prometheus; None for none.
        environment: what it takes along of the environment.
        fenced: whether the system lets users have namespaces, without which most files cannot be made read only.

    Raises:
        ValueError: if a path or value has control characters, which a unit file cannot contain.
    """
    command = f"{_quote(program)} --lake {_quote(lake)} --quiet" + (f" --metrics {metrics}" if metrics else "")
    return "\n".join(
        (
            "[Unit]",
            "Description=nextgen: trading research, run when it is due",
            "",
            "[Service]",
            "Type=notify",
            f"ExecStart={command}",
            *_environment_lines(environment),
            "ExecReload=/bin/kill -HUP $MAINPID",
            f"WatchdogSec={WATCHDOG}",
            "Restart=on-failure",
            "RestartSec=10",
            # 2: the schedule cannot be used, 3: there is another daemon. A restart would not help.
            "RestartPreventExitStatus=2 3",
            # The next daemon adopts the workers: stopping this one must not kill them.
            "KillMode=process",
            f"TimeoutStopSec={STOP_TIMEOUT}",
            *CONFINED,
            *((*FENCED, *_writable_lines(lake, environment)) if fenced else ()),
            "",
            "[Install]",
            "WantedBy=default.target",
            "",
        )
    )


def _environment_lines(environment: ServiceEnvironment | None) -> list[str]:
    if environment is None:
        return []
    lines = [f"Environment={_quote(f'{name}={value}', command=False)}" for name, value in environment.variables.items()]
    # Last, so that a key that is in the file counts; the dash lets it be absent.
    return [*lines, f"EnvironmentFile=-%h/{ENVIRONMENT_FILE}"]


def _writable_lines(lake: Path, environment: ServiceEnvironment | None) -> list[str]:
    folders = [lake, *([environment.state] if environment else [])]
    # What lies below /tmp would be out of sight of a service with a /tmp of its own.
    shared = any(folder.is_relative_to(tmp) for folder in folders for tmp in ("/tmp", "/var/tmp"))
    own_tmp = [] if shared else ["PrivateTmp=true"]
    return own_tmp + [f"ReadWritePaths={_quote(f'-{folder}', command=False)}" for folder in folders]


def format_launchd_unit(
    program: Path, lake: Path, metrics: int | None = None, environment: ServiceEnvironment | None = None
) -> str:
    """Write a launch agent that keeps the daemon running.

    Raises:
        ValueError: if a path has control characters.
    """
    arguments = [str(program), "--lake", str(lake), "--quiet", *(["--metrics", str(metrics)] if metrics else [])]
    for one in arguments:
        _refuse_control_characters(one)
    variables = environment.variables if environment else {}
    set_to = "\n".join(
        f"        <key>{escape(name)}</key>\n        <string>{escape(_refuse_control_characters(value))}</string>"
        for name, value in variables.items()
    )
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
    <key>EnvironmentVariables</key>
    <dict>
{set_to}
    </dict>
    <key>Umask</key>
    <integer>{0o077}</integer>
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
    program: Path,
    lake: Path,
    platform: str = sys.platform,
    metrics: int | None = None,
    environment: ServiceEnvironment | None = None,
    *,
    fenced: bool = True,
) -> tuple[Path, str]:
    """Choose the platform's unit: its path below the home folder, where the service manager looks, and its text."""
    if platform == "darwin":
        text = format_launchd_unit(program, lake, metrics, environment)
        return Path("Library/LaunchAgents") / f"{LAUNCHD_LABEL}.plist", text
    text = format_systemd_unit(program, lake, metrics, environment, fenced=fenced)
    return Path(".config/systemd/user") / f"{LABEL}.service", text


def users_have_namespaces() -> bool:
    """Whether this system lets users have namespaces of their own, as tried now."""
    try:
        return subprocess.run(["unshare", "--user", "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def ends_at_logout(user: str) -> bool:
    """Whether systemd ends the user's services once the last login of the user has ended."""
    return not (LINGER / user).exists()


def _quote(word: object, *, command: bool = True) -> str:
    """Quote a word of a systemd unit and escape its special characters; in a command, those of variables too."""
    text = _refuse_control_characters(str(word)).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text.replace("$", "$$") if command else text}"'


def _refuse_control_characters(text: str) -> str:
    if CONTROL_CHARACTERS.search(text):
        raise ValueError(f"{text!r} has control characters, which a unit file cannot contain; choose another path")
    return text
