"""Plugins: what is wrong with a file is said in words, and a run gets again what it used."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.features.feature_set import feature_set
from pipeline.models import members
from pipeline.models.members.naive import Naive
from pipeline.plugins import plugins
from pipeline.plugins.plugins import PluginError, Plugins
from pipeline.trading.planning import rules
from pipeline.trading.planning.rule import Rule, allow
from tests.frames.features import CALENDAR

EXAMPLE = Path("docs/examples/alpha_plugin.py").absolute()
FEATURE = """
from pipeline.features.feature import Feature

def kernel(view):
    return view.close(3)[0]

FEATURES = (Feature("{name}", "own", unit="ratio", formula="C(t-2)", warm_up={warm_up}, kernel=kernel),)
"""


def write(folder: Path, text: str, name: str = "own.py") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def load(*paths: Path) -> Plugins:
    return Plugins.load(paths, CALENDAR)


def test_the_example_works_and_its_hash_is_recorded_where_it_is_used() -> None:
    plugins = load(EXAMPLE)
    (plugin,) = plugins.files
    assert plugin.error == ""
    assert plugin.declared == {"features": ["squeeze_10", "calm_10"], "rules": ["calm_names"], "members": ["reversal"]}
    assert plugins.hashes(["rules"]) == {"alpha_plugin.py": plugin.sha256}
    assert plugins.hashes([]) == {}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x = (", "own.py, line 1: '(' was never closed; correct it"),
        ("\nimport nothing_like_it", "own.py, line 2: ModuleNotFoundError: No module named 'nothing_like_it'"),
        ("\n\n1 / 0", "own.py, line 3: ZeroDivisionError"),
        ("raise SystemExit(3)", "own.py, line 1: SystemExit: 3"),
        ("x = 1", "it declares nothing; give it a tuple FEATURES, RULES or MEMBERS"),
        ("FEATURES = 3", "FEATURES is int; make it a tuple"),
        ("FEATURES = (3,)", "FEATURES holds 3; put in objects of pipeline.features.feature.Feature"),
        ("RULES = (3,)", "RULES holds 3; declare each with @rule(unit)"),
        ("def mine(): ...\nRULES = (mine,)", "RULES holds the function mine; declare each with @rule(unit)"),
        ("class M: ...\nMEMBERS = (M(),)", "MEMBERS holds an object of M, which lacks fit, quantiles"),
        ("MEMBERS = (3,)", "MEMBERS holds 3, which lacks fit, quantiles, shapes, settings, name, simple"),
        (FEATURE.format(name="gap_1", warm_up=2), "a feature 'gap_1' is there already; give yours another name"),
        (FEATURE.format(name="own", warm_up=252), "warm_up is 252; choose 0 to 251 sessions"),
        (FEATURE.format(name="own", warm_up=1), "looks back further than the 1 sessions of its warm_up"),
        (
            FEATURE.format(name="own", warm_up=2).replace("close(3)", "clse(3)"),
            "line 5: feature 'own' fails on made-up sessions: AttributeError",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_words(tmp_path: Path, text: str, complaint: str) -> None:
    (plugin,) = load(write(tmp_path, text)).files
    assert complaint in plugin.error
    assert str(tmp_path / "own.py") in plugin.error


def test_a_file_that_is_not_there_is_named_with_the_setting_to_correct(tmp_path: Path) -> None:
    (plugin,) = load(tmp_path / "gone.py").files
    assert plugin.error == (
        f"plugin {tmp_path}/gone.py cannot be read (No such file or directory); "
        "correct plugins.files, or take it out there"
    )


def test_two_files_may_not_declare_the_same_nor_be_called_the_same(tmp_path: Path) -> None:
    text = FEATURE.format(name="own", warm_up=2)
    first, second = load(write(tmp_path, text), write(tmp_path, text, "other.py")).files
    assert first.error == ""
    assert second.error == f"plugin {tmp_path}/other.py: feature 'own' is declared by {first.path} as well; rename one"
    (tmp_path / "sub").mkdir()
    _, third = load(first.path, write(tmp_path / "sub", text.replace('"own"', '"mine"'))).files
    assert third.error == "two plugins are called own.py; rename one of the files"


def test_loading_searches_no_folder_for_imports_and_leaves_nothing(tmp_path: Path) -> None:
    write(tmp_path, "x = 1", "neighbour.py")
    before = list(sys.path)
    (plugin,) = load(write(tmp_path, "import neighbour")).files
    assert "No module named 'neighbour'" in plugin.error
    assert sys.path == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["neighbour.py", "own.py"]


def test_a_plugin_that_does_not_load_stops_what_needs_it_and_nothing_else(tmp_path: Path) -> None:
    plugins = load(EXAMPLE, write(tmp_path, "1 / 0"))
    plugins.require_working([])
    assert plugins.extend([]).record() == {}
    for kind in ("features", "rules", "members"):
        with pytest.raises(PluginError, match=r"own\.py, line 1: ZeroDivisionError"):
            plugins.extend([kind])


def test_a_run_gets_again_what_it_recorded_and_no_more(tmp_path: Path) -> None:
    first = load(EXAMPLE)
    used = first.extend(["features", "rules"])
    plugins = Plugins((*first.files, *load(write(tmp_path, FEATURE.format(name="own", warm_up=2))).files))
    again = plugins.restore(["features", "rules"], used.record())
    assert again == used
    assert feature_set(again).names[-2:] == ("squeeze_10", "calm_10")
    assert plugins.restore(["features"], {}).features == ()


def test_columns_come_back_in_their_order_from_a_record_whose_keys_are_sorted() -> None:
    plugins = Plugins.load((EXAMPLE,), CALENDAR, ("alpha158", "residual_moves"))
    used = plugins.extend(["features"])
    kept = json.loads(json.dumps(used.record(), sort_keys=True))
    again = replace(plugins, feature_sets=()).restore(["features"], kept)
    assert list(kept["features"]) != [one.name for one in used.features]
    assert again == used and feature_set(again).names == feature_set(used).names


def test_comments_and_layout_change_the_hash_of_the_file_and_not_what_its_features_are(tmp_path: Path) -> None:
    text = FEATURE.format(name="own", warm_up=2)
    once = load(write(tmp_path, text))
    words = load(write(tmp_path, text.replace("    return", '    """Said."""\n    # why\n    return')))
    other = load(write(tmp_path, text.replace("close(3)[0]", "close(3)[1]")))
    assert once.hashes(["features"]) != words.hashes(["features"])
    definitions = [one.extend(["features"]).definitions for one in (once, words, other)]
    assert definitions[0] == definitions[1] != definitions[2]


def test_what_is_gone_or_changed_since_a_run_is_said_in_words(tmp_path: Path) -> None:
    path = write(tmp_path, FEATURE.format(name="own", warm_up=2))
    before = load(path)
    record, hashes = before.extend(["features"]).record(), before.hashes(["features"])
    assert before.changes(hashes) == []
    write(tmp_path, FEATURE.format(name="own", warm_up=3))
    assert load(path).changes(hashes) == ["plugin own.py"]
    assert load().changes(hashes) == ["plugin own.py (no longer among plugins.files)"]
    with pytest.raises(PluginError, match="used 1 features that nothing declares any more, the first is 'own'"):
        load().restore(["features"], record)


class Later(Naive):
    name = "later"


def test_a_rule_and_a_member_that_the_program_gains_are_recorded_and_no_run_of_before_has_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before_rules, before_members, uses = rules.RULES, members.MEMBERS, ("rules", "members")
    now_rules = (Rule("later", None, lambda *_: allow("fine")), *before_rules)
    now_members = (Later(), *before_members)
    for module in (rules, plugins):
        monkeypatch.setattr(module, "RULES", now_rules)
    for module in (members, plugins):
        monkeypatch.setattr(module, "MEMBERS", now_members)
    now = load().extend(uses)
    assert (now.record()["rules"][0], now.record()["members"][0]) == ("later", "later")
    again, old = load().restore(uses, now.record()), load().restore(uses, {})
    assert rules.list_rules(now.rules) == rules.list_rules(again.rules) == now_rules
    assert members.list_members(now.members) == members.list_members(again.members) == now_members
    first_rules, first_members = rules.list_rules(old.rules), members.list_members(old.members)
    assert [rule.name for rule in first_rules] == list(rules.FIRST_RULES)
    assert sorted(member.name for member in first_members) == sorted(members.FIRST_MEMBERS)
