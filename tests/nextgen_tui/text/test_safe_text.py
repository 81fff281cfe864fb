"""Text from outside cannot steer the terminal."""

from __future__ import annotations

import unicodedata
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextgen_tui.text.safe_text import safe_text
from tests.nextgen_tui.hostile import HOSTILE


def dangerous(text: str) -> list[str]:
    return [sign for sign in text if unicodedata.category(sign) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_dangerous_is_left_and_the_length_is_bounded(text: str) -> None:
    shown = safe_text(text, 80)
    assert dangerous(shown) == []
    assert len(shown) <= 80
    shown.encode("utf-8")


@given(st.text(st.characters(), max_size=300), st.integers(min_value=1, max_value=100))
def test_any_text_becomes_one_harmless_line(text: str, longest: int) -> None:
    shown = safe_text(text, longest)
    assert dangerous(shown) == []
    assert len(shown) <= longest
    assert safe_text(shown, longest) == shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("a\x1b]8;;https://evil.example\x1b\\b", "ab"),
        ("  many \n\n lines\there ", "many lines here"),
        ("right\u202eto left", "rightto left"),
        ("[bold]kept[/]", "[bold]kept[/]"),
        ("wide \u263a\ufe0f or not", "wide \u263a or not"),
        ("Zürich 漢字 é 🙂", "Zürich 漢字 é 🙂"),
        ("abcdef", "abc…"),
        (None, "None"),
    ],
)
def test_what_is_harmless_stays(text: object, expected: str) -> None:
    assert safe_text(text, 4 if text == "abcdef" else 200) == expected


def test_a_megabyte_costs_no_more_than_a_line() -> None:
    text = "\x1b[31mx\u0301" * 200_000
    started = process_time()
    safe_text(text)
    assert process_time() - started < 0.1


def test_piled_up_accents_stay_on_their_line() -> None:
    assert len(safe_text("e" + "\u0301" * 100)) == 5
