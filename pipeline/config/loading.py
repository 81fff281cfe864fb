"""The configuration of a lake, as everything else receives it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.config.errors import ConfigError
from pipeline.config.fields import settings_of
from pipeline.config.home import config_file
from pipeline.config.layers import Given, from_text, nearest
from pipeline.config.resolving import Loaded, resolve
from pipeline.config.settings import Settings


def load(lake: Path | None, environ: Mapping[str, str], chosen: Mapping[str, Given] | None = None) -> Loaded[Settings]:
    """Resolve the configuration of a lake; later layers win: defaults, file, environment.

    Args:
        lake: folder of the lake, whose `nextgen.toml` is read; None to read none but NEXTGEN_CONFIG.
        environ: the environment variables.
        chosen: values given on the spot, by dotted key (see `choice`); they stand over the file's.

    Raises:
        ConfigError: for an unknown key, a value of the wrong type or out of range, or an unreadable file.
    """
    return resolve(Settings, config_file(lake, environ), environ, chosen)


def choice(key: str, text: str) -> Given:
    """A value for a dotted key, read from text as an environment variable's would be.

    Raises:
        ConfigError: if there is no such key, or the text does not fit it.
    """
    settings = settings_of(Settings)
    if key not in settings:
        raise ConfigError(f"there is no setting {key}{nearest(key, settings)}")
    return Given(from_text(settings[key], text, "the command line"), "the command line")
