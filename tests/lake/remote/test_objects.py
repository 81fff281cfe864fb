"""What people are told where a store cannot be used: the extra that is missing, the key, the bucket, the address."""

from __future__ import annotations

import subprocess
import sys
from itertools import count

import pytest

from lake.errors import NotALakeError, StorageError
from lake.remote.address import parse_address
from lake.remote.objects import PATIENT, ObjectChangedError, ObjectExistsError, Objects, open_store
from tests.loopback.object_store import Fault, Place, Request, of_this_store


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("gs://bucket/lake", "is no address of a lake"),
        ("s3://", "the name of a bucket"),
        ("s3://Big_Bucket/lake", "the name of a bucket"),
        ("s3://bucket/a/../b", "a key that cannot be used"),
        ("s3://bucket/a b", "a key that cannot be used"),
        ("s3://bucket/a//b", "a key that cannot be used"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_in_words(text: str, told: str) -> None:
    with pytest.raises(NotALakeError, match=told):
        parse_address(text)


@of_this_store
def test_a_bucket_that_is_not_there_is_told_as_such(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.machine("one", monkeypatch)
    with pytest.raises(StorageError, match="make the bucket first"):
        Objects(parse_address("s3://nobody-made-this/lake")).put("x", b"x")


def test_objects_are_written_once_and_replaced_by_whoever_read_them_last(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.machine("one", monkeypatch)
    objects = Objects(parse_address(place.address))
    tag = objects.put_new("a", b"1")
    assert objects.put_new("a", b"1") == tag, "an answer was lost and the request made again"
    with pytest.raises(ObjectExistsError):
        objects.put_new("a", b"2")
    newer = objects.replace("a", b"3", tag)
    with pytest.raises(ObjectChangedError):
        objects.replace("a", b"4", tag)
    assert newer != tag
    assert [one.key for one in objects.list("")] == ["a"]
    objects.delete(["a", "b"])
    assert objects.find("a") is None


@pytest.mark.parametrize("fault", ["lose request", "lose answer", "reset", "refuse", "cut short"])
def test_a_conditional_write_goes_through_where_its_first_requests_fail(
    fault: Fault, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.machine("one", monkeypatch)
    objects = Objects(parse_address(place.address))
    failing = count()

    def fail_twice(request: Request) -> Fault:
        return fault if request.conditional and next(failing) % 3 < 2 else "pass"

    place.wire.fault = fail_twice
    tag = objects.put_new("a", b"1")
    assert objects.replace("a", b"2", tag) != tag
    found = objects.find("a")
    assert found is not None and found.content == b"2"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        *(("AWS_ENDPOINT_URL", told) for told in ("store", "store:9000", "ftp://store", "http://", "http://a b")),
        ("AWS_ENDPOINT_URL", "http://store:99999"),
        ("AWS_ENDPOINT_URL_S3", "https://store:port"),
        ("AWS_ACCESS_KEY_ID", "key\nhost: other"),
        ("AWS_SECRET_ACCESS_KEY", "se cret"),
        ("AWS_SESSION_TOKEN", "tokén"),
        ("AWS_REGION", "a/b?c"),
    ],
)
def test_a_variable_that_cannot_be_part_of_a_request_is_refused_by_name(name: str, told: str) -> None:
    with pytest.raises(StorageError, match=f"s3://bucket/lake cannot be asked: {name} ") as refused:
        open_store(parse_address("s3://bucket/lake"), {name: told}, PATIENT)
    assert "ENDPOINT" in name or told not in str(refused.value)


def test_without_the_extra_the_way_to_install_it_is_told(place: Place) -> None:
    told = run_without_the_library(f"Lake.open(resolve({place.address!r}, os.environ))")
    assert 'pip install "nextgen-trading[s3]"' in told


def test_a_folder_needs_nothing_of_it() -> None:
    made = "Lake.create(Path(folder) / 'lake'); assert 'lake.remote.working_copy' not in sys.modules"
    assert run_without_the_library(made) == ""


def run_without_the_library(line: str) -> str:
    """What a line says last in a process that has no library for object stores; empty if nothing."""
    code = f"""
import os, sys, tempfile
from pathlib import Path
sys.modules["obstore"] = sys.modules["obstore.store"] = None
from lake.remote.address import resolve
from lake.store import Lake
with tempfile.TemporaryDirectory() as folder:
    os.environ["NEXTGEN_COPIES"] = folder
    {line}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return done.stderr.strip().splitlines()[-1] if done.stderr else ""
