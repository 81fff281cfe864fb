"""Which addresses a request may connect to: the public ones, and of the others those the operator configured."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Origin = tuple[str, int]
"""Host in small letters, without brackets, and port."""
EMBEDDING = (IPv6Network("64:ff9b::/96"), IPv6Network("::/96"))
"""RFC 6052 and, given up, RFC 4291 2.5.5.1: the last 32 bits are the IPv4 address that is meant."""

TUNNELS = (IPv6Network("2002::/16"), IPv6Network("2001::/32"))
"""6to4 (RFC 7526 gave it up) and Teredo: a relay says where they lead; Pythons differ on whether they are public."""


def refusal(origin: Origin, address: Address, configured: Collection[Origin]) -> str:
    """Why a connection to a host at an address is not made; empty if it may be.

    A host that the operator configured may be at a private address. At one of this machine it may be only if it was
    configured as such, by its number or as localhost, and at a link-local one only by its number: a name is in the
    hands of whoever runs its name server. A host that nobody configured, where a redirect leads, has to be public.

    Args:
        origin: which host, at which port.
        address: where a connection would go.
        configured: hosts and ports the operator named.
    """
    found, (host, port) = _plain(address), origin
    inside = not found.is_global or found.is_multicast or any(address in network for network in TUNNELS)
    if is_this_machine(host) and parse_address(host) is None and not found.is_loopback:
        return f"{host} is {address}, which is not this machine"
    if not inside:
        return ""
    if origin not in configured:
        return f"{host} at port {port} is {address}, which is no public address, and is not configured"
    if host == str(address) or (found.is_loopback and is_this_machine(host)):
        return ""
    if found.is_private and not (found.is_loopback or found.is_link_local or found.is_unspecified):
        return ""
    return f"{host} is {address}, an address that only its number may name"


def is_web_address(text: str) -> bool:
    """Whether a text is an http or https address of a host, and of a port that there can be, without a user's name."""
    try:
        parts = urlsplit(text)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none, or brackets without an address
        return False
    plain = text.isprintable() and not any(sign.isspace() for sign in text)
    return usable and plain and parts.scheme in ("http", "https") and "@" not in parts.netloc


def origin_of(url: str) -> Origin:
    """The host and port of an http or https address."""
    parts = urlsplit(url)
    return plain_host(parts.hostname or ""), parts.port or (443 if parts.scheme == "https" else 80)


def plain_host(host: str) -> str:
    """A host in the writing of an `Origin`."""
    return host.lower().strip("[]").rstrip(".")


def is_this_machine(host: str) -> bool:
    """Whether a host is this machine by its very writing: localhost, or a loopback address."""
    asked = plain_host(host)
    number = parse_address(asked)
    return asked == "localhost" or asked.endswith(".localhost") or (number is not None and number.is_loopback)


def parse_address(host: str) -> Address | None:
    """The address a host is written as; None if it is a name."""
    try:
        return ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def _plain(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, or else itself."""
    if isinstance(address, IPv4Address):
        return address
    if any(address in network for network in EMBEDDING) and int(address) > 1:
        return IPv4Address(address.packed[-4:])
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)
