"""A mapping says what can be said, and every mistake in it is named with its place and its cure."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.ingestion.imports.mapping import parse_mapping, read_mapping
from pipeline.ingestion.sources.errors import SourceError
from tests.frames.older import CONTENT


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    content = copy.deepcopy(CONTENT)
    change(content)
    return content


def test_a_whole_mapping_is_read() -> None:
    mapping = parse_mapping(CONTENT, "m.toml")
    assert mapping.source == "import-legacy"
    assert [section.kind for section in mapping.sections] == ["prices", "news", "predictions", "trades"]
    assert mapping.sections[0].wanted == ("sym", "d", "o", "h", "l", "c", "v")
    assert mapping.sections[0].divide["close"] == 100


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.clear(), r"maps nothing; add at least one of the sections prices, news"),
        (lambda m: m.update(price={}), r"has 'price', which means nothing here; did you mean 'prices'\?"),
        (lambda m: m.update(name="Old System"), r"name is 'Old System'; use small letters"),
        (lambda m: m.update(zone="Mars/Olympus"), r"there is no time zone 'Mars/Olympus'"),
        (lambda m: m.update(zone="../../etc/passwd"), r"there is no time zone"),
        (lambda m: m.update(currency="dollars"), r"currency is 'dollars'; use an ISO 4217 code"),
        (lambda m: m.update(prices=7), r"\[prices\] is not a section"),
        (lambda m: m["prices"].pop("adjusted"), r"\[prices\] has to say `adjusted = false`"),
        (lambda m: m["prices"].update(adjusted=True), r"the lake keeps prices as traded"),
        (lambda m: m["prices"].update(interval="1w"), r"interval is one of 1d, 1h, 5m and 1m"),
        (lambda m: m["prices"].update(interval="5m"), r"bars of 5m need a time; map `ts`"),
        (lambda m: m["prices"]["columns"].pop("close"), r"maps no 'close'; add `close = \"COLUMN\"`"),
        (lambda m: m["prices"]["columns"].pop("session"), r"maps neither 'session' nor 'ts'"),
        (lambda m: m["prices"]["columns"].update(clsoe="c"), r"columns has 'clsoe', .* did you mean 'close'\?"),
        (lambda m: m["prices"]["columns"].update(close=3), r"gives 'close' the value 3; write it as a text"),
        (lambda m: m["prices"].update(constants={"close": "1"}), r"gives 'close' a column and a constant; keep one"),
        (lambda m: m["prices"]["divide"].update(close=0), r"close cannot be divided by 0"),
        (lambda m: m["prices"]["divide"].update(close=True), r"close cannot be divided by True"),
        (lambda m: m["prices"]["divide"].update(close=float("nan")), r"close cannot be divided by nan"),
        (lambda m: m["prices"]["divide"].update(ticker=2), r"divide has 'ticker', which means nothing here"),
        (
            lambda m: m["prices"]["formats"].update(session="dd/mm/yyyy"),
            r"the form 'dd/mm/yyyy' of 'session' reads no day",
        ),
        (lambda m: m["prices"]["formats"].update(session="%Y"), r"the form '%Y' of 'session' reads no day"),
        (lambda m: m["trades"].update(formats={"at": "%Y-%m-%d"}), r"'at' has no time of day; add %H:%M"),
        (lambda m: m["predictions"].update(value="odds"), r"value is 'odds'; it is one of return, log return, price"),
        (lambda m: m["predictions"].update(value="price"), r"needs `reference`, the close it starts from"),
        (lambda m: m["news"].update(constants={"title": "x"}), r"gives 'title' a column and a constant"),
    ],
)
def test_a_mistake_is_named_with_its_cure(change: Callable[[dict[str, Any]], object], said: str) -> None:
    with pytest.raises(SourceError, match=rf"^m\.toml.*{said}"):
        parse_mapping(changed(change), "m.toml")


def test_a_file_that_is_no_mapping_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        read_mapping(path)
    for content, words in (
        (b"name = ", "is not valid TOML"),
        (b"\xff\xfe", "is not a text file"),
        (b"#" * 1_000_001, "1,000,001 bytes"),
    ):
        path.write_bytes(content)
        with pytest.raises(SourceError, match=words):
            read_mapping(path)
