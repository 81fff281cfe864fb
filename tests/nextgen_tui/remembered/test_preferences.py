"""What was chosen is there in the next session, for its user alone; damage costs the choices and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nextgen_tui.remembered.preferences import FILE, MAX_LAKES, ColumnChoice, Preferences


def test_what_was_chosen_is_there_in_the_next_session(tmp_path: Path) -> None:
    first = Preferences(tmp_path)
    first.choose_columns("Plan/plan", ColumnChoice(("edge",), ("stop",), {"ticker": 20}))
    first.save_filter("energy", "energy !refused")
    first.note_lake(tmp_path / "lake")
    again = Preferences(tmp_path)
    assert again.columns("Plan/plan") == ColumnChoice(("edge",), ("stop",), {"ticker": 20})
    assert again.filters() == {"energy": "energy !refused"} and again.lakes() == (str(tmp_path / "lake"),)
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


def test_a_choice_of_nothing_is_kept_no_longer(tmp_path: Path) -> None:
    kept = Preferences(tmp_path)
    kept.choose_columns("a/b", ColumnChoice(("x",)))
    kept.choose_columns("a/b", ColumnChoice())
    assert json.loads((tmp_path / FILE).read_text()) == {"columns": {}}


def test_two_consoles_do_not_undo_each_others_choices(tmp_path: Path) -> None:
    one, other = Preferences(tmp_path), Preferences(tmp_path)
    one.save_filter("a", "x")
    other.note_lake(tmp_path)
    assert Preferences(tmp_path).filters() == {"a": "x"}


ODD = '{"columns": {"a/b": {"hidden": "x", "widths": {"y": "z", "w": true}}}}'


@pytest.mark.parametrize("text", ["", "not json", "[]", '{"columns": 7}', ODD, "\x00"])
def test_a_damaged_file_counts_as_nothing_chosen(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    assert Preferences(tmp_path).columns("a/b") == ColumnChoice()
    assert Preferences(tmp_path).filters() == {} and Preferences(tmp_path).lakes() == ()


def test_a_width_stays_within_reason(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"columns": {"a/b": {"widths": {"x": 1, "y": 100000, "z": 12}}}}')
    assert Preferences(tmp_path).columns("a/b").widths == {"x": 4, "y": 200, "z": 12}


def test_a_folder_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    kept = Preferences(tmp_path / "taken")
    kept.save_filter("a", "x")
    assert kept.find_filter("a") == "x"


def test_a_filter_that_is_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    kept = Preferences()
    kept.save_filter("energy", "x")
    for wrong, told in (("enrgy", "did you mean 'energy'"), ("qqq", "there are energy")):
        with pytest.raises(ValueError, match=told):
            kept.find_filter(wrong)
    with pytest.raises(ValueError, match="is no name for a filter"):
        kept.save_filter("Two Words", "x")
    with pytest.raises(ValueError, match="no filter is set here"):
        kept.save_filter("empty", "  ")
    kept.forget_filter("energy")
    with pytest.raises(ValueError, match="there are none yet"):
        kept.find_filter("energy")


def test_only_the_last_lakes_are_remembered() -> None:
    kept = Preferences()
    for number in range(MAX_LAKES + 3):
        kept.note_lake(Path(f"/lake{number}"))
    kept.note_lake(Path("/lake5"))
    assert len(kept.lakes()) == MAX_LAKES and kept.lakes()[:2] == ("/lake5", f"/lake{MAX_LAKES + 2}")
