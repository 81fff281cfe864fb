"""Only public addresses are connected to, and of the others those that the operator configured by host and port."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.network.addresses import Address, is_web_address, origin_of, refusal

INSIDE = (
    *("127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
    *("255.255.255.255", "224.0.0.1", "::1", "::", "fe80::1", "fc00::1", "ff02::1"),
    *("::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "64:ff9b::a9fe:a9fe"),
)


@pytest.mark.parametrize("address", INSIDE)
def test_no_inside_address_is_connected_to_for_a_host_that_nobody_configured(address: str) -> None:
    assert "is not configured" in refusal(("feeds.example", 443), ip_address(address), ())
    assert "is not configured" in refusal((address, 80), ip_address(address), [(address, 81)]), "nor at another port"


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822"])
def test_a_public_address_is(address: str) -> None:
    assert refusal(("feeds.example", 443), ip_address(address), ()) == ""


def test_a_configured_name_may_be_in_the_own_network_but_cannot_point_at_this_machine_or_a_link() -> None:
    origin = ("news.intranet", 80)
    assert refusal(origin, ip_address("10.1.2.3"), [origin]) == ""
    for address in ("127.0.0.1", "169.254.169.254", "::1", "0.0.0.0", "::ffff:127.0.0.1"):
        assert "only its number may name" in refusal(origin, ip_address(address), [origin])


def test_what_is_configured_by_its_number_or_as_localhost_is_connected_to() -> None:
    for host, address in (("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("169.254.1.1", "169.254.1.1")):
        assert refusal((host, 80), ip_address(address), [(host, 80)]) == ""
    assert refusal(("localhost", 80), ip_address("::1"), [("localhost", 80)]) == ""
    for elsewhere in ("10.0.0.1", "93.184.216.34"):
        assert "is not this machine" in refusal(("localhost", 80), ip_address(elsewhere), [("localhost", 80)])


@pytest.mark.parametrize("address", ["2002:8000::", "2002:5db8:d822::1", "2001:0:4136:e378:8000:63bf:a247:27dd"])
def test_a_tunnel_is_no_public_address_wherever_it_leads(address: str) -> None:
    assert "is no public address" in refusal(("h.example", 80), ip_address(address), ())
    assert "only its number may name" in refusal(("h.example", 80), ip_address(address), [("h.example", 80)])


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_an_address_and_its_embeddings_in_ipv6_are_judged_alike(address: Address) -> None:
    if isinstance(address, IPv4Address):
        forms = [IPv6Address(f"::ffff:{address}"), IPv6Address(int(IPv6Address("64:ff9b::")) + int(address))]
        own = refusal(("h.example", 80), address, ()) == ""
        assert all((refusal(("h.example", 80), form, ()) == "") == own for form in forms)
    elif not address.is_global:
        assert refusal(("h.example", 80), address, ())


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://News.Example/x", ("news.example", 443)),
        ("http://localhost.:8080", ("localhost", 8080)),
        ("http://[::1]:81/", ("::1", 81)),
    ],
)
def test_an_origin_is_host_and_port(url: str, origin: tuple[str, int]) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "text", ["http://a", "https://a.example:8443/b?c=d", "http://[::1]:80/", "https://bücher.example"]
)
def test_an_address_of_the_web_has_a_host(text: str) -> None:
    assert is_web_address(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "a",
            "//a",
            "http://",
            "ftp://a",
            "file:///a",
            "http://u:p@a",
            "http://a b",
            "http://a/b c",
            "http://a\n",
        ),
        *("http://a:b", "http://a:0", "http://a:99999", "http://[::1", "http://a\x1b[0m"),
    ],
)
def test_what_cannot_be_asked_for_is_no_address_of_the_web(text: str) -> None:
    assert not is_web_address(text)
