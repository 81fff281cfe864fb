"""The real settings: documented, bounded, settable from file and environment, and consistent."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest

from pipeline.config import ConfigError
from pipeline.config.check_values import from_text
from pipeline.config.fields import Setting, settings_of
from pipeline.config.layers import variable_of
from pipeline.config.loading import choice, load
from pipeline.config.recorded import first_names, from_record
from pipeline.config.resolving import values_of
from pipeline.config.setting_types import AnyText
from pipeline.config.settings import Settings
from pipeline.config.toml_document import toml_document, toml_value
from pipeline.config.type_description import bounds_of
from pipeline.engine.stages import STAGES

KNOWN = settings_of(Settings)


def refusal(lines: dict[str, Any], path: Path, environ: dict[str, str] | None = None) -> str:
    """What is said of a file with these keys and values; nothing where it is accepted."""
    (path / "nextgen.toml").write_text("".join(f"{key} = {_toml(value)}\n" for key, value in lines.items()))
    try:
        load(path, environ or {})
    except ConfigError as error:
        return str(error)
    return ""


def _toml(value: Any) -> str:
    return value if isinstance(value, str) and value.startswith("[{") else toml_value(value)


def leaf(annotation: Any) -> Any:
    """The declared type of a single value: of the entries for a list, without None for what may be left unset."""
    if get_origin(annotation) is not None and hasattr(annotation, "__metadata__"):
        inner = get_args(annotation)[0]
        return leaf(inner) if get_origin(inner) is tuple else annotation
    if get_origin(annotation) is tuple:
        return leaf(get_args(annotation)[0])
    without_none = [one for one in get_args(annotation) if one is not type(None)]
    return annotation if get_origin(annotation) is Literal or len(without_none) != 1 else leaf(without_none[0])


def plain(annotation: Any) -> Any:
    return get_args(annotation)[0] if hasattr(annotation, "__metadata__") else annotation


def test_every_setting_says_what_it_is() -> None:
    assert not [key for key, setting in KNOWN.items() if len(setting.doc) <= 10]


def test_every_setting_is_bounded_or_says_why_anything_goes() -> None:
    def bounded(key: str, setting: Setting) -> bool:
        declared = leaf(setting.annotation)
        bounds, kind = bounds_of(declared), plain(declared)
        checked = any(not isinstance(one, AnyText) and callable(getattr(one, "func", None))
                      for one in getattr(declared, "__metadata__", ()))  # fmt: skip
        free = any(isinstance(one, AnyText) and one.why for one in getattr(declared, "__metadata__", ()))
        if kind in (int, float):
            return len({"ge", "gt"} & set(bounds)) == 1 and len({"le", "lt"} & set(bounds)) == 1
        if kind is str:
            return "pattern" in bounds or checked or (free and "max_length" in bounds)
        return kind is bool or get_origin(kind) is Literal or key == "source.rss.feeds"

    assert not [key for key, setting in KNOWN.items() if not bounded(key, setting)]


def test_every_default_lies_within_its_own_range() -> None:
    for setting in KNOWN.values():
        assert setting.adapter.validate_python(setting.default) == setting.default, setting.key


def wrong_values(setting: Setting) -> Iterator[Any]:
    """Values that no such setting can take: of another kind, just outside its range, and not quite numbers."""
    declared = leaf(setting.annotation)
    kind, bounds = plain(declared), bounds_of(declared)
    is_list = get_origin(plain(setting.annotation)) is tuple
    step = 1 if kind is int else 1e-9
    singles: list[Any] = [] if kind is str else ["nonsense"]
    singles += [bounds["ge"] - step] if "ge" in bounds else []
    singles += [bounds["le"] + step * max(1, abs(bounds["le"]))] if "le" in bounds else []
    singles += [bounds[name] for name in ("gt", "lt") if name in bounds]
    singles += [float("nan"), float("inf"), float("-inf")] if kind in (int, float) else []
    singles += [5, True, "\x00" if "pattern" in bounds else "x" * 5_000] if kind is str else []
    singles += [True] if kind in (int, float) else [0] if kind is bool else []
    yield from [[one] for one in singles] if is_list else singles
    if is_list:
        yield "not a list" if kind is not str else 5
        if bounds_of(setting.annotation).get("min_length"):
            yield []
    else:
        yield []


def within(value: Any) -> bool:
    return not isinstance(value, int) or isinstance(value, bool) or -(2**63) <= value < 2**63


def test_every_setting_refuses_what_it_cannot_be_by_name_range_and_origin(tmp_path: Path) -> None:
    """Of the wrong type, one below and one above the range, nan and inf; from the file and from the environment."""
    wrong = {key: list(filter(within, wrong_values(setting))) for key, setting in KNOWN.items()}
    offenders = []
    for number in range(max(map(len, wrong.values()))):
        lines = {key: values[number] for key, values in wrong.items() if number < len(values)}
        said = refusal(lines, tmp_path).splitlines()
        for key, value in lines.items():
            start = f"file {tmp_path / 'nextgen.toml'}: {key} must be {KNOWN[key].expects}, got the "
            mine = [line for line in said if line.startswith(start)]
            if len(mine) != 1 or "; change it, or remove it for the default, " not in mine[0]:
                offenders.append((key, value, mine))
        numbers = {key: value for key, value in lines.items() if plain(KNOWN[key].annotation) in (int, float)}
        said = refusal({}, tmp_path, {variable_of(key): str(value) for key, value in numbers.items()}).splitlines()
        for key, value in numbers.items():
            if sum(line.startswith(f"env {variable_of(key)}: {key} must be ") for line in said) != 1:
                offenders.append((variable_of(key), value, said))
    assert not offenders
    assert sum(map(len, wrong.values())) > 5 * len(KNOWN)


@pytest.mark.parametrize(
    ("key", "default"),
    [
        ("trading.mandate.exclusions", "[]"),
        ("market.currency", '""'),
        ("trading.mandate.mode", '"benchmark_relative"'),
        ("runtime.durable", "true"),
    ],
)
def test_the_default_that_an_error_offers_is_written_as_the_file_has_it(key: str, default: str) -> None:
    assert KNOWN[key].remedy == f"change it, or remove it for the default, {default}"
    assert tomllib.loads(f"value = {default}")


def test_lists_refuse_what_stands_in_them_twice_or_out_of_order(tmp_path: Path) -> None:
    twice = {
        "models.horizons": [5, 5],
        "prediction.horizons": [5, 1],
        "models.ridge.penalties": [1.0, 1.0],
        "models.features": ["volatility_20", "volatility_20"],
        "source.files.prices": ["a.csv", "a.csv"],
        "source.files.columns": ["close=LAST", "close=LAST"],
        "source.yahoo.tickers": ["AAA", "AAA"],
        "plugins.files": ["a.py", "a.py"],
    }
    for key, value in twice.items():
        said = refusal({key: value}, tmp_path)
        assert f"{key} must be " in said, key
        assert "twice" in said or "not in rising order" in said, said


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    said = refusal({"trading.capital": -100, "trading.sizing.kelly": -1, "trading.horizn": 5}, tmp_path)
    assert [line.split(": ")[1].split(" ")[0] for line in said.splitlines()] == [
        "trading.capital",
        "trading.sizing.kelly",
        "there",
    ]


CONTRADICTIONS: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"trading.horizon": 7}, ("trading.horizon is 7", "prediction.horizons are 1, 5, 20")),
    ({"trading.horizon": 7, "prediction.horizons": [7]}, ("trading.horizon is 7", "models.horizons are 1, 5, 20")),
    ({"trading.rules.drawdown_hard": 0.08}, ("drawdown_hard is 0.08", "drawdown_soft is 0.08")),
    ({"trading.regimes.calm_below": 0.5}, ("stressed_above is 0.28", "calm_below is 0.5")),
    ({"feedback.bias.recent": 30, "feedback.bias.window": 20}, ("recent is 30", "window is 20")),
    ({"feedback.bias.min_sessions": 30, "feedback.bias.window": 20}, ("min_sessions is 30", "window is 20")),
    ({"feedback.bias.leave": 0.001}, ("leave is 0.001", "enter is 0.01")),
    ({"feedback.metrics.window": 10}, ("min_sessions is 20", "window is 10")),
    ({"models.weight_step": 0.3}, ("weight_step is 0.3", "divide 1")),
    ({"models.window": 10}, ("features.window is 20", "models.window is 10")),
    ({"trading.max_gap": 60}, ("trading.max_gap is 60", "ingestion.universe.max_gap is 120")),
    ({"ingestion.publication_lag_minutes": 30}, ("publication_lag_minutes is 30", "decision_lag_minutes is 20")),
    ({"ingestion.news.model.name": "m"}, ("name is 'm'", "training_cutoff is empty")),
    (
        {"ingestion.news.model.name": "m", "ingestion.news.model.training_cutoff": "2025-01-01"},
        ("model 'm'", "dollars_per_million_input", "dollars_per_million_output"),
    ),
    ({"source.cross_check": "files", "source.name": "files"}, ("cross_check is 'files'", "name", "the source itself")),
    ({"source.simulated.exchange": "XLON"}, ("market.exchange is XNYS", "source.simulated.exchange is XLON")),
    (
        {"source.rss.feeds": "[{name = 'a', url = 'https://x.example/1'}, {name = 'a', url = 'https://x.example/2'}]"},
        ("2 feeds have 1 names", "source.rss"),
    ),
]


def test_settings_that_contradict_each_other_are_refused_with_both_names_and_the_origin(tmp_path: Path) -> None:
    for lines, parts in CONTRADICTIONS:
        said = refusal(lines, tmp_path)
        assert all(part in said for part in (*parts, f"(set by file {tmp_path / 'nextgen.toml'})")), (lines, said)
        assert "has to" not in said and "have to" not in said, f"what a setting must be is said in one way: {said}"


@pytest.mark.parametrize(
    ("chosen", "currency"),
    [
        ({}, "USD"),
        ({"market.exchange": "XLON"}, "GBP"),
        ({"market.exchange": "24/7"}, "USD"),
        ({"source.name": "files", "source.files.prices": "a.csv", "source.files.currency": "ZAC"}, "ZAR"),
        ({"market.exchange": "XLON", "market.currency": "EUR"}, "EUR"),
    ],
)
def test_the_book_has_the_currency_that_is_set_else_the_files_else_the_exchanges(
    chosen: dict[str, str], currency: str
) -> None:
    given = {key: choice(key, text) for key, text in chosen.items()}
    assert load(None, {}, given).settings.currency == currency


def test_a_feed_needs_a_plain_name_and_a_plain_address(tmp_path: Path) -> None:
    for name, url in [
        ("A", "https://x.example/"),
        ("a", "file:///etc/passwd"),
        ("a", "https://me:secret@x.example/"),
        ("a", "https:///x"),
    ]:
        said = refusal({"source.rss.feeds": f"[{{name = '{name}', url = '{url}'}}]"}, tmp_path)
        assert "source.rss.feeds must be a list" in said, said
        assert "at position 0, " in said, said


def test_a_wrong_choice_is_answered_with_the_nearest_right_one() -> None:
    with pytest.raises(ConfigError, match=r"'files'.* 'yahoo'.*, got the text 'yaho'; did you mean yahoo\?"):
        choice("source.name", "yaho")


def test_every_choice_can_be_given_as_text_also_where_it_is_a_number() -> None:
    chosen = [one for one in KNOWN.values() if get_origin(one.type) is Literal]
    given = [
        (one.key, choice, from_text(one, f" {choice}", "--set")) for one in chosen for choice in get_args(one.type)
    ]
    assert {type(choice) for _, choice, _ in given} == {str, int}
    assert [(key, choice) for key, choice, read in given if (type(read), read) != (type(choice), choice)] == []


def test_every_stage_finds_its_section_of_the_right_kind() -> None:
    settings = Settings()
    for stage in STAGES:
        assert type(settings.section(stage.section)) is type(stage.params), stage.name
    with pytest.raises(KeyError, match="no configuration section 'stages'"):
        settings.section("stages")


def test_all_defaults_written_to_a_file_and_read_back_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "nextgen.toml").write_text(toml_document(values_of(Settings())), encoding="utf-8")
    loaded = load(tmp_path, {})
    assert loaded.settings == Settings()
    assert [key for key, origin in loaded.origins.items() if origin == "default"] == [
        key for key, setting in KNOWN.items() if setting.default is None
    ]


def test_every_earlier_name_still_works(tmp_path: Path) -> None:
    former = {name: setting for setting in KNOWN.values() for name in setting.former_keys}
    assert len(former) > 25
    assert not set(former) & set(KNOWN)
    file = "".join(f"{name} = {toml_value(setting.default)}\n" for name, setting in former.items())
    (tmp_path / "nextgen.toml").write_text(file, encoding="utf-8")
    assert load(tmp_path, {}).renamed == {setting.key: name for name, setting in former.items()}
    assert {choice(name, str(setting.default)).value == setting.default for name, setting in former.items()} == {True}


def test_what_every_stage_recorded_under_earlier_names_reads_back_the_same() -> None:
    for stage in STAGES:
        for record in (first_names(stage.params), asdict(stage.params)):
            assert from_record(type(stage.params), json.loads(json.dumps(record))) == stage.params, stage.name


def test_no_two_settings_share_a_variable() -> None:
    assert len({variable_of(key) for key in KNOWN}) == len(KNOWN)


def test_an_exchange_is_one_setting() -> None:
    settings = load(None, {"NEXTGEN_MARKET__EXCHANGE": "XLON"}).settings
    assert settings.market.exchange == "XLON"
    repeated = {"NEXTGEN_MARKET__EXCHANGE": "XLON", "NEXTGEN_SOURCE__SIMULATED__EXCHANGE": "XLON"}
    assert load(None, repeated).settings.market.exchange == "XLON", "older files said it twice"
    unused = {"NEXTGEN_MARKET__EXCHANGE": "XLON", "NEXTGEN_SOURCE__YAHOO__EXCHANGE": "XNYS"}
    assert load(None, unused).settings.market.exchange == "XLON", "only the source in use counts"


def test_an_exchange_without_a_calendar_is_refused_before_anything_runs() -> None:
    with pytest.raises(
        ConfigError, match=r"market\.exchange must be .* there is no calendar for it; did you mean XLON"
    ):
        choice("market.exchange", "XLOM")


def test_a_choice_on_the_spot_is_held_to_the_same_rules() -> None:
    assert choice("runtime.seed", "5").value == 5
    with pytest.raises(ConfigError, match=r"there is no setting runtime\.sede; did you mean runtime\.seed\?"):
        choice("runtime.sede", "5")
    with pytest.raises(ConfigError, match=r"the command line: runtime\.seed must be a whole number from 0 to"):
        choice("runtime.seed", "five")


def test_plugins_are_looked_for_beside_the_lake(tmp_path: Path) -> None:
    settings = load(None, {"NEXTGEN_PLUGINS__FILES": json.dumps(["mine.py", "/srv/ours.py"])}).settings
    assert settings.plugins.paths(tmp_path) == (tmp_path / "mine.py", Path("/srv/ours.py"))
    with pytest.raises(ConfigError, match=r"plugins\.files must be a list, each the path of a Python file"):
        load(None, {"NEXTGEN_PLUGINS__FILES": "mine.txt"})
