"""Asks Yahoo through yfinance and keeps the body of each answer as it came over the wire."""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from lake.access import make_private_folder
from pipeline.config.home import PROXY_VARIABLE
from pipeline.ingestion.sources.rate_limit import RateLimit

if TYPE_CHECKING:
    from curl_cffi.requests import Session

URL_VARIABLE = "NEXTGEN_YAHOO_URL"
"""Base URL that stands in for every host of Yahoo: a proxy of one's own, or a test's server."""
STATE_VARIABLE = "NEXTGEN_YAHOO_STATE"
"""Folder for the request budget, cut-short visits and yfinance's caches."""
VENDOR = "yahoo.com"
CHART, SCREENER = "/v8/finance/chart/", "/v1/finance/screener"
STREAM, SEARCH = "/xhr/ncp", "/v1/finance/search"
SECRETS = frozenset({"crumb"})


class LimitedError(Exception):
    """Yahoo refuses for now because too much was asked; it says nothing about the symbol."""


class UnreachableError(Exception):
    """There was no answer, or one of a server in trouble; it says nothing about the symbol."""


@dataclass(frozen=True)
class Reply:
    """An answer as it came."""

    url: str
    """What was asked, without secrets."""
    status: int
    body: str
    at: datetime


def state_folder(environ: Mapping[str, str]) -> Path:
    """NEXTGEN_YAHOO_STATE, or the place for a user's state by the XDG specification."""
    if named := environ.get(STATE_VARIABLE):
        return Path(named).expanduser()
    base = environ.get("XDG_STATE_HOME", "")
    root = Path(base) if Path(base).is_absolute() else Path.home() / ".local" / "state"
    return root / "nextgen" / "yahoo"


@dataclass
class Connection:
    """One process's way to Yahoo; every request, yfinance's own for cookie and crumb too, takes from the budget."""

    state: Path
    requests_per_minute: float
    timeout: float = 10.0
    base_url: str = ""
    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    _session: Session[Any] | None = field(default=None, init=False, repr=False)
    _replies: list[Reply] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        self.budget = RateLimit(self.state / "budget", self.requests_per_minute, now=self.now, sleep=self.sleep)

    @property
    def instant(self) -> datetime:
        """Now."""
        return datetime.fromtimestamp(self.now(), UTC)

    def chart(self, symbol: str, interval: str, start: datetime, zone: str) -> Reply:
        """The chart of a symbol from `start` until now, with its splits and dividends.

        Args:
            zone: the exchange's time zone, which spares yfinance a request of its own.

        Raises:
            LimitedError, UnreachableError: if there is no answer about the symbol.
        """
        import yfinance
        from yfinance.cache import get_tz_cache

        session = self._open_session()
        get_tz_cache().store(symbol.upper(), zone)
        with self._asking(CHART):
            # yfinance's own reading of the answer is not used, only its way of getting one.
            yfinance.Ticker(symbol, session=session).history(
                start=start, interval=interval, auto_adjust=False, actions=True, timeout=self.timeout
            )
        return self._replies[-1]

    def screen(self, name: str, size: int) -> Reply:
        """The answer of one of Yahoo's own screeners, such as most_actives.

        Raises:
            LimitedError, UnreachableError: if there is none.
        """
        import yfinance

        session = self._open_session()
        with self._asking(SCREENER):
            yfinance.screen(name, count=size, session=session)
        return self._replies[-1]

    def stream(self, symbol: str, count: int) -> Reply:
        """The stream of a symbol's newest articles.

        Raises:
            LimitedError, UnreachableError: if there is no answer about the symbol.
        """
        import yfinance

        session = self._open_session()
        with self._asking(STREAM):
            yfinance.Ticker(symbol, session=session).get_news(count=count)
        return self._replies[-1]

    def search(self, symbol: str, count: int) -> Reply:
        """The answer to a search for a symbol, of which the articles beside the quotes are wanted.

        Raises:
            LimitedError, UnreachableError: if there is none.
        """
        import yfinance
        from yfinance.data import YfData

        session = self._open_session()
        YfData.cache_get.cache_clear()  # yfinance would give yesterday's answer without asking
        with self._asking(SEARCH):
            yfinance.Search(
                symbol, max_results=1, news_count=count, lists_count=0, recommended=0, session=session,
                timeout=self.timeout,
            )  # fmt: skip
        return self._replies[-1]

    @contextmanager
    def _asking(self, path: str) -> Iterator[None]:
        """Collect the replies under the path; one counts whatever yfinance makes of it."""
        from yfinance.exceptions import YFRateLimitError

        self._replies.clear()
        error: Exception | None = None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of pandas, about yfinance's use of it
                yield
        except YFRateLimitError as limited:
            raise LimitedError(str(limited)) from None
        except Exception as problem:  # a library error about an odd answer is no error of ours: the answer is landed
            error = problem
        self._replies[:] = [reply for reply in self._replies if urlsplit(reply.url).path.startswith(path)]
        if not self._replies:
            raise UnreachableError(f"{type(error).__name__}: {error}" if error else f"{path} was not asked") from None
        last = self._replies[-1]
        if last.status == 429:
            raise LimitedError(f"HTTP 429 of {last.url}")
        if last.status >= 500:
            raise UnreachableError(f"HTTP {last.status} of {last.url}")

    def _open_session(self) -> Session[Any]:
        if self._session is None:
            import yfinance

            logging.getLogger("yfinance").setLevel(logging.CRITICAL)  # what it logs is raised, and told by us
            yfinance.config.debug.hide_exceptions = False
            make_private_folder(self.state)
            yfinance.set_tz_cache_location(str(self.state))
            self._session = _recording_session(self)
        return self._session

    def record(self, url: str, status: int, content: bytes) -> None:
        """Take down an answer."""
        body = content.decode("utf-8", "backslashreplace")
        self._replies.append(Reply(url, status, body, self.instant))

    def route(self, url: str) -> tuple[str, str]:
        """Where a request for `url` really goes, and the host it was meant for.

        Raises:
            UnreachableError: for a host that is not Yahoo's.
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        if host != VENDOR and not host.endswith(f".{VENDOR}"):
            raise UnreachableError(f"{host!r} is not a host of {VENDOR}; no other host is contacted")
        if not self.base_url:
            return url, host
        base = urlsplit(self.base_url)
        return urlunsplit((base.scheme, base.netloc, parts.path, parts.query, "")), host


def open_connection(requests_per_minute: float, timeout: float) -> Connection:
    """The way to Yahoo, or to whatever stands in for it (NEXTGEN_YAHOO_URL), with this user's budget of requests."""
    base_url = os.environ.get(URL_VARIABLE, "")
    return Connection(state_folder(os.environ), requests_per_minute, timeout=timeout, base_url=base_url)


def _recording_session(connection: Connection) -> Session[Any]:
    from curl_cffi.requests import Session

    class RecordingSession(Session[Any]):
        """A browser-like session that waits its turn and takes down what it is answered."""

        def request(self, method: Any, url: str, *args: Any, **options: Any) -> Any:
            target, host = connection.route(url)
            if target != url:
                options["headers"] = {**(options.get("headers") or {}), "X-Forwarded-Host": host}
            connection.budget.take()
            response = super().request(method, target, *args, **options)
            asked = url if urlsplit(url).query else _with_query(url, options.get("params"))
            connection.record(asked, response.status_code, response.content)
            return response

    # Of the environment only the program's own variable names a proxy.
    return RecordingSession(
        impersonate="chrome", trust_env=False, proxy=os.environ.get(PROXY_VARIABLE, "").strip() or None
    )


def _with_query(url: str, params: object) -> str:
    pairs = params.items() if isinstance(params, dict) else parse_qsl(str(params or ""))
    kept = [(name, value) for name, value in pairs if name not in SECRETS]
    return f"{url}?{urlencode(kept)}" if kept else url
