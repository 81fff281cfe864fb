"""Mail is handed over once, encrypted, within its deadline; whether it may have arrived is told."""

from __future__ import annotations

import ssl
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lake.errors import StorageError
from pipeline.alerts.channel import DeliveryError
from pipeline.alerts.mail import EmailChannel
from pipeline.alerts.params import EmailParams
from tests.loopback.smtp import MailServer, serving_mail
from tests.pipeline.alerts.messages import message

PARAMS = EmailParams(host="127.0.0.1", security="none", sender="lake@example.org", to=("ann@example.org",))


def send(server: MailServer, params: EmailParams = PARAMS, seconds: float = 5, **given: object) -> None:
    EmailChannel(replace(params, port=server.port), **given).send(message(), seconds)  # type: ignore[arg-type]


def test_a_message_is_handed_over_with_its_text() -> None:
    with serving_mail(MailServer()) as server:
        send(server)
    (taken,) = server.taken
    assert "Subject: nextgen main: cycle 2026-01-05 stopped" in taken
    assert "To: ann@example.org" in taken and "Auto-Submitted: auto-generated" in taken


def test_no_message_is_handed_over_that_cannot_be_put_on_record() -> None:
    def refuse() -> None:
        raise StorageError("the disk is full")

    with serving_mail(MailServer()) as server:
        with pytest.raises(StorageError):
            EmailChannel(replace(PARAMS, port=server.port)).send(message(), 5, refuse)
        assert server.taken == [] and "DATA" not in server.lines


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's certificate for this machine, and a client that believes it."""
    folder: Path = tmp_path_factory.mktemp("certificate")
    key, certificate = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("there is no openssl to make a certificate with")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    return server, ssl.create_default_context(cafile=certificate)


def test_the_password_goes_over_an_encrypted_connection_alone(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    own, believing = contexts
    params = replace(PARAMS, security="starttls", user="ann")
    with serving_mail(MailServer(trust=own)) as server:
        send(server, params, password="s3cret", trust=believing)
        assert len(server.taken) == 1
        before = server.lines[: server.lines.index("STARTTLS")]
        assert not [line for line in before if line.startswith("AUTH")]
    with serving_mail(MailServer(trust=own)) as server:
        with pytest.raises(DeliveryError, match="certificate"):
            send(server, params, password="s3cret")
        assert not [line for line in server.lines if line.startswith("AUTH")]
    with serving_mail(MailServer()) as server:
        with pytest.raises(DeliveryError, match="STARTTLS"):
            send(server, params, password="s3cret")
        assert not [line for line in server.lines if line.startswith(("AUTH", "MAIL"))]


@pytest.mark.parametrize(
    ("server", "arrived"),
    [
        (MailServer(refuses="RCPT"), False),
        (MailServer(refuses="END"), False),
        (MailServer(stalls="EHLO"), False),
        (MailServer(stalls="END"), True),
    ],
)
def test_what_is_refused_or_stalls_ends_in_time_and_says_whether_it_may_have_arrived(
    server: MailServer, arrived: bool
) -> None:
    with serving_mail(server):
        began = time.monotonic()
        with pytest.raises(DeliveryError) as raised:
            send(server, seconds=1)
        assert time.monotonic() - began < 10
    assert raised.value.maybe_arrived is arrived
