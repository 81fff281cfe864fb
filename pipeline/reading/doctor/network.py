"""Other machines: which ones the configuration has asked for, and, only where that is wanted, whether they answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from pipeline.config.home import PROXY_VARIABLE
from pipeline.config.settings import Settings
from pipeline.network.addresses import Origin, origin_of, plain_host
from pipeline.network.connect import trusted_authorities, try_connection
from pipeline.network.errors import NetworkError
from pipeline.network.exchange import HttpRequest, exchange
from pipeline.reading.doctor.finding import Finding
from pipeline.text_format import rough_duration

SECONDS = 10.0
"""For one machine to answer."""
MAX_BYTES = 2_000_000
LARGEST_DRIFT = timedelta(minutes=1)
"""Between this machine's clock and another's from which on moments of decision are wrong."""
OTHER_PROXIES = re.compile(r"(?i)(https?|all)_proxy")
"""Variables that other programs take a proxy from."""
YAHOO, OPENAI = "https://query1.finance.yahoo.com", "https://api.openai.com/v1"


@dataclass(frozen=True)
class AskedMachine:
    """A machine that the program will speak to."""

    purpose: str
    origin: Origin
    url: str = ""
    """Where it can be asked for anything; empty where it speaks no HTTP, or its address is a secret."""


def list_machines(settings: Settings, environ: Mapping[str, str]) -> list[AskedMachine]:
    """The machines that the configuration makes the program speak to; none for the simulated market alone."""
    found: list[AskedMachine] = []
    if "yahoo" in (settings.source.name, settings.source.cross_check):
        found.append(_machine("prices", environ.get("NEXTGEN_YAHOO_URL", "") or YAHOO))
    found += [_machine(f"news of {feed.name}", feed.url) for feed in settings.source.rss.feeds]
    if settings.ingestion.news.model.name:
        found.append(_machine("scores of news", settings.ingestion.news.model.base_url or OPENAI))
    alerts = settings.alerts
    if alerts.webhook.url:
        found.append(_machine("alerts", alerts.webhook.url))
    if alerts.email.host:
        found.append(AskedMachine("alerts by mail", (plain_host(alerts.email.host), alerts.email.port)))
    return found


def look_at_network(machines: list[AskedMachine], environ: Mapping[str, str]) -> Iterator[Finding]:
    """What can be told of the network without asking anybody."""
    names = [f"{one.origin[0]} ({one.purpose})" for one in machines]
    words = (
        f"The configuration speaks to {', '.join(names)}" if names else "The configuration speaks to no other machine"
    )
    asks = "; `nextgen doctor --online` asks each of them" if names else ""
    yield Finding("network", "ok", f"{words}{asks}", facts={"machines": [one.origin[0] for one in machines]})
    others = sorted(name for name in environ if OTHER_PROXIES.fullmatch(name) and environ[name].strip())
    if environ.get(PROXY_VARIABLE, "").strip():
        host = urlsplit(environ[PROXY_VARIABLE]).hostname or "no host"
        yield Finding("network", "ok", f"All that leaves this machine goes by the proxy {host}")
    elif others and machines:
        words = f"{others[0]} is set and does not count here, so other machines are spoken to directly"
        yield Finding("network", "warn", words, f"`export {PROXY_VARIABLE}=...` where a proxy is needed, or unset it")
    if machines and not trusted_authorities().cert_store_stats()["x509_ca"]:
        words = "This machine trusts no authority to vouch for others, so no https address can be spoken to"
        yield Finding("network", "fail", words, "install its list, on Debian and Ubuntu the package ca-certificates")


def ask_machines(machines: list[AskedMachine], seconds: float = SECONDS) -> Iterator[Finding]:
    """Ask each machine for anything, and compare clocks with those that say what time it is."""
    for one in machines:
        try:
            said = _ask(one, seconds)
        except NetworkError as error:
            words = f"{one.origin[0]} ({one.purpose}) does not answer: {error}"
            fix = f"look at the connection, the name and the proxy ({PROXY_VARIABLE})"
            yield Finding("network", "fail", words, fix, {"machine": one.origin[0]})
        else:
            yield Finding("network", "ok", f"{one.origin[0]} ({one.purpose}) answers", facts={"machine": one.origin[0]})
            if said is not None:
                yield judge_drift(one.origin[0], said, datetime.now(UTC))


def judge_drift(machine: str, said: datetime, now: datetime) -> Finding:
    """Whether this machine's clock is that of another.

    Args:
        machine: the other.
        said: the time it says it is, to the second.
        now: the time here when its answer came.
    """
    drift = now - said
    if abs(drift) > LARGEST_DRIFT:
        words = (
            f"This machine's clock is {rough_duration(abs(drift))} {'ahead of' if drift > timedelta() else 'behind'}"
        )
        fix = "let it be set from the network: `timedatectl set-ntp true`"
        return Finding("clock", "fail", f"{words} that of {machine}", fix, {"drift_seconds": drift.total_seconds()})
    words = f"This machine's clock agrees with that of {machine}"
    return Finding("clock", "ok", words, facts={"drift_seconds": drift.total_seconds()})


def _machine(purpose: str, url: str) -> AskedMachine:
    parts = urlsplit(url)
    return AskedMachine(purpose, origin_of(url), f"{parts.scheme}://{parts.netloc}/")


def _ask(one: AskedMachine, seconds: float) -> datetime | None:
    """The time it says it is, where it says any."""
    if not one.url:
        try_connection(one.origin, seconds)
        return None
    request = HttpRequest(url=one.url, configured=(one.origin,), follow=False)
    said = exchange(request, seconds=seconds, max_bytes=MAX_BYTES).headers.get("date", "")
    try:
        return parsedate_to_datetime(said).astimezone(UTC) if said else None
    except ValueError:
        return None
