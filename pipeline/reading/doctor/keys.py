"""Keys: whether each that the configuration needs is given, and to its owner alone; none is ever shown."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline.alerts.configured import list_channels
from pipeline.config.home import CREDENTIALS_VARIABLE
from pipeline.config.secrets import CREDENTIALS, SECRETS, secret
from pipeline.config.settings import Settings
from pipeline.control.daemon.service_environment import CREDENTIALS as OWN_CREDENTIALS
from pipeline.reading.doctor.finding import Finding

OPEN_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def find_needed(settings: Settings) -> dict[str, str]:
    """Secret -> why the configuration needs it."""
    alerts, model = settings.alerts, settings.ingestion.news.model
    needed: dict[str, str] = {}
    if model.name and not model.base_url:
        needed["OPENAI_API_KEY"] = f"the language model {model.name} scores news"
    if alerts.webhook.style == "telegram":
        needed["ALERTS_WEBHOOK_TOKEN"] = "alerts go to Telegram"
    if alerts.email.user:
        needed["ALERTS_SMTP_PASSWORD"] = f"alerts go by mail as {alerts.email.user}"
    return needed


def look_at_keys(settings: Settings | None, environ: Mapping[str, str], home: Path) -> Iterator[Finding]:
    """Where each key comes from, which is missing, and which file others can read.

    Args:
        settings: the configuration; None where it cannot be read, so that nobody knows what is needed.
        environ: variables.
        home: the user's home folder, below which a service's keys lie.
    """
    needed = find_needed(settings) if settings is not None else {}
    given = [name for name in SECRETS if secret(name, environ) is not None]
    missing = [name for name in needed if name not in given]
    for name in missing:
        words = f"{name} is not set, and {needed[name]}"
        fix = f"`export {name}=...`, or a file of that name in a folder that {CREDENTIALS_VARIABLE} names"
        yield Finding("keys", "fail", words, fix, {"secret": name})
    told = ", ".join(f"{name} ({_origin(name, environ)})" for name in given) or "none"
    if not missing:
        words = (
            f"Every key that the configuration needs is given ({told})"
            if needed
            else f"No key is needed; given: {told}"
        )
        yield Finding("keys", "ok", words, facts={"given": given, "needed": list(needed)})
    for file in _files(environ, home):
        if file.stat().st_mode & OPEN_TO_OTHERS:
            words = f"Others on this machine can read {file}, which holds a key"
            yield Finding("keys", "fail", words, f"`chmod 600 {file}`, and have the key renewed", {"file": str(file)})


def look_at_channels(settings: Settings, environ: Mapping[str, str]) -> Finding:
    """Whether anybody is told what changes."""
    names = [channel.name for channel in list_channels(settings.alerts, environ)]
    if not names:
        words = "No channel of alerts is set: who does not look is not told"
        return Finding("alerts", "ok", f"{words}; [alerts] in nextgen.toml has them", facts={"channels": []})
    words = f"Alerts go by {' and '.join(names)}; `nextgen alerts test` sends one"
    return Finding("alerts", "ok", words, facts={"channels": names})


def read_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """Name -> value of every secret that is given, to blot them out of what is told."""
    held = {name: secret(name, environ) for name in SECRETS}
    return {name: one.reveal() for name, one in held.items() if one is not None}


def _origin(name: str, environ: Mapping[str, str]) -> str:
    return "variable" if environ.get(name, "").strip() else "file"


def _files(environ: Mapping[str, str], home: Path) -> Iterator[Path]:
    """The files that hold a key: the operator's, and those of the service. A service manager's own are its business."""
    folders = {Path(environ[CREDENTIALS_VARIABLE])} if environ.get(CREDENTIALS_VARIABLE) else set()
    for folder in sorted(folders | {home / OWN_CREDENTIALS}):
        if str(folder) != environ.get(CREDENTIALS):
            yield from (file for name in SECRETS if (file := folder / name).is_file())
