"""Prometheus asks a daemon over loopback, and gets what `nextgen status` says as figures."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

pytest.importorskip("prometheus_client", reason="the extra `metrics` is not installed")

from prometheus_client.parser import text_string_to_metric_families

from lake.store import Lake
from pipeline.control.daemon.heartbeat import read_heartbeat
from pipeline.control.daemon.main import daemon_command
from pipeline.reading.prometheus import HOST, MetricsError, serve_metrics
from tests.new_lake import new_lake
from tests.pipeline.control.daemon.test_daemon import SCHEDULE, until


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake with its own schedule."""
    made = new_lake(tmp_path / "lake")
    (made.path / "schedules.toml").write_text(SCHEDULE)
    return made


def figures(port: int) -> dict[tuple[str, ...], float]:
    """What is answered: name and the labels' values in alphabetical order -> figure."""
    with urlopen(f"http://{HOST}:{port}/metrics", timeout=60) as answer:
        text = answer.read().decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name, *sorted(sample.labels.values())): sample.value for sample in samples}


def free_port() -> int:
    with socket.create_server((HOST, 0)) as taken:
        return int(taken.getsockname()[1])


def test_a_daemon_that_is_asked_to_answers_with_its_verdicts_and_figures_on_loopback(lake: Lake) -> None:
    port = free_port()
    with subprocess.Popen(daemon_command(lake.path, "--metrics", str(port))) as daemon:
        try:
            until(lambda: read_heartbeat(lake.path) is not None)
            told = figures(port)
            assert (told[("nextgen_readable",)], told[("nextgen_running",)]) == (1, 0)
            assert told[("nextgen_service_verdict", "daemon")] == 0
            assert told[("nextgen_service_fact", "owed", "upkeep")] == 0
            assert told[("nextgen_service_fact", "disk", "free_bytes")] > 0
            assert told[("process_resident_memory_bytes",)] > 0
            assert (
                abs(told[("nextgen_beat_timestamp_seconds",)] - told[("nextgen_service_fact", "daemon", "last_beat")])
                < 60
            )
            if sys.platform == "linux":
                address = socket.gethostbyname(socket.gethostname())
                if not address.startswith("127."):
                    with pytest.raises(OSError, match="refused"):
                        socket.create_connection((address, port), timeout=5)
        finally:
            daemon.terminate()
    assert daemon.returncode == 0


def test_a_lake_that_cannot_be_judged_is_told_as_such(lake: Lake) -> None:
    for log in lake.path.glob("tables/*/_delta_log/*.json"):
        log.write_text("damaged")
    with serve_metrics(lake.path, 0) as port:
        assert figures(port)[("nextgen_readable",)] == 0


def test_a_port_that_is_taken_is_refused_in_words(lake: Lake) -> None:
    with serve_metrics(lake.path, 0) as port, pytest.raises(MetricsError, match=f"port {port}: .*; choose another"):
        serve_metrics(lake.path, port).__enter__()


def test_a_daemon_without_the_extra_says_how_to_get_it(lake: Lake) -> None:
    program = (
        "import sys; sys.modules['prometheus_client'] = None\n"
        "from pipeline.control.daemon.main import main\n"
        "sys.argv[1:] = ['--lake', sys.argv[1], '--metrics', '9464']\nmain()"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, str(lake.path)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert "pip install 'nextgen-trading[metrics]'" in result.stderr
