"""Whatever is not markup is escaped where it goes in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextgen_tui.report.markup import Html, join, table, tag
from nextgen_tui.text.safe_text import remove_unsafe
from tests.nextgen_tui.hostile import HOSTILE
from tests.nextgen_tui.report.parsed_page import Words


def test_texts_are_escaped_and_markup_is_kept() -> None:
    assert tag("p", "a < b & c", Html("<b>d</b>")) == "<p>a &lt; b &amp; c<b>d</b></p>"
    assert tag("i", class_='x" onload="y', data_n=2, title=None) == '<i class="x&quot; onload=&quot;y" data-n="2"></i>'


def test_the_first_cell_of_a_row_names_it() -> None:
    made = table(["", "n"], [["<x>", "1"]], "narrow")
    assert '<table class="narrow">' in made
    assert '<th scope="row">&lt;x&gt;</th><td>1</td>' in made


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_hostile_text_gets_out_of_its_element(text: str) -> None:
    seen = Words(tag("p", text, title=text[:100]))
    assert [name for name, _ in seen.elements] == ["p"]
    assert all(remove_unsafe(word) == word for word in seen.words)
    assert sum(map(len, seen.words)) <= 600


@settings(max_examples=30)
@given(st.text())
def test_what_is_said_is_what_is_read(text: str) -> None:
    assert [name for name, _ in Words(join("<p>", tag("b", text))).elements] == ["b"]
