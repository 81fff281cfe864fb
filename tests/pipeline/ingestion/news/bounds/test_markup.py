"""HTML is read in a time that grows with its length, and what would take longer is set aside by name."""

from __future__ import annotations

import json
from html import escape
from time import process_time

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ingestion.news.bounds.markup import (
    ENDED,
    FEW,
    MAX_ATTRIBUTES,
    MAX_CHARACTERS,
    MAX_UNFINISHED,
    SHORT,
    WHOLE,
    broken_bound,
    plain,
)
from pipeline.ingestion.news.parse_feeds import MAX_ENTRIES, rss, yahoo_news
from tests.loopback.rss import feed, item

FIELDS = {name: name for name in ("id", "title", "body")}
PIECES = (
    *("<!--", "<a x=1 ", "<a\n", "<a x='", "<a ''", "</", "<?", "<!", "<![CDATA[", "<!-", "<b", "<!--<a <![CDATA[</"),
    *("<div>", "<!-- x -->", "<a b=c>", "&lt;", "&#", "<", "&amp;", "<script>", "<svg><style>"),
)


@pytest.mark.parametrize("piece", PIECES)
def test_no_markup_however_broken_takes_long(piece: str) -> None:
    began = process_time()
    plain(piece * (150_000 // len(piece)))
    assert process_time() - began < 5.0, "the square of the length would be minutes"


@given(st.text(st.sampled_from("<>!-/?&;[]'\" =ax\n"), max_size=60))
def test_a_text_without_a_tag_stays_as_it_is_and_no_text_is_too_much(text: str) -> None:
    found = plain(text)
    assert found is not None
    assert "<" in text or found == text


def test_tags_go_and_words_stay() -> None:
    assert plain("<p>Alpha <b>opens</b> a plant<br>in B &amp; C</p>") == " Alpha opens a plant in B & C"
    assert plain("a < b & c > d") == "a < b & c > d"


def test_the_bounds_are_where_they_are_said_to_be() -> None:
    assert broken_bound("<b " * MAX_UNFINISHED) == ""
    assert broken_bound("<b " * (MAX_UNFINISHED + 1)) == WHOLE
    assert broken_bound("x" * MAX_CHARACTERS) == ""
    assert broken_bound("x" * (MAX_CHARACTERS + 1)) == SHORT
    assert broken_bound("<p>whole</p>" * 1_000) == ""
    for attribute in (' a="x"', "\nb:c = 'x>'"):
        assert broken_bound(f"<a{attribute * MAX_ATTRIBUTES}>") == ""
        assert broken_bound(f"<a{attribute * (MAX_ATTRIBUTES + 1)}>") == FEW


def read(payload: str, content_type: str = "application/xml", encoding: str = "utf-8") -> pl.DataFrame:
    request = json.dumps({"content_type": content_type, "encoding": encoding})
    return rss(pl.DataFrame([{"payload_id": "p", "request": request, "payload": payload}]), FIELDS)


@pytest.mark.parametrize("cdata", [True, False, "twice"])
@pytest.mark.parametrize("where", ["description", "title", "author"])
@pytest.mark.parametrize("piece", ["<!--", "<a x=1 ", "</", "<?"])
def test_an_article_whose_markup_never_ends_is_set_aside_and_the_others_come(
    piece: str, where: str, cdata: bool | str
) -> None:
    text = piece * 20_000
    written = f"<![CDATA[{text}]]>" if cdata is True else escape(escape(text)) if cdata else escape(text)
    hostile = f"<item><guid>2</guid><title>Beta</title><{where}>{written}</{where}></item>"
    began = process_time()
    told = read(feed(item(guid="1"), hostile, item(guid="3")))
    assert process_time() - began < 2.0
    assert told.filter(pl.col("fault").is_null())["id"].to_list() == ["1", "3"]
    (fault,) = told.filter(pl.col("fault").is_not_null())["fault"].to_list()
    assert fault in (WHOLE, SHORT)


def test_a_feed_whose_head_never_ends_gives_nothing() -> None:
    told = read(
        "<?xml version='1.0'?><rss><channel><title>" + "<!--" * 30_000 + "</title>" + item() + "</channel></rss>"
    )
    assert told["fault"].to_list() == [WHOLE]


def test_what_an_xml_parser_looks_through_again_and_again_is_not_given_to_it() -> None:
    crowded = "<item " + " ".join(f'a{number}="x"' for number in range(15_000)) + "><title>Beta</title></item>"
    began = process_time()
    told = read(feed(item(guid="1"), crowded, item(guid="3")))
    assert process_time() - began < 2.0
    assert told["id"].to_list() == ["1", "3", None]
    assert told["fault"].to_list() == [None, None, FEW]


ENDLESS = {
    "an author": feed(item(guid="1"), item(guid="2", author="a" * 100_000), item(guid="3")),
    "an author in pieces": feed(item(guid="1"), item(guid="2", author="aaaa<!-- x -->" * 10_000), item(guid="3")),
    "a quoted author": feed(item(guid="1"), item(guid="2", author=f"<![CDATA[{'a.' * 50_000}]]>"), item(guid="3")),
    "a name": feed(item(guid="1"), f"<item><author><name>{'1' * 100_000}</name></author></item>", item(guid="3")),
    "a style": feed(item(guid="1"), item(description=escape(f'<p style="{"a" * 100_000}">')), item(guid="3")),
    "many styles": feed(item(guid="1"), item(description=escape(f"<p style={'a-' * 900}>" * 90)), item(guid="3")),
    "many images": feed(item(guid="1"), item(description=escape(f"<p style='{'url(' * 9_000}'>")), item(guid="3")),
    "a gap": feed(item(guid="1"), item(description=escape(f"<p style='{' ' * 100_000}'>")), item(guid="3")),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_a_word_without_end_where_a_parser_looks_for_one_sets_its_article_aside(name: str) -> None:
    began = process_time()
    told = read(ENDLESS[name])
    assert process_time() - began < 2.0, "the square of its length would be minutes"
    assert told["id"].to_list() == ["1", "3", None]
    assert told["fault"].to_list() == [None, None, ENDED]


def test_long_words_elsewhere_and_usual_styles_and_names_are_no_fault() -> None:
    style = f"font-family:'Helvetica Neue',sans-serif; background:url(data:image/png;base64,{'a' * 900}); " * 15
    image = f'<img style="{style}" src="data:image/png;base64,{"iVBORw0KGgo" * 900}">'
    written = item(
        description=escape(image),
        author="ann.example@news.example (Ann Example)",
        link="https://a/?style=1&amp;style=" + "x" * 900,
    )
    assert read(feed(written))["fault"].to_list() == [None]


@pytest.mark.parametrize(
    "document",
    [
        '<?xml version="1.0" encoding="utf-8"6>' + feed(item(description="<a b='c'/>" * 15_000), head=""),
        "<?xml?>" + 'encoding="' * 5_000 + '"' * 100_000 + feed(item(), head=""),
        '<?xml version="1.0"?>' + "\n" * 190_000 + feed(item(), head=""),
        "\n" * 190_000 + feed(item(), head=""),
    ],
    ids=["no end", "no element", "lines before", "lines alone"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be", "utf-32"])
def test_a_document_that_begins_without_an_end_is_no_feed(document: str, encoding: str) -> None:
    began = process_time()
    told = read(document.encode(encoding).decode("latin-1"), encoding="latin-1")
    assert process_time() - began < 2.0
    assert told["fault"].to_list() in (["the payload is a feed"], [SHORT])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp037"])
def test_a_feed_on_one_line_is_read_in_every_encoding(encoding: str) -> None:
    document = feed(item("Größe", description=escape('encoding="' * 5_000)), head='<?xml version="1.0"?>')
    began = process_time()
    told = read(document.encode(encoding).decode("latin-1"), encoding="latin-1")
    assert process_time() - began < 2.0
    assert told["title"].to_list() == ["Größe"]


def test_what_follows_the_last_article_is_bounded_too() -> None:
    told = read(feed(item(guid="1"), "<x>" * 40_000 + "</x>" * 40_000))
    assert told["fault"].to_list() == [SHORT]


def test_entries_beyond_the_bound_are_not_parsed_and_the_others_come() -> None:
    told = read(feed(*["<item><title>a</title></item>"] * (MAX_ENTRIES + 2)))
    assert told.height == MAX_ENTRIES
    assert told["title"].unique().to_list() == ["a"]


@pytest.mark.parametrize("head", [b'<?xml version="1.0" encoding="\xd6"?>', b'<?xml encoding="\x00"?>'])
def test_a_feed_that_the_parser_stumbles_over_is_none(head: bytes) -> None:
    told = read((head + b"<rss>").decode("latin-1"), encoding="latin-1")
    assert told["fault"].to_list() == ["the payload is a feed"]


@pytest.mark.parametrize("encoding", ["utf-7", "utf-16", "utf-32", "unicode_escape", "cp037"])
def test_entities_are_seen_in_whatever_encoding_the_parser_will_read(encoding: str) -> None:
    head = f'<?xml version="1.0" encoding="{encoding}"?>'
    document = '<!DOCTYPE l [<!ENTITY a "SMUGGLED">]>' + feed(item("AAA &a;"), head="")
    written = (
        head.encode() + document.encode(encoding) if encoding in ("utf-7",) else (head + document).encode(encoding)
    )
    if encoding == "unicode_escape":
        written = head.encode() + document.replace("<", "\\x3c").encode()
    told = read(written.decode("latin-1"), encoding="latin-1")
    assert "SMUGGLED" not in "".join(told["title"].drop_nulls())
    assert told["fault"].is_not_null().any() or told["title"].drop_nulls().is_empty()


def test_an_encoding_that_takes_for_ever_to_decode_is_not_decoded() -> None:
    began = process_time()
    told = read('<?xml version="1.0" encoding="punycode"?>' + "a" * 200_000 + "-" + "99" * 200_000)
    assert process_time() - began < 2.0
    assert told["fault"].to_list() == ["the payload is a feed"]


def test_what_two_stages_look_at_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import feedparser

    parsed: list[int] = []
    parse = feedparser.parse
    monkeypatch.setattr(feedparser, "parse", lambda *given, **named: (parsed.append(1), parse(*given, **named))[1])
    payload = feed(item("Only once"))
    assert read(payload).equals(read(payload))
    assert len(parsed) == 1


def test_yahoos_news_is_bounded_alike() -> None:
    news = {"news": [{"uuid": "1", "title": "fine", "summary": "x"}, {"uuid": "2", "title": "<!--" * 9_000}]}
    told = yahoo_news(pl.DataFrame([{"payload_id": "p", "request": "{}", "payload": json.dumps(news)}]), FIELDS)
    assert told["id"].to_list() == ["1", None]
    assert told["fault"].to_list() == [None, WHOLE]
