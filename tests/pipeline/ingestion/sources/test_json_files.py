"""JSON that holds no table of prices is refused in words, and nothing in it is guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.files.layouts.json_tables import read_json


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "{",
            "[1, 2]",
            "3",
            "null",
            '"AAA"',
            "[]",
            "{}",
            '[{"date": 1}, 2]',
            '{"a": [{"b": 1}], "c": [{"d": 1}]}',
        ),
        *('{"columns": ["a"], "data": [[1, 2]]}', '{"columns": 1, "data": 2}', '{"data": [1], "columns": ["a"]}'),
        *('{"chart": {"result": null}}', '{"chart": {"result": [{}]}}', '{"chart": {"result": [3]}}'),
        '{"chart": {"result": [{"meta": {"symbol": "A"}, "timestamp": [1], "indicators": {"quote": [{"open": []}]}}]}}',
        "[" * 100_000,
    ],
)
def test_what_is_no_table_is_told_with_the_way_out(tmp_path: Path, text: str) -> None:
    path = tmp_path / "prices.json"
    path.write_text(text)
    with pytest.raises(SourceError, match=r"prices\.json (is no JSON|holds no table in a form).*save its table as CSV"):
        read_json(path)


def test_numbers_stay_as_they_are_written_and_what_is_none_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    path.write_text(
        '[{"open": 1.50, "volume": 12345678901234567890, "note": {"a": [true]}}, {"open": NaN, "late": ""}]'
    )
    assert read_json(path).to_dicts() == [
        {"open": "1.50", "volume": "12345678901234567890", "note": '{"a": [true]}', "late": None},
        {"open": None, "volume": None, "note": None, "late": ""},
    ]
