"""The one error of configuration."""


class ConfigError(Exception):
    """A setting cannot be used; the text names the file or variable, what is wrong, and the fix."""
