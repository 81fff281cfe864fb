"""Alerts by e-mail, over an encrypted connection and within one deadline."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime
from threading import Timer
from time import monotonic

from pipeline.alerts.channel import Begin, DeliveryError, blot_all, note_nothing
from pipeline.alerts.message import Message
from pipeline.alerts.params import EmailParams


@dataclass(frozen=True)
class EmailChannel:
    """A mail server."""

    params: EmailParams
    password: str = field(default="", repr=False)
    trust: ssl.SSLContext | None = field(default=None, repr=False)
    """Whose certificates are believed; those the system believes where None."""
    name = "email"

    def send(self, message: Message, seconds: float, begin: Begin = note_nothing) -> None:
        """Hand the message to the server."""
        handed_over = False
        began = monotonic()
        try:
            with self._connect(began, seconds) as server:
                server.mail(self.params.sender)
                for to in self.params.to:
                    code, said = server.rcpt(to)
                    if code not in (250, 251):
                        raise DeliveryError(f"the server refuses {to}: {code} {said.decode('utf-8', 'replace')}")
                begin()
                handed_over = True
                code, said = server.data(self._write(message).as_bytes())
                if code != 250:
                    handed_over = not 400 <= code < 600
                    raise DeliveryError(
                        f"the server refuses the message: {code} {said.decode('utf-8', 'replace')}",
                        maybe_arrived=handed_over,
                    )
        except (smtplib.SMTPException, OSError, ValueError) as error:
            known = isinstance(error, smtplib.SMTPResponseException)
            words = f"{type(error).__name__}: {error}"
            if monotonic() - began >= seconds:
                words = f"the server has not taken the message after {seconds:g} seconds"
            raise DeliveryError(self._blot(words), maybe_arrived=handed_over and not known) from None

    @contextmanager
    def _connect(self, began: float, seconds: float) -> Iterator[smtplib.SMTP]:
        """A server that is logged in to; at the deadline its connection ends, whatever it sends until then."""
        raw = socket.create_connection((self.params.host.strip("[]"), self.params.port), timeout=seconds)
        server = _Connected(raw, self.params, self.trust or ssl.create_default_context())
        ending = Timer(max(began + seconds - monotonic(), 0.0), server.cut_off)
        ending.daemon = True
        ending.start()
        try:
            server.connect(self.params.host, self.params.port)
            server.ehlo_or_helo_if_needed()
            if self.params.security == "starttls":
                raw.settimeout(max(began + seconds - monotonic(), 0.1))  # a handshake has one deadline of its own
                server.starttls(context=server.trust)
                server.ehlo()
            if self.params.user:
                server.login(self.params.user, self.password)
            yield server
            with suppress(smtplib.SMTPException, OSError):  # the message is accepted; a rude farewell changes nothing
                server.quit()
        finally:
            ending.cancel()
            server.close()

    def _write(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["From"], mail["To"] = self.params.sender, ", ".join(self.params.to)
        mail["Subject"] = message.title
        mail["Date"] = format_datetime(max(one.noticed_at for one in message.alerts))
        mail["Message-ID"] = f"<{message.alerts[0].alert_id}@nextgen.invalid>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text)
        return mail

    def _blot(self, text: str) -> str:
        return blot_all(text, {"password": self.password})


class _Connected(smtplib.SMTP):
    """The library's client over a connection that its deadline can cut off, encrypted from the first byte if so set."""

    def __init__(self, raw: socket.socket, params: EmailParams, trust: ssl.SSLContext) -> None:
        super().__init__(timeout=raw.gettimeout() or 0.1)
        self.sock, self._params, self.trust = raw, params, trust
        self._host = params.host.strip("[]")

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # noqa: ARG002
        assert self.sock is not None
        if self._params.security == "tls":
            return self.trust.wrap_socket(self.sock, server_hostname=self._host)
        return self.sock

    def cut_off(self) -> None:
        """End the connection under whoever waits for it."""
        if self.sock is not None:
            with suppress(OSError):
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
