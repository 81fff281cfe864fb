"""The units are what their service managers take, carry the settings along, and no key."""

from __future__ import annotations

import os
import plistlib
import shutil
import subprocess
from pathlib import Path

import pytest

from nextgen_tui.cli.main import outcome
from pipeline.config.secrets import secret
from pipeline.control.daemon.service_environment import CREDENTIALS, ENVIRONMENT_FILE, take_environment
from pipeline.control.daemon.service_units import format_launchd_unit, format_systemd_unit
from tests.new_lake import new_lake

LAKE = Path('/home/John Smith/50% "lake" $x & <y>')
SETTINGS = {
    "NEXTGEN_TRADING__HORIZON": "5",
    "NEXTGEN_INGESTION__NEWS__MODEL__NAME": 'a "b" 5% $c \\d <e>',
    "PATH": "/bin",
}
KEY = "sk-0123456789"
MAX_EXPOSURE = 4.0
"""Of `systemd-analyze security`, where 10 is a service that may do everything; it has to reach the network."""
HAS_ANALYZE = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """A unit for a lake with an odd name, with settings."""
    taken = take_environment(SETTINGS, tmp_path, systemd=True)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "nextgen-daemon"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    path = tmp_path / "nextgen-daemon.service"
    path.write_text(format_systemd_unit(program, LAKE, 9_464, taken))
    return path


def analyze(unit: Path, *words: str) -> str:
    """What systemd says of the unit, on either stream."""
    (run := unit.parent / "run").mkdir()
    command = ["systemd-analyze", *words, "--user", str(unit)]
    done = subprocess.run(
        command, env=os.environ | {"XDG_RUNTIME_DIR": str(run)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@HAS_ANALYZE
def test_systemd_finds_nothing_wrong_with_the_unit(unit: Path) -> None:
    assert analyze(unit, "verify") == ""


@HAS_ANALYZE
def test_systemd_finds_the_service_little_exposed(unit: Path) -> None:
    told = analyze(unit, "security", "--offline=yes", "--no-pager")
    assert float(told.split("Overall exposure level for")[1].split(":")[1].split()[0]) <= MAX_EXPOSURE, told


def test_a_systemd_unit_has_the_settings_and_may_write_its_lake_and_its_caches_alone(
    unit: Path, tmp_path: Path
) -> None:
    lines = unit.read_text().splitlines()
    assert 'Environment="NEXTGEN_TRADING__HORIZON=5"' in lines
    assert 'Environment="NEXTGEN_INGESTION__NEWS__MODEL__NAME=a \\"b\\" 5%% $c \\\\d <e>"' in lines
    assert f"EnvironmentFile=-%h/{ENVIRONMENT_FILE}" in lines
    writable = [line for line in lines if line.startswith("ReadWritePaths=")]
    assert writable[0] == 'ReadWritePaths="-/home/John Smith/50%% \\"lake\\" $x & <y>"'
    assert len(writable) == 2
    assert not [line for line in lines if "network-online" in line], "a user's manager has no such target"
    bare = format_systemd_unit(Path("/bin/x"), LAKE, None, take_environment({}, tmp_path, systemd=True), fenced=False)
    assert "NoNewPrivileges=true" in bare
    assert "Protect" not in bare


def test_a_lake_below_tmp_stays_in_the_services_sight() -> None:
    assert "PrivateTmp" not in format_systemd_unit(Path("/bin/x"), Path("/tmp/lake"))
    assert "PrivateTmp" in format_systemd_unit(Path("/bin/x"), Path("/srv/lake"))


def test_a_launch_agent_has_the_settings(tmp_path: Path) -> None:
    taken = take_environment(SETTINGS, tmp_path, systemd=False)
    plist = plistlib.loads(format_launchd_unit(Path("/bin/x"), LAKE, None, taken).encode())
    settings = {name: value for name, value in SETTINGS.items() if name != "PATH"}
    assert settings.items() <= plist["EnvironmentVariables"].items()
    assert plist["EnvironmentVariables"]["NEXTGEN_CREDENTIALS"] == str(tmp_path / CREDENTIALS)
    assert plist["Umask"] == 0o077


@pytest.mark.parametrize("systemd", [True, False])
def test_a_key_is_in_no_unit_and_the_way_to_give_it_is_told_until_it_is_given(tmp_path: Path, systemd: bool) -> None:
    environ = {"OPENAI_API_KEY": KEY, "NEXTGEN_PROXY": f"http://me:{KEY}@proxy:80"}
    taken = take_environment(environ, tmp_path, systemd=systemd)
    assert taken.missing == ("NEXTGEN_PROXY", "OPENAI_API_KEY")
    told = taken.say_how(tmp_path, systemd=systemd)
    assert str(tmp_path / CREDENTIALS) in told
    assert (str(tmp_path / ENVIRONMENT_FILE) in told) == systemd
    assert ("asks for no password" in told) != systemd
    assert ("EnvironmentFile" in format_systemd_unit(Path("/bin/x"), LAKE, None, taken)) and KEY not in told
    for unit in (format_systemd_unit, format_launchd_unit):
        assert KEY not in unit(Path("/bin/x"), LAKE, None, taken)
    (tmp_path / CREDENTIALS).mkdir(parents=True)
    (tmp_path / CREDENTIALS / "OPENAI_API_KEY").write_text(f"{KEY}\n")
    (tmp_path / ENVIRONMENT_FILE).write_text(f"# ours\nNEXTGEN_PROXY=http://me:{KEY}@proxy:80\n")
    left = take_environment(environ, tmp_path, systemd=systemd).missing
    assert left == (() if systemd else ("NEXTGEN_PROXY",))


def test_a_key_is_read_from_a_credential_file_where_no_variable_has_it(tmp_path: Path) -> None:
    (tmp_path / "OPENAI_API_KEY").write_text(f"{KEY}\n")
    for variable in ("NEXTGEN_CREDENTIALS", "CREDENTIALS_DIRECTORY"):
        found = secret("OPENAI_API_KEY", {variable: str(tmp_path)})
        assert found is not None
        assert (found.reveal(), KEY in repr(found)) == (KEY, False)
    first = secret("OPENAI_API_KEY", {"OPENAI_API_KEY": "other", "NEXTGEN_CREDENTIALS": str(tmp_path)})
    assert first is not None
    assert first.reveal() == "other"
    assert secret("OPENAI_API_KEY", {"NEXTGEN_CREDENTIALS": str(tmp_path / "none")}) is None


def test_the_command_refuses_what_could_not_start_and_says_what_lingering_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def install(lake: Path) -> tuple[int, str]:
        code = outcome(["service", "install", "--for", "systemd", "--lake", str(lake)])
        return code, " ".join(capsys.readouterr().err.split())

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    place = tmp_path / ".config/systemd/user/nextgen-daemon.service"
    code, said = install(tmp_path / "none")
    assert (code, "there is no lake" in said, place.exists()) == (2, True, False)
    lake = new_lake(tmp_path / "lake").path
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    code, said = install(lake)
    assert (code, "OPENAI_API_KEY" in said, KEY in said, place.exists()) == (2, True, False, False)
    monkeypatch.delenv("OPENAI_API_KEY")
    code, said = install(lake)
    assert (code, place.exists()) == (0, True), said
    assert "loginctl enable-linger" in said
