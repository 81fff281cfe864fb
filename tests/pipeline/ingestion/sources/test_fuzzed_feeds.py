"""Whatever a feed's server says, its landing ends in time, takes little memory, and asks nobody else."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from lake.tables.news import NEWS_ARTICLES, RAW_NEWS
from pipeline.ingestion.news.articles import articles, validate_articles
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.sources.rss.fetch_feed import Fetcher
from pipeline.ingestion.sources.rss.params import Feed, RssParams
from pipeline.ingestion.sources.rss.source import Feeds
from pipeline.network.addresses import origin_of
from tests.frames.market import CALENDAR, DAY, instruments, moment
from tests.loopback.conversations import Host, Part, talking, whole
from tests.loopback.fuzzed_conversations import say

SECONDS, MAX_BYTES = 0.3, 400_000
EVENING = (CALENDAR.close_at(DAY) + timedelta(hours=1)).timestamp()
READING = 2.0
"""Processor seconds that the reading of a landing may take; the square of its length would be minutes."""
MARGIN = 1.0
"""Seconds beyond its deadline within which a landing has to end."""
TRIES = 3
"""How often a conversation that takes longer is held, or a landing read: a busy machine stalls now and then, a fault
always."""
MAX_MEMORY = 300
"""MB of the whole process."""


@dataclass
class Landed:
    """What came of a series of landings."""

    outcomes: Counter[str] = field(default_factory=Counter)
    """The format landed and the rules broken -> how often."""
    slowest: tuple[float, int] = (0.0, 0)
    """Seconds by the wall of one landing, and the number of its conversation."""
    hardest: tuple[float, int] = (0.0, 0)
    """Processor seconds of reading one landing, and the number of its conversation."""
    again: list[int] = field(default_factory=list)
    """Conversations that took too long and were held again."""
    connected: list[str] = field(default_factory=list)
    """Where the process connected to, once each; filled by a process of its own alone."""
    peak: float = 0.0
    """MB that the process had at most; filled by a process of its own alone."""


def hold(source: Feeds) -> tuple[float, pl.DataFrame]:
    """Hold one conversation; the seconds it took and what landed."""
    began = time.monotonic()
    raw = RAW_NEWS.check(source.news(DAY, DAY, history=False))
    return time.monotonic() - began, raw


def read(raw: pl.DataFrame) -> tuple[float, pl.Series]:
    """Read what landed as a cycle does; the processor seconds it took and the rules that were broken."""
    began = time.process_time()
    NEWS_ARTICLES.check(articles(raw, NEWS_ARTICLES.empty(), instruments("AAA"), moment(), IngestionParams()))
    rules = validate_articles(raw, CALENDAR).bad["rule"].unique().sort()
    return time.process_time() - began, rules


def land(base_url: str, numbers: range, folder: Path) -> Landed:
    """Land a feed for each conversation of a server, and read what landed as a cycle does."""
    told = Landed()
    for number in numbers:
        url = f"{base_url}{number}"
        fetcher = Fetcher(
            folder=folder, timeout=SECONDS, max_bytes=MAX_BYTES, reuse=0.0, configured=frozenset({origin_of(url)}),
            now=lambda: EVENING,
        )  # fmt: skip
        source = Feeds(RssParams(feeds=(Feed(name="f", url=url),)), CALENDAR, fetcher, lambda: EVENING)
        took, raw = hold(source)
        for _ in range(TRIES - 1):
            if took < SECONDS + MARGIN:
                break
            told.again.append(number)
            took, raw = hold(source)
        reading, rules = read(raw)
        for _ in range(TRIES - 1):
            if reading < READING:
                break
            reading, rules = read(raw)
        told.hardest = max(told.hardest, (reading, number))
        told.slowest = max(told.slowest, (took, number))
        told.outcomes["; ".join([*raw["format"], *rules])] += 1
    return told


@contextmanager
def conversing(seed: int) -> Iterator[tuple[Host, Host]]:
    """A server that holds a series of conversations, and one that nobody may ask, for the block."""

    def answer(asked: bytes) -> list[Part]:
        path = asked.split(b" ")[1] if asked.count(b" ") > 1 else b"/0"
        number = path.split(b"/")[1]
        return say(seed, int(number) if number.isdigit() else 0, asked, inside.port)

    with talking(whole(b"<rss>secret</rss>")) as inside, talking(answer) as host:
        yield host, inside


def test_a_sample_of_conversations_ends_and_asks_nobody_else(tmp_path: Path) -> None:
    with conversing(seed=1) as (host, inside):
        told = land(host.url(), range(40), tmp_path)
    assert inside.asked == []
    assert told.outcomes.total() == 40 and len(told.outcomes) > 3
    assert told.slowest[0] < SECONDS + 5.0, "without a deadline it would never end"
    assert told.hardest[0] < READING


@pytest.mark.slow
@pytest.mark.cold
def test_five_thousand_conversations_end_in_time_in_little_memory_and_ask_nobody_else(tmp_path: Path) -> None:
    with conversing(seed=2) as (host, inside):
        command = [sys.executable, "-m", __name__, host.url(), "5000", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=3_600)
    told = Landed(**json.loads(done.stdout.splitlines()[-1]))
    print(told)
    assert inside.asked == []
    assert told.connected == [f"127.0.0.1:{host.port}"]
    assert sum(told.outcomes.values()) == 5_000
    assert told.slowest[0] < SECONDS + MARGIN
    assert told.hardest[0] < READING
    assert told.peak < MAX_MEMORY


def main(base_url: str, count: str, folder: str) -> None:
    """Land in a process of its own, which notes where it connects to, and print what came of it as JSON."""
    connected: set[str] = set()

    def notice(event: str, arguments: tuple[object, ...]) -> None:
        if event == "socket.connect" and isinstance(arguments[1], tuple):
            connected.add(f"{arguments[1][0]}:{arguments[1][1]}")

    sys.addaudithook(notice)
    told = land(base_url, range(int(count)), Path(folder))
    status = Path("/proc/self/status").read_text(encoding="ascii")
    told.peak = next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    told.connected = sorted(connected)
    print(json.dumps(vars(told)))


if __name__ == "__main__":
    main(*sys.argv[1:])
