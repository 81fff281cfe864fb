"""The operator's program reads the message, gets no secret, and ends at its deadline with all that it started."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from lake.errors import StorageError
from pipeline.alerts.channel import DeliveryError
from pipeline.alerts.operator_command import CommandChannel
from tests.pipeline.alerts.messages import message


def test_it_reads_the_message_as_json_and_none_of_the_secrets(tmp_path: Path) -> None:
    said = tmp_path / "said"
    program = f"import os, sys; open({str(said)!r}, 'w').write(sys.stdin.read() + os.environ.get('OPENAI_API_KEY', ''))"
    CommandChannel((sys.executable, "-c", program), {"OPENAI_API_KEY": "s3cret"}).send(message(), 20)
    assert json.loads(said.read_text())["alerts"][0]["alert_id"] == "a1"


@pytest.mark.parametrize(
    ("command", "why", "arrived"),
    [
        (("/nowhere/tell",), "cannot be started", False),
        (("/bin/sh", "-c", "echo no route >&2; exit 3"), "ended with 3: no route", False),
        (("/bin/sh", "-c", "sleep 60 & sleep 60"), "has not ended", True),
    ],
)
def test_what_fails_says_why(command: tuple[str, ...], why: str, arrived: bool) -> None:
    with pytest.raises(DeliveryError, match=why) as raised:
        CommandChannel(command).send(message(), 1)
    assert raised.value.maybe_arrived is arrived


def test_it_is_started_only_once_that_is_on_record(tmp_path: Path) -> None:
    def refuse() -> None:
        raise StorageError("the disk is full")

    with pytest.raises(StorageError):
        CommandChannel(("touch", str(tmp_path / "said"))).send(message(), 20, refuse)
    assert not (tmp_path / "said").exists()
