"""No byte of a key or an article is on the wire in clear, and no proxy is asked that nobody configured."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from lake.tables.news import NEWS_ARTICLES, RAW_NEWS, RAW_REPLIES
from pipeline.config.home import PROXY_VARIABLE
from pipeline.ingestion.news.articles import articles
from pipeline.ingestion.news.llm_request import ask
from pipeline.ingestion.news.params import LanguageModelParams, NewsParams
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.sources.rss.fetch_feed import Fetcher
from pipeline.ingestion.sources.rss.params import Feed, RssParams
from pipeline.ingestion.sources.rss.source import Feeds
from tests.frames.market import CALENDAR, DAY, instruments, moment
from tests.loopback.rss import feed, item
from tests.loopback.wire import PROXY_PORT, WORLD, overheard, proxy, run_in_own_network, world

KEY, TITLE, BODY = "sk-canary-5f1d2c7e9b", "Alpha canary opens a plant", "It employs a canary or two"
SECRETS = tuple(text.encode() for text in (KEY, TITLE, BODY))
EVENING = (CALENDAR.close_at(DAY) + timedelta(hours=1)).timestamp()
MODEL = LanguageModelParams(name="gpt-test", training_cutoff="2019-06-30", timeout_seconds=10.0, tries=1)
HABITS = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


def test_neither_key_nor_article_leaves_in_clear_and_only_a_configured_proxy_is_asked(tmp_path: Path) -> None:
    through = f"http://{WORLD}:{PROXY_PORT}"
    environ = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    environ |= dict.fromkeys(HABITS, through) | {"OPENAI_API_KEY": KEY, "NEXTGEN_STATE": str(tmp_path / "state")}
    environ |= {"OPENAI_BASE_URL": f"http://{WORLD}/v1", "OPENAI_ORG_ID": "org-canary", "PYTHONDONTWRITEBYTECODE": "1"}
    said = run_in_own_network(__name__, [str(tmp_path), through], tmp_path, environ)
    if said is None:
        pytest.skip("it takes root, unshare, ip and openssl")
    found = json.loads(said.splitlines()[-1])
    assert found["control"] == {"overheard": [KEY, TITLE, BODY], "clear": ["POST /control HTTP/1.1"], "proxy": []}
    landed = {"formats": ["rss"], "titles": [TITLE], "replies": ["answered"], "overheard": [], "clear": []}
    assert found["direct"] == landed | {"proxy": []}
    asked = [f"CONNECT {name}:443 HTTP/1.1" for name in ("news.example", "api.openai.com")]
    assert found["by proxy"] == landed | {"proxy": asked}
    assert found["unencrypted"] == landed | {"replies": ["failed"], "proxy": []}


def land(folder: Path, model: LanguageModelParams) -> dict[str, object]:
    """Land the feed and have its articles scored; what came of it."""
    fetcher = Fetcher(folder=folder, timeout=10.0, max_bytes=100_000, reuse=0.0, now=lambda: EVENING)
    wire = Feed(name="wire", url="https://news.example/feed", tickers=("AAA",))
    raw = RAW_NEWS.check(
        Feeds(RssParams(feeds=(wire,)), CALENDAR, fetcher, lambda: EVENING).news(DAY, DAY, history=False)
    )
    params = IngestionParams(news=NewsParams(model=model))
    rows = NEWS_ARTICLES.check(articles(raw, NEWS_ARTICLES.empty(), instruments("AAA"), moment(), params))
    replies = RAW_REPLIES.check(ask(None, rows, RAW_REPLIES.empty(), moment(), params))  # type: ignore[arg-type]
    return {
        "formats": raw["format"].to_list(),
        "titles": rows["title"].to_list(),
        "replies": replies["status"].to_list(),
    }


def shout() -> dict[str, object]:
    """Send everything in clear, so that it is known to be heard."""
    said = json.dumps({"input": json.dumps({"articles": [{"id": TITLE, "tickers": []}]}), "body": BODY})
    request = Request(f"http://{WORLD}/control", said.encode(), {"Authorization": KEY})
    build_opener(ProxyHandler({})).open(request, timeout=10).read()
    return {}


def main(folder: str, through: str) -> None:
    """Do all of it in this process's network, and print what was heard as JSON."""
    found: dict[str, dict[str, object]] = {}
    document = feed(item(TITLE, description=BODY))
    plain = replace(MODEL, base_url="http://api.openai.com/v1")
    with overheard() as take, world(Path(folder), document) as clear, proxy() as asked:
        steps = {
            "control": shout,
            "direct": lambda: land(Path(folder, "a"), replace(MODEL, name="gpt-a")),
            "unencrypted": lambda: land(Path(folder, "b"), plain),
            "by proxy": lambda: land(Path(folder, "c"), replace(MODEL, name="gpt-c")),
        }
        for name, step in steps.items():
            os.environ[PROXY_VARIABLE] = through if name == "by proxy" else ""
            found[name] = step()
            heard = take()
            found[name]["overheard"] = [secret.decode() for secret in SECRETS if secret in heard]
            found[name] |= {"clear": list(clear), "proxy": list(asked)}
            clear.clear()
            asked.clear()
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
