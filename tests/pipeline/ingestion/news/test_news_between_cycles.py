"""News fetched between cycles is landed once, knows nothing of later, and is what the session's cycle finds."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from lake.runs import find_done_runs, last_session
from lake.tables.control import WorkKind
from lake.tables.news import NEWS_ARTICLES, RAW_NEWS
from pipeline.config.settings import RuntimeParams, Settings
from pipeline.engine.runner import Runner
from pipeline.engine.session_order import find_stage
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.ingestion.sources.rss.params import Feed, RssParams
from pipeline.ingestion.sources.simulated.params import SimulatedParams
from pipeline.ingestion.sources.simulated.source import SimulatedSource
from pipeline.market.sessions import exchange_sessions
from tests.loopback.rss import Page, feed, item, serving
from tests.loopback.yahoo import Yahoo
from tests.loopback.yahoo import serving as serving_yahoo
from tests.new_lake import new_lake
from tests.pipeline.ingestion.sources.test_yahoo import Clock, connected
from tests.pipeline.ingestion.sources.yahoo_lake import yahoo_source

CALENDAR = exchange_sessions()
DAY = date(2025, 6, 3)
OPEN = CALENDAR.open_at(DAY)
TOLD = {0: "before the open", 20: "first", 40: "second", 130: "third"}
"""Minutes after the open less ten -> title."""


def runner(folder: Path, **given: object) -> Runner:
    """A runner of a lake of price files and a file of news."""
    (folder / "prices.csv").write_text("ticker,date,open,high,low,close,volume\nAAA,2025-06-03,1,1,1,1,1\n")
    files = FilesParams(prices=(str(folder / "prices.csv"),), **given)  # type: ignore[arg-type]
    source = SourceParams(name="files", files=files)
    return Runner(new_lake(folder / "lake"), Settings(runtime=RuntimeParams(durable=False), source=source))


def write_news(path: Path) -> None:
    lines = [f"{OPEN + timedelta(minutes=minutes - 10)},{title},AAA" for minutes, title in TOLD.items()]
    path.write_text("published_at,title,tickers\n" + "\n".join(lines) + "\n")


@pytest.fixture
def lake_runner(tmp_path: Path) -> Runner:
    write_news(tmp_path / "news.csv")
    return runner(tmp_path, news=str(tmp_path / "news.csv"))


def titles(one: Runner) -> list[str]:
    return one.lake.read(NEWS_ARTICLES).sort("published_at")["title"].to_list()


def test_each_fetch_lands_what_is_new_and_nothing_of_later(lake_runner: Runner) -> None:
    for minutes, written in ((15, 1), (16, 0), (45, 1), (60, 0), (125, 1)):
        lake_runner.news(OPEN + timedelta(minutes=minutes))
        assert find_done_runs(lake_runner.lake)[-1].written == written, minutes
    landed = lake_runner.lake.read(RAW_NEWS)
    assert landed["payload"].str.contains("third").sum() == 1
    assert set(landed["session"]) == {DAY}
    assert lake_runner.news(OPEN + timedelta(minutes=125)).already_done


def test_the_cycle_makes_the_same_articles_whether_or_not_news_came_before_it(
    lake_runner: Runner, tmp_path: Path
) -> None:
    lake_runner.news(OPEN + timedelta(minutes=45))
    (tmp_path / "plain").mkdir()
    plain = runner(tmp_path / "plain", news=str(tmp_path / "news.csv"))
    for one in (lake_runner, plain):
        for stage in ("land_prices", "land_news", "instruments", "articles"):
            one.run_stage(find_stage(stage), DAY)
    kept = [name for name in NEWS_ARTICLES.columns if name != "payload_id"]
    found, expected = (one.lake.read(NEWS_ARTICLES).select(kept).sort("article_id") for one in (lake_runner, plain))
    assert found.equals(expected) and found.height == len(TOLD)


def test_what_a_feed_has_dropped_by_the_close_is_there_for_the_cycle(tmp_path: Path) -> None:
    with serving() as site:
        feeds = RssParams(feeds=(Feed(name="wire", url=site.base_url + "/"),), reuse_minutes=0.0)
        one = runner(tmp_path)
        one = Runner(one.lake, Settings(runtime=RuntimeParams(durable=False), source=SourceParams(
            name="files", files=one.settings.source.files, rss=feeds)))  # fmt: skip
        for minutes, title in ((15, "dropped soon"), (30, "dropped soon"), (45, "still there")):
            stated = (OPEN + timedelta(minutes=5)).strftime("%a, %d %b %Y %H:%M:%S +0000")
            site.pages["/"] = Page(feed(item(title, stated)).encode())
            one.news(OPEN + timedelta(minutes=minutes))
    assert one.lake.read(RAW_NEWS).height == 2, "a document that has not changed is landed once"
    for stage in ("land_prices", "instruments", "articles"):
        one.run_stage(find_stage(stage), DAY)
    assert sorted(titles(one)) == ["dropped soon", "still there"]


def test_yahoo_is_asked_again_by_each_fetch_though_a_cycle_would_resume_a_visit(tmp_path: Path) -> None:
    clock = Clock(OPEN + timedelta(minutes=15))
    with serving_yahoo(Yahoo()) as yahoo:
        source = yahoo_source(yahoo, tmp_path, "AAA", connection=connected(yahoo, tmp_path, clock))
        for minutes in (15, 15, 30):
            source.news_so_far(DAY, OPEN + timedelta(minutes=minutes))
    assert yahoo.news_of == ["AAA", "AAA"]
    assert source.news(DAY, DAY, history=False).is_empty(), "of an open session a cycle has nothing to ask"


def test_the_simulated_news_of_an_hour_is_the_same_payload_whenever_it_is_asked_for() -> None:
    source = SimulatedSource(SimulatedParams(names=24, history_sessions=160), CALENDAR)
    session = source.coverage()[1]
    noon = CALENDAR.open_at(session) + timedelta(hours=3)
    early, late = (source.news_so_far(session, at) for at in (noon, CALENDAR.close_at(session)))
    assert set(early["payload_id"][:-1]) <= set(late["payload_id"])
    published = source.true_articles(session, session)["published_at"].str.to_datetime(time_zone="UTC")
    assert sum(len(payload.split("\n")) for payload in early["payload"]) == (published <= noon).sum()


def test_news_between_cycles_counts_as_no_session_and_one_cut_off_leaves_what_it_landed_once(
    lake_runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as cut:
        cut.setattr(Runner, "_publish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            lake_runner.news(OPEN + timedelta(minutes=15))
    again = Runner(lake_runner.lake, lake_runner.settings)
    again.news(OPEN + timedelta(minutes=45))
    (run,) = find_done_runs(again.lake)
    assert (run.recipe.work, run.recipe.session, run.written) == (WorkKind.NEWS, DAY, 1)
    assert last_session(again.lake) is None
    assert again.lake.read(RAW_NEWS).height == 2
