"""What a service takes along of the environment it is installed from: settings, never keys."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.config.home import (
    CONFIG_VARIABLE,
    CREDENTIALS_VARIABLE,
    LAKE_VARIABLE,
    PREFIX,
    PROXY_VARIABLE,
    STATE_VARIABLE,
    state_home,
)
from pipeline.config.secrets import SECRETS

FOLDER = Path(".config/nextgen")
"""Below the home folder: where keys are given to the service, in one of two ways."""
ENVIRONMENT_FILE = FOLDER / "daemon.env"
"""Lines NAME=value, which systemd reads as it starts the service."""
CREDENTIALS = FOLDER / "credentials"
"""A file for each key, of its name: read by the daemon itself, under launchd too."""


@dataclass(frozen=True)
class ServiceEnvironment:
    """What a unit says of the environment."""

    variables: dict[str, str]
    """Name -> value of what is written into the unit."""
    state: Path
    """The folder of caches, which has to be writable."""
    missing: tuple[str, ...]
    """Variables set here that hold a key, and that the service would not have."""

    def say_how(self, home: Path, *, systemd: bool) -> str:
        """How to give what is missing, a line each; empty where nothing is."""
        return "\n".join(
            f"{name} is set here, and is not written into a unit, which others may read; {_way(name, home, systemd)}"
            for name in self.missing
        )


def _way(name: str, home: Path, systemd: bool) -> str:
    ways = [f"as a file of that name in {home / CREDENTIALS}"] if name in SECRETS else []
    ways += [f"as a line {name}=... in {home / ENVIRONMENT_FILE}"] if systemd else []
    if systemd and name in SECRETS:
        ways += [f"with LoadCredential={name}:/path/of/the/file by `systemctl --user edit nextgen-daemon`"]
    if not ways:
        return "launchd has no better place for it, so unset it, and use a proxy that asks for no password"
    return f"give it to the service {', or '.join(ways)}, readable by you alone (chmod 600), or unset it"


def take_environment(environ: Mapping[str, str], home: Path, *, systemd: bool) -> ServiceEnvironment:
    """Choose what the service takes along.

    Raises:
        ValueError: if NEXTGEN_CONFIG names no file, or a value has control characters.
        ConfigError: if there is no home folder.
    """
    keys = {name for name in SECRETS if environ.get(name, "").strip()}
    if "@" in urlsplit(environ.get(PROXY_VARIABLE, "")).netloc:
        keys.add(PROXY_VARIABLE)  # a user name and a password
    taken = {name: value for name, value in environ.items() if name.startswith(PREFIX) and name not in keys}
    taken.pop(LAKE_VARIABLE, None)  # it is on the command line
    if named := taken.get(CONFIG_VARIABLE):
        path = Path(named).expanduser().absolute()
        if not path.is_file():
            raise ValueError(f"{CONFIG_VARIABLE} names {path}, which is not a file; correct or unset it")
        taken[CONFIG_VARIABLE] = str(path)
    state = state_home(environ).absolute()
    taken[STATE_VARIABLE] = str(state)
    taken[CREDENTIALS_VARIABLE] = str(home / CREDENTIALS)
    given = {path.name for path in (home / CREDENTIALS).glob("*")} & set(SECRETS)
    given |= _names_in(home / ENVIRONMENT_FILE) if systemd else set()
    return ServiceEnvironment(dict(sorted(taken.items())), state, tuple(sorted(keys - given)))


def _names_in(file: Path) -> set[str]:
    """The variables that a file of the form systemd reads gives a value."""
    if not os.access(file, os.R_OK):
        return set()
    return set(re.findall(r"^\s*(\w+)=[^\s]", file.read_text(encoding="utf-8", errors="replace"), re.MULTILINE))
