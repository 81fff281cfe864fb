"""An experiment's file is read or refused in words, before anything is recorded."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from pipeline.config import ConfigError
from pipeline.research import ResearchError
from pipeline.research.spec import read_spec, read_spec_file

GOOD = """
name = "one"
question = "Does it help?"
kill = "it does not"
from = 2021-03-01
to = 2021-06-01
"""


def names(more: str) -> list[str]:
    return [one.name for one in read_spec(GOOD + more).variants]


def test_a_grid_is_every_combination_of_its_values() -> None:
    vary = '[vary]\n"trading.costs.impact" = [0.5, 1.0]\n"trading.mandate.risk_aversion" = [10, 20, 30]\n'
    spec = read_spec(GOOD + vary)
    told = [{key: given.value for key, given in one.settings.items()} for one in spec.variants]
    assert len(told) == 6
    assert told[0] == {"trading.costs.impact": 0.5, "trading.mandate.risk_aversion": 10.0}
    assert (spec.first, spec.last, spec.base, spec.metric) == (date(2021, 3, 1), date(2021, 6, 1), "main", "return")


def test_settings_may_be_written_as_tables() -> None:
    assert names("[vary.trading.costs]\nimpact = [0.5]\n") == ["001-impact-0.5"]


def test_a_search_draws_some_points_and_always_the_same() -> None:
    vary = '[vary]\n"trading.costs.impact" = [0.1, 0.2, 0.3, 0.4, 0.5]\n[search]\npoints = 2\nseed = {}\n'
    assert names(vary.format(1)) == names(vary.format(1))
    assert len(names(vary.format(1))) == 2
    assert len({tuple(names(vary.format(seed))) for seed in range(20)}) > 1


def test_a_variant_without_settings_tries_the_code_of_today() -> None:
    spec = read_spec(GOOD + '[[variant]]\nname = "code"\n')
    assert [dict(one.settings) for one in spec.variants] == [{}]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("", "varies nothing"),
        ("[vary]\n", "varies nothing"),
        ('[vary]\n"trading.costs.impact" = []\n', "no list of values"),
        ('[vary]\n"trading.costs.impact" = 1.0\n', "no list of values"),
        ("vari = 1\n", "did you mean vary"),
        ('[[variant]]\nname = "../x"\n', "needs a name"),
        ('[[variant]]\nname = "a"\nsett = 1\n', "did you mean set"),
        ('[[variant]]\nname = "a"\n[[variant]]\nname = "a"\n', "two variants are called a"),
        ("[search]\npoints = 3\n", "nothing to draw from"),
        ("[search]\npoints = 0\n", "at least 1"),
        ('[vary]\n"source.name" = ["yahoo"]\n', "cannot be varied"),
        ('keep_above = "much"\n[[variant]]\nname = "a"\n', "write a number"),
        ('keep_above = nan\n[[variant]]\nname = "a"\n', "keep_above is nan; write a number"),
        ('keep_above = inf\n[[variant]]\nname = "a"\n', "keep_above is inf; write a number"),
        ("variant = 5\n", "in two brackets"),
        ('variant = {name = "a"}\n', "in two brackets"),
        ('[[variant]]\nname = "a"\nset = 5\n', "number 1 has set = 5"),
        ('[vary]\n"trading.costs.impact" = [1]\n[search]\npoints = true\n', "at least 1"),
        ('[vary]\n"trading.costs.impact" = [1]\n[search]\npoints = 1\nseed = "x"\n', "the seed 'x'"),
        ("[vary\n", "not valid TOML"),
        ('metric = "luck"\n[[variant]]\nname = "a"\n', "no figure 'luck' of runs; choose from return, costs, turnover"),
        ('metric = "ic"\n[[variant]]\nname = "a"\n', "no figure 'ic' of runs.*ic_HORIZON"),
        ('metric = "return_5"\n[[variant]]\nname = "a"\n', "no figure 'return_5' of runs"),
    ],
)
def test_what_is_wrong_is_said(more: str, words: str) -> None:
    with pytest.raises(ResearchError, match=words):
        read_spec(GOOD + more)


@pytest.mark.parametrize(
    ("line", "instead", "words"),
    [
        ('question = "Does it help?"', "", "needs question"),
        ('kill = "it does not"', 'kill = " "', "needs kill"),
        ('name = "one"', 'name = "main"', "cannot be the name"),
        ("to = 2021-06-01", "to = 2021-02-01", "ends after it begins"),
        ("to = 2021-06-01", 'to = "soon"', "needs to"),
        ("from = 2021-03-01", "from = 2021-03-01T00:00:00Z", "write the session alone"),
    ],
)
def test_what_is_lacking_is_said(line: str, instead: str, words: str) -> None:
    with pytest.raises(ResearchError, match=words):
        read_spec(GOOD.replace(line, instead) + '[[variant]]\nname = "a"\n')


@pytest.mark.parametrize(
    ("setting", "words"),
    [('"trading.costs.impct" = [1]', "did you mean trading.costs.impact"), ('"trading.costs.impact" = [-1]', "impact")],
)
def test_a_setting_is_held_to_its_name_and_range(setting: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_spec(f"{GOOD}[vary]\n{setting}\n")


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_file_of_another_encoding_is_refused_by_its_name(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "one.toml"
    file.write_text(f'# café\n{GOOD}[[variant]]\nname = "a"\n', encoding=encoding)
    with pytest.raises(ResearchError, match=r"one\.toml is not UTF-8 text .*; save it as UTF-8"):
        read_spec_file(file)
