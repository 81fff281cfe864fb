"""The configuration of a lake, as everything else receives it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.config import ConfigError
from pipeline.config.check_values import Given, from_text, nearest
from pipeline.config.fields import settings_of
from pipeline.config.home import config_file
from pipeline.config.layers import names_of
from pipeline.config.resolving import Loaded, resolve
from pipeline.config.settings import Settings


def load(lake: Path | None, environ: Mapping[str, str], chosen: Mapping[str, Given] | None = None) -> Loaded[Settings]:
    """Resolve the configuration of a lake; later layers win: defaults, file, environment.

    Args:
        lake: folder of the lake, whose `nextgen.toml` is read; None to read none but NEXTGEN_CONFIG.
        environ: the environment variables.
        chosen: values given on the spot, by dotted key (see `choice`); they stand over the file's.

    Raises:
        ConfigError: for an unreadable file, unknown keys, values of the wrong type or out of range, or settings that
            contradict each other; all of them at once.
    """
    return resolve(Settings, config_file(lake, environ), environ, chosen)


def require_plugins(settings: Settings, lake: Path) -> None:
    """Make sure that every plugin file exists. Not part of `load`: a missing one stops only what needs it.

    Raises:
        ConfigError: a line for each that does not.
    """
    missing = [path for path in settings.plugins.paths(lake) if not path.is_file()]
    if missing:
        raise ConfigError(
            "\n".join(f"plugins.files: there is no file {path}; correct the path or take it out" for path in missing)
        )


def current_key(key: str) -> str:
    """The key of the setting that has or had this key; the key itself where there is no such setting."""
    setting = names_of(settings_of(Settings)).get(key)
    return setting.key if setting else key


def choice(key: str, text: str) -> Given:
    """A value for a dotted key, be it an earlier one, read from text as an environment variable's would be.

    Raises:
        ConfigError: if there is no such key, or the text does not fit it.
    """
    settings = settings_of(Settings)
    setting = names_of(settings).get(key)
    if setting is None:
        raise ConfigError(f"there is no setting {key}{nearest(key, settings)}")
    value = from_text(setting, text, "the command line")
    return Given(value, "the command line", key if key != setting.key else "")
