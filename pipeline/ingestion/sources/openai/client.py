"""Sends one request through the openai library and gives back the body of the answer as it came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from pipeline.config.secrets import Secret
from pipeline.ingestion.news.llm_outages import Outage, classify
from pipeline.ingestion.news.params import LanguageModelParams
from pipeline.network.addresses import is_this_machine, origin_of
from pipeline.network.errors import NetworkError

if TYPE_CHECKING:
    from openai import AsyncOpenAI

OPENAI = "https://api.openai.com/v1"
NO_KEY = "none"
"""What a server of one's own is told where there is no key: the library insists on one."""
MAX_REASON = 600
MAX_REPLY = 4_000_000
"""Bytes; no answer to a bounded request is longer."""
SENT = ("Authorization", "Content-Type", "Accept", "User-Agent")
"""Headers of a request; the library would add what it knows of this machine and of the environment."""


class Prompt(NamedTuple):
    """What a model is asked, apart from what it is asked about."""

    instructions: str
    schema: Mapping[str, Any]
    """Of the answer, as JSON Schema."""
    name: str
    """Of the schema."""


class RequestFailure(NamedTuple):
    """Why a request brought no answer."""

    reason: str
    again: bool
    """Whether it may go better a little later."""
    outage: Outage | None = None
    """What no other request will escape either."""
    pause: float | None = None
    """Seconds the server asks to wait."""
    charged: bool = False
    """Whether it may have to be paid for all the same."""


def refusal_to_ask(params: LanguageModelParams, key: Secret | None) -> str:
    """Why nothing may be sent at all; empty if something may."""
    if key is None and not params.base_url:
        return "OPENAI_API_KEY is not set; set it in the environment, or name a base_url"
    if not is_plain(params) or is_this_machine(urlsplit(params.base_url).hostname or ""):
        return ""
    what = "the key and the articles" if key else "the articles"
    return f"base_url {params.base_url!r} would carry {what} unencrypted; use https, or a server on this machine"


def is_plain(params: LanguageModelParams) -> bool:
    """Whether the server is spoken to without encryption."""
    return urlsplit(params.base_url or OPENAI).scheme != "https"


def request_body(params: LanguageModelParams, prompt: Prompt, quoted: str) -> dict[str, Any]:
    """The request in the words of the API chosen; what is asked about stands apart from the instructions."""
    if params.api == "chat":
        shape = {"name": prompt.name, "strict": True, "schema": prompt.schema}
        return {
            "model": params.name,
            "messages": [{"role": "system", "content": prompt.instructions}, {"role": "user", "content": quoted}],
            "response_format": {"type": "json_schema", "json_schema": shape},
            "max_completion_tokens": params.max_output_tokens,
        }
    return {
        "model": params.name,
        "instructions": prompt.instructions,
        "input": quoted,
        "text": {"format": {"type": "json_schema", "name": prompt.name, "strict": True, "schema": prompt.schema}},
        "max_output_tokens": params.max_output_tokens,
        "store": False,
    }


@dataclass(frozen=True)
class Client:
    """The way to one server."""

    client: AsyncOpenAI
    api: str
    key: Secret | None

    async def send(self, body: dict[str, Any]) -> str | RequestFailure:
        """The reply's body, or what went wrong, in words without the key."""
        import openai

        try:
            if self.api == "chat":
                raw = await self.client.chat.completions.with_raw_response.create(**body)
            else:
                raw = await self.client.responses.with_raw_response.create(**body)
            text = raw.text
        except openai.APIStatusError as error:
            return self._of_status(error)
        except openai.APITimeoutError:
            return RequestFailure("the server did not answer in time", again=True, charged=True)
        except openai.APIConnectionError as error:
            return self._of_connection(error.__cause__ or error)
        except NetworkError as error:
            return self._of_connection(error)
        except openai.APIError as error:
            return RequestFailure(self.redact(f"{type(error).__name__}: {error}"), again=False, charged=True)
        return self.key.blot(text) if self.key else text

    def redact(self, text: str) -> str:
        """The text without the key, bounded."""
        text = (self.key.blot(text) if self.key else text).encode("utf-8", "backslashreplace").decode()
        return text if len(text) <= MAX_REASON else text[: MAX_REASON - 3] + "..."

    def _of_connection(self, cause: BaseException) -> RequestFailure:
        text = self.redact(f"the server cannot be reached: {cause}")
        if isinstance(cause, NetworkError) and cause.kind in ("too_large", "broken"):
            return RequestFailure(self.redact(f"the reply is of no use: {cause}"), again=False, charged=True)
        return RequestFailure(text, again=not (isinstance(cause, NetworkError) and cause.kind == "refused"))

    def _of_status(self, error: Any) -> RequestFailure:
        status = error.status_code
        code, param = (str(getattr(error, name, None) or "") for name in ("code", "param"))
        text = f"HTTP {status}: {error.message}"
        if outage := classify(status, code, f"{param} {error.message}"):
            return RequestFailure(self.redact(f"{outage.words} ({text})"), again=False, outage=outage)
        text = self.redact(text)
        limited = status in (408, 409, 429)
        return RequestFailure(text, again=limited or status >= 500, pause=_requested_pause(error.response.headers))


def _requested_pause(headers: Any) -> float | None:
    """Seconds that Retry-After (or OpenAI's retry-after-ms) asks for; a date or nonsense counts as nothing said."""
    for name, unit in (("retry-after-ms", 1_000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    return None


def open_client(params: LanguageModelParams, key: Secret | None) -> Client:
    """A client that takes nothing from the environment, goes to its one server only and leaves retrying to us.

    What is spoken to without encryption is on this machine, and never reached through a proxy.
    """
    from openai import AsyncOpenAI

    from pipeline.network.exchange import open_client as open_http

    server = params.base_url or OPENAI
    http = open_http(
        [origin_of(server)],
        params.timeout_seconds,
        max_bytes=MAX_REPLY,
        only=SENT,
        direct=is_plain(params),
        packed=False,
    )
    client = AsyncOpenAI(
        api_key=key.reveal() if key else NO_KEY,
        base_url=server,
        timeout=params.timeout_seconds,
        max_retries=0,
        http_client=http,
    )
    return Client(client, params.api, key)
