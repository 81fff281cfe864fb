"""The one authoritative configuration: defaults, file, environment; everything else receives values."""


class ConfigError(Exception):
    """A setting cannot be used; the text names the file or variable, what is wrong, and the fix."""
