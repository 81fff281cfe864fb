"""Settings written as TOML come back as they were."""

from __future__ import annotations

import tomllib
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.toml_document import toml_document, toml_value, write_document

scalars = st.one_of(
    st.booleans(),
    st.integers(min_value=-(2**63), max_value=2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"])),
)


@settings(max_examples=30)
@given(st.one_of(scalars, st.lists(scalars)))
def test_any_value_survives_the_way_through_toml(value: object) -> None:
    assert tomllib.loads(f"x = {toml_value(value)}")["x"] == value


def test_keys_are_grouped_by_section_whatever_their_order() -> None:
    text = toml_document([("a.x", 1), ("a.b.y", 2), ("a.z", 3), ("top", 4)])
    assert tomllib.loads(text) == {"top": 4, "a": {"x": 1, "z": 3, "b": {"y": 2}}}


def test_a_remark_cannot_break_out_of_its_line() -> None:
    text = toml_document([("a.x", 1)], {"a.x": "evil\nb = 2\x1b[31m"})
    assert tomllib.loads(text) == {"a": {"x": 1}}
    assert "\x1b" not in text


def test_what_is_not_set_is_left_out() -> None:
    assert tomllib.loads(toml_document([("a.x", None), ("a.y", 1)])) == {"a": {"y": 1}}


def test_the_file_is_replaced_whole(tmp_path: Path) -> None:
    write_document(tmp_path, "a = 1\n")
    path = write_document(tmp_path, "a = 2\n")
    assert path.read_text(encoding="utf-8") == "a = 2\n"
    assert [one.name for one in tmp_path.iterdir()] == ["nextgen.toml"]
