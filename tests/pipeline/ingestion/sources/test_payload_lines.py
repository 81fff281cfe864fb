"""Payloads are written the quick way where that gives the same bytes, and only there."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.ingestion.sources import payload_lines
from pipeline.ingestion.sources.payload_lines import join_lines, json_lines

CELLS = st.one_of(st.none(), st.text(max_size=4), st.sampled_from(['"', "\\", "\n", "\x1f", "\x7f", "é", "12.50", ""]))
NAMES = st.lists(
    st.sampled_from(["open", 'a"b', "c\\d", "ü", "e\nf", "{0}", "}{"]), min_size=1, max_size=3, unique=True
)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_lines_of_each_symbol_are_those_of_the_json_writer(data: st.DataObject) -> None:
    names = data.draw(NAMES)
    rows = data.draw(st.lists(st.tuples(*(CELLS for _ in names)), min_size=1, max_size=8))
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    symbol = pl.Series(["A", "B"] * 4, dtype=pl.String).sort().head(frame.height)
    lines = pl.DataFrame({"symbol": symbol, "line": json_lines(frame)})
    expected = [(str(name), "\n".join(part["line"])) for (name,), part in lines.group_by("symbol", maintain_order=True)]
    with pytest.MonkeyPatch.context() as patch:
        for many in (1, 1_000):
            patch.setattr(payload_lines, "MANY", many)
            assert [(name, text.item()) for name, text in join_lines(symbol, frame)] == expected


def test_a_symbol_whose_lines_stand_apart_has_one_payload_in_the_order_of_its_first_line() -> None:
    frame = pl.DataFrame({"close": ["1", "2", "3"]})
    found = [(name, text.item()) for name, text in join_lines(pl.Series(["B", "A", "B"]), frame)]
    assert found == [("B", '{"close":"1"}\n{"close":"3"}'), ("A", '{"close":"2"}')]


def test_rows_of_which_a_piece_was_filtered_away_have_the_same_lines() -> None:
    pieces = [pl.DataFrame({"ticker": [name] * 250, "close": ["1.5"] * 250}) for name in ("A", "B")]
    frame = pl.concat(pieces, rechunk=False).filter(pl.Series([False] * 250 + [True] * 250))
    assert frame.n_chunks() == 2
    ((name, text),) = join_lines(frame["ticker"], frame)
    assert (name, text[0]) == ("B", "\n".join(['{"ticker":"B","close":"1.5"}'] * 250))
