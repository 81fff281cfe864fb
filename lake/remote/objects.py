"""Objects in a store: whole ones, read and written by key; one writer of several wins where the store is asked to see
to it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

from lake.errors import StorageError
from lake.remote.address import Address, endpoint_of

if TYPE_CHECKING:  # an extra
    from obstore.store import ClientConfig

T = TypeVar("T")
PARALLEL = 16
"""Requests in flight at once."""
NO_BUCKET = "NoSuchBucket"
PROBES = "_nextgen/probes"
INSTALL = 'pip install "nextgen-trading[s3]"'
PLACES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
"""Variables that say where a store is."""
PRINTED = re.compile(r"[!-~]+")
FORMS = {
    "AWS_ACCESS_KEY_ID": PRINTED,
    "AWS_SECRET_ACCESS_KEY": PRINTED,
    "AWS_SESSION_TOKEN": PRINTED,
    "AWS_REGION": re.compile(r"[A-Za-z0-9-]+"),
    "AWS_DEFAULT_REGION": re.compile(r"[A-Za-z0-9-]+"),
}
"""Variables that become parts of a request, and what they may consist of."""


@dataclass(frozen=True)
class Patience:
    """How long an answer is waited for, and how often and how long a request is made again after a cut or a refusal
    for the time being."""

    timeout: timedelta
    retries: int
    total: timedelta


PATIENT = Patience(timedelta(seconds=20), 8, timedelta(seconds=45))
BRIEF = Patience(timedelta(seconds=3), 1, timedelta(seconds=4))
BROKEN = ("body error", "kind: Interrupted")
"""What the library says of an answer that broke off, and of a connection that did."""


class ObjectExistsError(Exception):
    """There is an object of that key already: another writer was first."""


class ObjectChangedError(Exception):
    """The object is not any more the one that was to be replaced."""


@dataclass(frozen=True)
class Found:
    """An object as it was read."""

    content: bytes
    tag: str
    """Distinguishes it from what had the key before, and will after."""
    modified: datetime
    """By the clock of the store."""


@dataclass(frozen=True)
class Listed:
    """An object of a listing."""

    key: str
    size: int
    modified: datetime


class Objects:
    """The objects of one lake in one store."""

    def __init__(self, address: Address, *, patient: bool = True) -> None:
        """
        Args:
            address: of the lake.
            patient: whether a request is tried again for long; a reader rather goes on with what it has.
        """
        self.address = address
        self._patience = PATIENT if patient else BRIEF
        self._store = open_store(address, os.environ, self._patience)
        self._is_safe = False

    # ---- reading

    def find(self, key: str) -> Found | None:
        """The object of a key; None if there is none."""
        import obstore

        def read() -> Found:
            result = obstore.get(self._store, key)
            return Found(bytes(result.bytes()), str(result.meta["e_tag"]), result.meta["last_modified"])

        with suppress(FileNotFoundError):
            return self._ask(f"{key} could not be read", read)
        return None

    def find_all(self, keys: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        """The contents of many keys, in their order, a few read at a time; None where there is no such object."""
        with ThreadPoolExecutor(PARALLEL) as pool:
            wanted = list(keys)
            for start in range(0, len(wanted), PARALLEL * 4):
                part = wanted[start : start + PARALLEL * 4]
                for key, found in zip(part, pool.map(self.find, part), strict=True):
                    yield key, found.content if found else None

    def list(self, prefix: str, after: str | None = None, limit: int | None = None) -> list[Listed]:
        """The objects below a prefix, in the order of their keys.

        Args:
            prefix: a folder.
            after: only keys that follow this one.
            limit: how many are enough, of those that the store tells first.
        """
        import obstore

        def read() -> Iterator[Listed]:
            for chunk in obstore.list(self._store, prefix=prefix, offset=after, chunk_size=limit or 1000):
                yield from (Listed(one["path"], one["size"], one["last_modified"]) for one in chunk)

        found = self._ask(f"{prefix} could not be listed", lambda: [*islice(read(), limit)])
        return sorted(found, key=lambda one: one.key)

    # ---- writing

    def put(self, key: str, content: bytes) -> None:
        """Write an object, whatever had its key before."""
        self._put(key, content, "overwrite")

    def put_all(self, contents: Iterable[tuple[str, bytes]]) -> None:
        """Write many objects, a few at a time; each is asked for when its turn comes."""
        with ThreadPoolExecutor(PARALLEL) as pool:
            running: list[Any] = []
            for key, content in contents:
                running.append(pool.submit(self.put, key, content))
                if len(running) >= PARALLEL * 2:
                    running.pop(0).result()
            for one in running:
                one.result()

    def put_new(self, key: str, content: bytes) -> str:
        """Write an object where there is none, and return its tag.

        Raises:
            ObjectExistsError: if there is one of another content. An answer can be lost on its way, and the request
                made again meets what it wrote itself: that counts as done.
        """
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        try:
            return self._put(key, content, "create")
        except (AlreadyExistsError, PreconditionError):
            found = self.find(key)
            if found is None or found.content != content:
                raise ObjectExistsError(key) from None
            return found.tag

    def replace(self, key: str, content: bytes, tag: str) -> str:
        """Write an object in place of the one of that tag, and return its own.

        Raises:
            ObjectChangedError: if another is there by now.
        """
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        try:
            return self._put(key, content, {"e_tag": tag})
        except (AlreadyExistsError, PreconditionError, FileNotFoundError):
            found = self.find(key)
            if found is None or found.content != content:
                raise ObjectChangedError(key) from None
            return found.tag

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; those that are not there are passed over."""
        import obstore

        def remove(key: str) -> None:
            with suppress(FileNotFoundError):
                self._ask(f"{key} could not be deleted", lambda: obstore.delete(self._store, key))

        with ThreadPoolExecutor(PARALLEL) as pool:
            for _ in pool.map(remove, keys):
                pass

    def require_safe(self) -> None:
        """Check once that the store refuses to overwrite where it is asked to: without that, writers lose commits.

        Raises:
            StorageError: if it does not.
        """
        if self._is_safe:
            return
        key = f"{PROBES}/{uuid4().hex}"
        self.put(key, b"first")
        try:
            if not (self._refuses_new(key) and self._refuses_replacing(key)):
                raise StorageError(
                    f"the store at {self.address} ignores conditional writes (If-None-Match, If-Match), so that two "
                    "writers would overwrite each other's commits; use a store that honours them, such as Amazon S3, "
                    "Cloudflare R2 or a present MinIO. Nothing was written"
                )
        finally:
            self.delete([key])
        self._is_safe = True

    def now(self) -> datetime:
        """The time by the store's own clock."""
        key = f"{PROBES}/{uuid4().hex}"
        self.put(key, b"now")
        try:
            found = self.find(key)
        finally:
            self.delete([key])
        if found is None:
            raise StorageError(f"the store at {self.address} lost an object just written; use another store")
        return found.modified

    # ---- inner workings

    def _put(self, key: str, content: bytes, mode: Any) -> str:
        import obstore

        def write() -> str:
            return str(obstore.put(self._store, key, content, mode=mode, use_multipart=False)["e_tag"])

        return self._ask(f"{key} could not be written", write)

    def _refuses_new(self, key: str) -> bool:
        with suppress(ObjectExistsError):
            self.put_new(key, b"second")
            return False
        return True

    def _refuses_replacing(self, key: str) -> bool:
        with suppress(ObjectChangedError):
            self.replace(key, b"third", '"0123456789abcdef0123456789abcdef"')
            return False
        return True

    def _ask(self, what: str, request: Callable[[], T]) -> T:
        """Make a request; what the store refuses, after all retries, is a storage error; its answers pass unchanged.

        The library retries what fails as a request, but not an answer that breaks off in its body, nor a conditional
        write whose connection broke, since it cannot know that one made twice is found to be done here.
        """
        from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError

        begun = monotonic()
        while True:
            try:
                return request()
            except (AlreadyExistsError, PreconditionError):
                raise
            except (BaseError, OSError) as error:
                if isinstance(error, FileNotFoundError) and NO_BUCKET not in str(error):
                    raise
                broken = any(sign in str(error) for sign in BROKEN)
                if not broken or monotonic() - begun > self._patience.total.total_seconds():
                    raise StorageError(f"{what} at {self.address}: {_first_line(error)}; {_advise(error)}") from error
                sleep(0.1)


def open_store(address: Address, environ: Mapping[str, str], patience: Patience) -> Any:
    """The store that holds the bucket, as the usual AWS_ variables describe it.

    Raises:
        StorageError: if the library is not installed, or the variables do not fit together.
    """
    try:
        from obstore.store import S3Store
    except ImportError:
        raise StorageError(f"a lake at {address} needs the library for object stores: {INSTALL}") from None
    refuse_unusable(address, environ)
    endpoint = endpoint_of(environ)
    proxy = environ.get("NEXTGEN_PROXY")
    options: ClientConfig = {"timeout": patience.timeout, "connect_timeout": patience.timeout / 4}
    if proxy:
        options["proxy_url"] = proxy
    if endpoint.startswith("http://"):
        options["allow_http"] = True
    try:
        return S3Store(
            address.bucket,
            prefix=address.prefix or None,
            client_options=options,
            retry_config={"max_retries": patience.retries, "retry_timeout": patience.total},
            config={"endpoint": endpoint} if endpoint else {},
        )
    except Exception as error:  # the library raises errors of its own for each variable it cannot use
        raise StorageError(f"the store at {address} cannot be opened: {_first_line(error)}") from error


def refuse_unusable(address: Address, environ: Mapping[str, str]) -> None:
    """Refuse variables that the library would take, and end the process for with the first request.

    Raises:
        StorageError: naming the variable; never the text of a key.
    """
    for name in PLACES:
        if (told := environ.get(name)) and not _is_url(told):
            raise StorageError(
                f"{address} cannot be asked: {name} is {told!r}; write it as https://host or http://host:port"
            )
    for name, form in FORMS.items():
        if (told := environ.get(name)) and not form.fullmatch(told):
            raise StorageError(f"{address} cannot be asked: {name} has signs that it cannot have; copy it again")


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is none
        return False
    return usable and parts.scheme in ("http", "https") and PRINTED.fullmatch(text) is not None


def _first_line(error: Exception) -> str:
    """What went wrong, without the request, its headers and the library's own view of it."""
    told = str(error).strip().splitlines()
    words = told[0].rpartition(" - ")[2].partition(": <")[0] if told else ""
    return words.removeprefix("Server returned non-2xx status code: ")[:300] or type(error).__name__


def _advise(error: Exception) -> str:
    told = str(error)
    if any(sign in told for sign in ("AccessDenied", "403", "InvalidAccessKeyId", "SignatureDoesNotMatch", "401")):
        return "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and what they may do"
    if NO_BUCKET in told:
        return "make the bucket first"
    return "check the network and AWS_ENDPOINT_URL, and try again; what was published is not lost"
