"""The address of a lake in an object store, such as s3://bucket/lake, and the folder of its working copy."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from lake.access import make_private_folder
from lake.errors import DamageError, NotALakeError
from lake.storage.atomic import write_atomic
from lake.storage.disk import as_storage_error

SCHEME = "s3://"
REMOTE = ".remote"
"""Folder of a working copy with what belongs to this machine alone; a lake that has one is a working copy."""
HOME_VARIABLE = "NEXTGEN_COPIES"
"""Names the folder of working copies; the user's cache otherwise."""
MAX_BYTES_VARIABLE = "NEXTGEN_COPY_GB"
"""Gigabytes of data files that a working copy keeps."""
_ADDRESS_FILE = "address.json"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_KEY = re.compile(r"[A-Za-z0-9._=/-]*")


@dataclass(frozen=True)
class Address:
    """A bucket, and the beginning of the keys of everything in the lake; empty for the whole bucket."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.prefix}".rstrip("/")


def is_address(text: str) -> bool:
    """Whether a text names an object store and not a folder."""
    return "://" in text


def parse_address(text: str) -> Address:
    """Read an address.

    Raises:
        NotALakeError: if it is of another kind of store, or has a bucket or key that cannot be used.
    """
    if not text.startswith(SCHEME):
        raise NotALakeError(f"{text} is no address of a lake; write s3://bucket/lake, or the path of a folder")
    bucket, _, prefix = text.removeprefix(SCHEME).partition("/")
    prefix = prefix.strip("/")
    if not _BUCKET.fullmatch(bucket):
        raise NotALakeError(f"{text}: the name of a bucket has 3 to 63 small letters, digits, dots and dashes")
    if not _KEY.fullmatch(prefix) or ".." in prefix.split("/") or "//" in prefix:
        raise NotALakeError(f"{text} has a key that cannot be used; letters, digits and . _ - = / can")
    return Address(bucket, prefix)


def copy_folder(address: Address, home: Path, endpoint: str) -> Path:
    """The folder of the working copy under a folder of such copies: the same for the same lake of the same store."""
    told = re.sub(r"[^a-z0-9]+", "-", f"{address.bucket}-{address.prefix}".lower()).strip("-")[:60]
    return home / f"{told}-{sha256(f'{endpoint} {address}'.encode()).hexdigest()[:12]}"


def resolve(text: str, environ: Mapping[str, str]) -> Path:
    """The working copy on this machine of the lake at an address; its folder is made where it is not there.

    Raises:
        NotALakeError: if the text is no address that can be used.
        StorageError: if the folder cannot be made.
    """
    address = parse_address(text)
    home = Path(environ.get(HOME_VARIABLE) or _cache(environ)).expanduser().absolute()
    folder = copy_folder(address, home, endpoint_of(environ))
    try:
        attach(folder, address)
    except OSError as error:
        raise as_storage_error(error, f"the working copy of {address} cannot be made in {home}") from error
    return folder


def endpoint_of(environ: Mapping[str, str]) -> str:
    """Where the store is, as the environment says; empty for Amazon's own."""
    return environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL") or ""


def attach(folder: Path, address: Address) -> None:
    """Make a folder the working copy of the lake at an address; one that is already stays as it is.

    Raises:
        NotALakeError: if the folder is the working copy of another lake.
        OSError: if the folder cannot be made.
    """
    if (there := attached_to(folder)) is None:
        make_private_folder(folder / REMOTE)
        write_atomic(folder / REMOTE / _ADDRESS_FILE, json.dumps({"address": str(address)}))
    elif there != address:
        raise NotALakeError(f"{folder} is the working copy of {there}, not of {address}; name another folder")


def has_contents(folder: Path) -> bool:
    """Whether there is anything in a folder but what makes it a working copy."""
    return folder.is_dir() and any(one.name != REMOTE for one in folder.iterdir())


def attached_to(folder: Path) -> Address | None:
    """The address of which the folder is a working copy; None if it is a lake of its own.

    Raises:
        DamageError: if the file that says so is damaged.
    """
    path = folder / REMOTE / _ADDRESS_FILE
    try:
        return parse_address(str(json.loads(path.read_bytes())["address"]))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:  # whoever opens the lake is told that he may not read it
        return None
    except (ValueError, KeyError, TypeError):
        raise DamageError(f"{path} is damaged; remove the folder {folder}, it is fetched again") from None


def name_lake(folder: Path) -> str:
    """What people call the lake of a folder: its address in an object store, or the folder."""
    return str(attached_to(folder) or folder.absolute())


def _cache(environ: Mapping[str, str]) -> Path:
    named = environ.get("XDG_CACHE_HOME", "")
    root = Path(named) if named and Path(named).is_absolute() else Path(environ.get("HOME") or "~") / ".cache"
    return root / "nextgen" / "lakes"
