"""A server on this machine that speaks OpenAI's responses and chat completions, with the faults of a real one."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

RESPONSES, CHAT = "/v1/responses", "/v1/chat/completions"
Article = Mapping[str, Any]
"""One article of a request: id, tickers, title, text."""


@dataclass(frozen=True)
class Answer:
    """What the server says to one request."""

    status: int = 200
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    """Seconds before it says anything."""
    drip: float = 0.0
    """Seconds between the single bytes of the body; 0 sends it at once."""
    hang_up: bool = False
    """Whether the connection ends without a word."""


@dataclass(frozen=True)
class Asked:
    """One request, as it came in."""

    path: str
    body: Mapping[str, Any]
    authorization: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """By name in small letters."""

    @property
    def text(self) -> str:
        """What stands where the articles belong."""
        return str(self.body["messages"][1]["content"] if self.path == CHAT else self.body["input"])

    @property
    def articles(self) -> Sequence[Article]:
        """The articles asked about."""
        return json.loads(self.text)["articles"]  # type: ignore[no-any-return]


def praise(articles: Sequence[Article]) -> str:
    """The model's text: 0.5 with strength 0.9 for every ticker of every article."""
    told = [
        {"id": one["id"], "tickers": [{"ticker": t, "score": 0.5, "strength": 0.9} for t in one["tickers"]]}
        for one in articles
    ]
    return json.dumps({"articles": told})


def response(text: str, **changes: Any) -> str:
    """A completed response that holds the text."""
    content = [{"type": "output_text", "text": text, "annotations": []}]
    message = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": content}
    usage = {
        "input_tokens": 1_000,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 100,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 1_100,
    }
    envelope = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "model": "gpt-test-2025",
        "output": [{"type": "reasoning", "id": "rs_1", "summary": []}, message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": usage,
    }
    return json.dumps(envelope | changes)


def refusal(text: str = "I cannot help with that.") -> str:
    """A completed response in which the model refuses."""
    content = [{"type": "refusal", "refusal": text}]
    message = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": content}
    return response("", output=[message])


def completion(text: str | None, finish: str = "stop", **message: Any) -> str:
    """A chat completion that holds the text."""
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text} | message}
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": "local",
            "choices": [choice],
            "usage": {"prompt_tokens": 1_000, "completion_tokens": 100, "total_tokens": 1_100},
        }
    )


def trouble(status: int, message: str, code: str | None = None, **headers: str) -> Answer:
    """An error as OpenAI words it."""
    error = {"message": message, "type": "error", "param": None, "code": code}
    return Answer(status, json.dumps({"error": error}), {k.replace("_", "-"): v for k, v in headers.items()})


@dataclass
class OpenAI:
    """What the server does; tests change it while it runs."""

    model: Callable[[Sequence[Article]], str] = praise
    """What the model writes about the articles."""
    faults: list[Answer] = field(default_factory=list)
    """Taken one by one, before the model gets to see anything."""
    answers: Callable[[Asked], Answer | None] | None = None
    """Asked first of all; None leaves the answer to the rest."""
    asked: list[Asked] = field(default_factory=list)
    base_url: str = ""
    at_once: int = 0
    """Most requests that were under way at a time."""
    _under_way: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count a request as under way."""
        with self._lock:
            self._under_way += 1
            self.at_once = max(self.at_once, self._under_way)
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1

    def answer(self, asked: Asked) -> Answer:
        """What the server says."""
        with self._lock:
            self.asked.append(asked)
            fault = self.faults.pop(0) if self.faults else None
        own = self.answers(asked) if self.answers else None
        if own or fault:
            return own or fault  # type: ignore[return-value]
        if asked.path not in (RESPONSES, CHAT):
            return trouble(404, f"Invalid URL ({asked.path})")
        text = self.model(asked.articles)
        return Answer(body=completion(text) if asked.path == CHAT else response(text))


@contextmanager
def serving(openai: OpenAI | None = None) -> Iterator[OpenAI]:
    """Run a server until the end of the block."""
    openai = openai or OpenAI()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            with openai.counted():
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = openai.answer(Asked(self.path, body, headers.get("authorization", ""), headers))
                time.sleep(answer.delay)
                if answer.hang_up:
                    self.close_connection = True
                    return
                try:
                    self._say(answer)
                except OSError:
                    self.close_connection = True  # the client has gone

        def _say(self, answer: Answer) -> None:
            body = answer.body.encode("utf-8", "surrogatepass")
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if not answer.drip:
                self.wfile.write(body)
                return
            for number in range(len(body)):
                self.wfile.write(body[number : number + 1])
                self.wfile.flush()
                time.sleep(answer.drip)

        def log_message(self, *_: Any) -> None:
            """A test's output is its own."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    openai.base_url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield openai
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
