"""Keys to services: read from the environment or a credential file by name, shown to nobody, written nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.config.home import CREDENTIALS_VARIABLE

SECRETS: dict[str, str] = {
    "OPENAI_API_KEY": "key of the language model's server",
    "ALERTS_WEBHOOK_URL": "address that alerts are posted to, where the address is itself a secret",
    "ALERTS_WEBHOOK_TOKEN": "token that goes with alerts to their web address",
    "ALERTS_SMTP_PASSWORD": "password of the mail server that takes alerts",
}
"""The variables that may hold a secret, with their meaning; no other is read as one."""
BLOT = "[secret]"
CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""Where a service manager (systemd's LoadCredential) lays secrets down, each in a file of its name."""
MAX_BYTES = 10_000


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
    """The secret that a variable holds, or else the credential file of that name; None where both are unset or blank.

    Raises:
        KeyError: for a name that is not on the list.
        OSError: if the file is there and cannot be read.
    """
    if name not in SECRETS:
        raise KeyError(f"{name} is not on the list of secrets: {', '.join(SECRETS)}")
    value = environ.get(name, "").strip() or _read_credential(name, environ)
    return Secret(name, value) if value else None


def _read_credential(name: str, environ: Mapping[str, str]) -> str:
    """What the service manager's file of that name holds, or the operator's own; empty where there is neither."""
    folders = filter(None, (environ.get(CREDENTIALS), environ.get(CREDENTIALS_VARIABLE)))
    file = next((file for folder in folders if (file := Path(folder) / name).is_file()), None)
    if file is None:
        return ""
    with file.open(encoding="utf-8", errors="replace") as opened:
        return opened.read(MAX_BYTES).strip()
