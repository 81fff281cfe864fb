"""Keys to services: read from the environment by name, shown to nobody, written nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SECRETS: dict[str, str] = {
    "OPENAI_API_KEY": "key of the language model's server",
}
"""The variables that may hold a secret, with their meaning; no other is read as one."""
BLOT = "[secret]"


@dataclass(frozen=True)
class Secret:
    """A secret that names itself where it is shown, and can blot itself out of a text."""

    name: str
    _value: str = field(repr=False)

    def reveal(self) -> str:
        """The value, for the one call that needs it."""
        return self._value

    def blot(self, text: str) -> str:
        """The text with the secret's value replaced."""
        return text.replace(self._value, BLOT)


def secret(name: str, environ: Mapping[str, str]) -> Secret | None:
    """The secret that a variable holds; None where it is unset or blank.

    Raises:
        KeyError: for a name that is not on the list.
    """
    if name not in SECRETS:
        raise KeyError(f"{name} is not on the list of secrets: {', '.join(SECRETS)}")
    value = environ.get(name, "").strip()
    return Secret(name, value) if value else None
