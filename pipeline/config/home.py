"""Where the lake and its configuration file lie, and which environment variables are ours."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from lake.remote.address import HOME_VARIABLE, MAX_BYTES_VARIABLE, is_address, resolve
from pipeline.config import ConfigError

PREFIX = "NEXTGEN_"
LAKE_VARIABLE = "NEXTGEN_LAKE"
CONFIG_VARIABLE = "NEXTGEN_CONFIG"
STATE_VARIABLE = "NEXTGEN_STATE"
PROXY_VARIABLE = "NEXTGEN_PROXY"
CREDENTIALS_VARIABLE = "NEXTGEN_CREDENTIALS"
FILE_NAME = "nextgen.toml"
"""The configuration file inside a lake's folder."""

NOT_SETTINGS: dict[str, str] = {
    LAKE_VARIABLE: "folder of the lake, or its address in an object store (s3://bucket/lake)",
    CONFIG_VARIABLE: "configuration file to read instead of the lake's own",
    STATE_VARIABLE: "cache folder: answers of feeds and models, budgets spent; may be deleted",
    HOME_VARIABLE: "folder of the working copies of lakes in object stores; may be deleted",
    MAX_BYTES_VARIABLE: "gigabytes of data files that a working copy keeps (default 50)",
    CREDENTIALS_VARIABLE: "folder with a file for each key, of the name of its variable",
    PROXY_VARIABLE: "proxy for all that leaves this machine; HTTPS_PROXY and the like do not count",
    "NEXTGEN_DATA": "folder of real market data that some tests read",
}
"""Variables of ours that set no field, with their meaning."""
NOT_SETTINGS_PREFIXES: tuple[str, ...] = ("NEXTGEN_YAHOO_",)
"""Variables that tune a connection, not a result; the source that uses them documents them."""


def lake_home(environ: Mapping[str, str], platform: str = sys.platform) -> Path:
    """The folder of the lake: NEXTGEN_LAKE, or the place for a user's data on this platform.

    Of a lake in an object store it is the working copy on this machine.

    Raises:
        ConfigError: if there is no variable and no home folder to fall back on.
        NotALakeError: if the variable names an address that cannot be used.
    """
    if is_address(named := environ.get(LAKE_VARIABLE, "")):
        return resolve(named, environ)
    if named:
        return _expand(named, environ)
    return _user_data(environ, platform) / "nextgen" / "lake"


def state_home(environ: Mapping[str, str]) -> Path:
    """The folder for what may be lost at the price of asking again: NEXTGEN_STATE, or the XDG place for state."""
    if named := environ.get(STATE_VARIABLE):
        return _expand(named, environ)
    named = environ.get("XDG_STATE_HOME", "")
    root = Path(named) if named and Path(named).is_absolute() else _user_home(environ) / ".local" / "state"
    return root / "nextgen"


def config_file(lake: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The configuration file that applies, or None if there is none.

    Raises:
        ConfigError: if NEXTGEN_CONFIG names a file that does not exist.
    """
    if named := environ.get(CONFIG_VARIABLE):
        path = _expand(named, environ)
        if not path.is_file():
            raise ConfigError(f"{CONFIG_VARIABLE} names {path}, which is not a file; correct or unset it")
        return path
    if lake is None:
        return None
    path = lake / FILE_NAME
    return path if path.is_file() else None


def _user_data(environ: Mapping[str, str], platform: str) -> Path:
    if platform == "darwin":
        return _user_home(environ) / "Library" / "Application Support"
    named = environ.get("XDG_DATA_HOME", "")
    # The XDG specification tells programs to ignore a relative path here.
    if named and Path(named).is_absolute():
        return Path(named)
    return _user_home(environ) / ".local" / "share"


def _user_home(environ: Mapping[str, str]) -> Path:
    if home := environ.get("HOME"):
        return Path(home)
    try:
        return Path.home()
    except RuntimeError as error:
        raise ConfigError(f"there is no home folder to keep a lake in; set {LAKE_VARIABLE}") from error


def _expand(named: str, environ: Mapping[str, str]) -> Path:
    if named == "~" or named.startswith("~/"):
        return _user_home(environ) / named[2:]
    return Path(named)
