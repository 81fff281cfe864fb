"""`nextgen alerts test` tries each channel and says what came of it; `nextgen alerts` lists what was told."""

from __future__ import annotations

import pytest

from lake.store import Lake
from nextgen_tui.cli import exit_codes
from tests.loopback.hooks import Hook, posted_to
from tests.nextgen_tui.runner import Run, json_of


def test_a_test_says_what_came_of_each_channel_and_is_listed(run: Run, lake: Lake) -> None:
    with posted_to(Hook()) as hook:
        (lake.path / "nextgen.toml").write_text(
            f'[alerts.webhook]\nurl = "{hook.url}"\n[alerts]\ncommand = ["/nowhere/tell"]\n'
        )
        code, out, _ = run("alerts", "test")
    assert code == exit_codes.DEGRADED
    assert "webhook: sent" in out and "command: failed: /nowhere/tell cannot be started" in " ".join(out.split())
    assert len(hook.taken) == 1
    (listed,) = json_of(run, "alerts", "list")
    assert listed["told"] == {"command": "failed", "webhook": "sent"}
    assert "This is a test" in run("alerts")[1]


def test_without_a_channel_it_says_how_to_set_one(run: Run, lake: Lake) -> None:
    code, _, err = run("alerts", "test")
    assert code == exit_codes.USAGE and "alerts.webhook.url" in err


def test_a_secret_address_is_in_no_output_and_no_file_of_the_lake(
    run: Run, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    with posted_to(Hook(answer=lambda: "refuse")) as hook:
        monkeypatch.setenv("ALERTS_WEBHOOK_URL", f"{hook.url}/T0/s3cret")
        code, out, err = run("alerts", "test")
    assert code == exit_codes.DEGRADED and hook.paths == ["/T0/s3cret"]
    assert "s3cret" not in out + err
    assert not [file for file in lake.path.rglob("*") if file.is_file() and b"s3cret" in file.read_bytes()]
