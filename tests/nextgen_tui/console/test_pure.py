"""What is pure in the console: charts, sheets, exports, commands, the way through time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.runs import last_decision
from lake.store import Lake
from lake.tables.trading import TRADE_PLANS
from lake.upkeep.compaction import compact_due
from nextgen_tui.console.charts.charts import Band, Candle, Chart, Curve, draw, stacked
from nextgen_tui.console.lake_view import LakeView, parse_as_of, read_runs, step_as_of
from nextgen_tui.console.lineage_view import follow
from nextgen_tui.console.notes import fact, note, plain_text, wrap_hanging
from nextgen_tui.console.operator.command_parser import CommandError, Local, PendingRequest, parse
from nextgen_tui.console.page import Link, Page
from nextgen_tui.console.pages.learning import error_words
from nextgen_tui.console.pages.plan import off_by
from nextgen_tui.console.pages.schedule import SchedulePage
from nextgen_tui.console.screens import PAGES
from nextgen_tui.console.sheet.export import ExportError, export
from nextgen_tui.console.sheet.sheet import Cell, Col, Sheet
from pipeline.control.daemon.clock import PacedClock
from pipeline.control.daemon.simulated_pace import describe_pace
from pipeline.market.sessions import exchange_sessions
from tests.nextgen_tui.console.desk import FIRST, LAST
from tests.pipeline.control.test_pace import beating

NOW = datetime(2022, 3, 2, tzinfo=UTC)
LEVELS = st.lists(st.floats(-1e9, 1e9), max_size=40)


def sheet(**columns: list[Any]) -> Sheet:
    frame = pl.DataFrame({"key": list(range(len(next(iter(columns.values()))))), **columns})
    return Sheet(frame, tuple(Col(name, name, rank=n) for n, name in enumerate(columns)), ("key",))


def words(chart: Chart, width: int, height: int) -> list[str]:
    return ["".join(sign.sign for sign in row) for row in draw(chart, width, height)]


@given(LEVELS, st.integers(0, 90), st.integers(0, 40))
def test_a_picture_fills_exactly_its_room(levels: list[float], width: int, height: int) -> None:
    xs = tuple(float(n) for n in range(len(levels)))
    band = Band(xs, tuple(levels), tuple(level + 1 for level in levels), 2)
    candles = tuple(Candle(x, y, y + 1, y - 1, y) for x, y in zip(xs, levels, strict=True))
    chart = Chart(
        "title",
        (Curve((), (), "past"), Curve(xs, tuple(levels), "own")),
        (band,),
        candles=candles,
        ticks=((0.0, "then"),),
    )
    for rows in (draw(chart, width, height), stacked([chart, chart], width, height)):
        assert len(rows) == height
        assert {len(row) for row in rows} <= {width}


def test_the_highest_level_stands_at_the_top_and_the_lowest_at_the_bottom() -> None:
    drawn = words(Chart(lines=(Curve((0.0, 1.0), (10.0, 20.0), "own"),)), 30, 8)
    assert drawn[0].startswith("20.00")
    assert drawn[-1].startswith("10.00")
    assert drawn[0].rstrip()[-1] != " "
    assert 0x2800 < ord(drawn[-1][6]) < 0x2900


def test_levels_are_round_and_the_plots_of_a_stack_flush() -> None:
    value = Chart(lines=(Curve((0.0, 1.0), (989_594.0, 1_020_887.0), "own"),))
    share = Chart(lines=(Curve((0.0, 1.0), (-0.0312, 0.0), "bad"),), label=lambda level: f"{level:.1%}")
    drawn = ["".join(sign.sign for sign in row) for row in stacked([value, share], 40, 16)]
    levels = [row[:13].strip() for row in drawn if ",000.00" in row]
    assert levels == ["1,020,000.00", "1,010,000.00", "1,000,000.00", "990,000.00"]
    assert [row[:13].strip() for row in drawn if "%" in row] == ["0.0%", "-1.0%", "-2.0%", "-3.0%"]


def test_what_has_no_room_below_another_picture_gives_way() -> None:
    one, other = (Chart(title, (Curve((0.0, 1.0), (1.0, 2.0), "own"),)) for title in ("first", "second"))
    assert "second" not in str(stacked([one, other], 40, 9))
    titles = ["".join(sign.sign for sign in row).strip() for row in stacked([one, other], 40, 10)]
    assert {"first", "second"} <= set(titles)


def test_a_long_fact_goes_on_below_its_beginning() -> None:
    line = fact("shares", "1,057 of 1,057 wanted at 53.29")
    assert plain_text(wrap_hanging(line, 30)).splitlines() == [
        "shares       1,057 of 1,057",
        "             wanted at 53.29",
    ]
    assert wrap_hanging(line, 60) == (line,)


def test_a_value_with_its_meaning_goes_on_below_the_value_each_in_its_mood() -> None:
    line = (Cell("ts       ", "dim"), Cell("2022-03-01 21:00:00Z"), Cell("   UTC instant: the end of the bar", "dim"))
    first, *rest = wrap_hanging(line, 40)
    assert [cell.style for cell in first] == ["dim", "", "dim"]
    assert all(row[0].text == " " * 9 and len(row[0].text + row[1].text) <= 40 for row in rest)
    assert " ".join(plain_text([first, *rest]).split()) == " ".join(plain_text([line]).split())


def test_a_figure_is_never_parted_from_its_percent_sign() -> None:
    assert (
        plain_text(wrap_hanging(note("the market is normal: 95 % of full risk"), 25)).splitlines()[0]
        == "the market is normal:"
    )


def test_a_missing_level_interrupts_the_line() -> None:
    gap = words(Chart(lines=(Curve((0.0, 1.0, 2.0, 3.0), (1.0, 1.0, None, 1.0), "own"),), span=(0.0, 2.0)), 30, 4)
    assert any("  " in row.strip() for row in gap)


def test_the_strongest_band_shows_where_bands_overlap() -> None:
    wide, narrow = Band((0.0, 1.0), (0.0, 0.0), (9.0, 9.0), 1), Band((0.0, 1.0), (4.0, 4.0), (5.0, 5.0), 3)
    chart = Chart(lines=(Curve((0.0, 1.0), (0.0, 9.0), "own"),), bands=(narrow, wide))
    shades = {sign.band for row in draw(chart, 40, 20) for sign in row}
    assert shades == {0, 1, 3}


def test_a_filter_that_finds_nothing_says_so_and_not_that_there_is_nothing() -> None:
    table = sheet(text=["a", "b"])
    assert table.filtered("zz").empty == "No row contains 'zz'; escape shows all."
    assert sheet(text=[]).filtered("zz").empty == table.empty


def test_a_filter_takes_every_word_literally() -> None:
    table = sheet(name=["Alpha One", "beta [x]", "alpha two"])
    assert table.filtered("ALPHA two").height == 1
    assert table.filtered("[x]").height == 1
    assert table.filtered(".*").height == 0


@given(st.lists(st.one_of(st.none(), st.integers(-5, 5)), min_size=1, max_size=30), st.booleans())
def test_sorting_keeps_every_row_and_puts_missing_values_last(values: list[int | None], descending: bool) -> None:
    ordered = sheet(value=values).sorted("value", descending).visible["value"].to_list()
    present = [value for value in ordered if value is not None]
    assert present == sorted((v for v in values if v is not None), reverse=descending)
    assert ordered[len(present) :] == [None] * (len(values) - len(present))


def test_columns_of_the_highest_rank_go_first_where_there_is_too_little_room() -> None:
    table = sheet(first=["x" * 10], second=["y" * 10], third=["z" * 10])
    assert [number for number, _ in table.layout(80)] == [0, 1, 2]
    assert [number for number, _ in table.layout(25)] == [0, 1]
    assert [number for number, _ in table.layout(5)] == [0]
    long = sheet(name=["x"], text=["y" * 40])
    assert sum(width + 2 for _, width in long.layout(200)) - 2 > 30


def test_an_export_disarms_formulas_and_never_writes_over_a_file(tmp_path: Path) -> None:
    table = sheet(text=["=cmd()", "plain", "-1+1"], figure=[-1.5, 2.0, 3.0])
    assert export(table, tmp_path / "out.csv") == 3
    assert (tmp_path / "out.csv").read_text().splitlines() == [
        "key,text,figure",
        "0,'=cmd(),-1.5",
        "1,plain,2.0",
        "2,'-1+1,3.0",
    ]
    with pytest.raises(ExportError, match="exists already"):
        export(table, tmp_path / "out.csv")
    with pytest.raises(ExportError, match="has to end in"):
        export(table, tmp_path / "out.txt")
    export(table, tmp_path / "out.parquet")
    assert pl.read_parquet(tmp_path / "out.parquet").equals(table.visible)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_sheet_is_exported_as_plain_figures(page: Page[Any], desk_path: Path, tmp_path: Path) -> None:
    lake = Lake.open(desk_path)
    data = page.load(LakeView(lake, read_runs(lake)))
    for name in page.sheets(data):
        export(page.sheet(data, name), tmp_path / f"{name}.csv")
        assert "{'" not in (tmp_path / f"{name}.csv").read_text(), f"{page.name}: {name}"


def test_an_insights_error_is_told_in_its_unit() -> None:
    assert error_words("bias", 0.00123) == "+0.123 %"
    assert error_words("interval", -0.188) == "-18.8 %"
    assert error_words("skill", 0.0052) == "+0.52 %"
    assert error_words("skill", None) == "–"


@pytest.mark.parametrize(
    ("typed", "action", "target"),
    [
        ("cycle 2022-03-01", "cycle", ""),
        ("run predict plan", "run", "predict,plan"),
        ("retry cycle 2022-03-01", "retry", "cycle/2022-03-01"),
        ("cancel console-12", "cancel", "console-12"),
    ],
)
def test_a_command_becomes_the_request_it_says(typed: str, action: str, target: str) -> None:
    asked = parse(typed, NOW)
    assert isinstance(asked, PendingRequest)
    assert (asked.request.action, asked.request.target, asked.request.requested_at) == (action, target, NOW)
    assert asked.lines


def test_a_local_command_asks_nobody() -> None:
    assert parse("at 2022-03-01", NOW) == Local("at", "2022-03-01")


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("cycel", "did you mean 'cycle'"),
        ("run", "needs the stages"),
        ("run nosuch", "no stage"),
        ("retry cycle", "slot"),
    ],
)
def test_what_is_not_understood_is_answered_with_what_can_be_typed(typed: str, told: str) -> None:
    with pytest.raises(CommandError, match=told):
        parse(typed, NOW)


@pytest.mark.parametrize("typed", [str(FIRST), f"{FIRST}T21:00", "cycle-20220228", "prices-20220228"])
def test_a_past_moment_is_a_session_a_time_or_a_run(desk_path: Path, typed: str) -> None:
    found = parse_as_of(read_runs(Lake.open(desk_path)), typed)
    assert found is not None
    assert found.session == FIRST


def test_an_unknown_moment_is_refused_with_what_there_is(desk_path: Path) -> None:
    with pytest.raises(ValueError, match=f"{FIRST} to {LAST}"):
        parse_as_of(read_runs(Lake.open(desk_path)), "1999-01-01")


def test_a_view_from_the_past_reads_the_versions_published_then(desk_path: Path) -> None:
    lake = Lake.open(desk_path)
    runs = read_runs(lake)
    then = LakeView(lake, runs, step_as_of(runs, None, -1))
    now = LakeView(lake, runs)
    assert then.session == FIRST
    assert now.versions["portfolio_value"] == then.versions["portfolio_value"] + 1
    assert then.versions["prediction_accuracy"] == 0
    assert step_as_of(runs, then.at, 1) is None
    assert step_as_of(runs, then.at, -1) == then.at
    assert date(2022, 2, 28) == FIRST


def test_what_a_row_holds_several_of_is_told_each_on_a_line_of_its_own(desk_path: Path) -> None:
    lake = Lake.open(desk_path)
    plan = lake.read(TRADE_PLANS, where=pl.col("ticker") == "ZETA").row(0, named=True)
    key = {name: plan[name] for name in TRADE_PLANS.key}
    detail = follow(LakeView(lake, read_runs(lake)), Link("", TRADE_PLANS.name, key))
    told = plain_text([line for section in detail.sections for line in section.lines]).splitlines()
    rules = [one["rule"] for one in plan["verdicts"]]
    assert rules
    assert [line.split()[1].rstrip(",") for line in told if line.strip().startswith("rule ")] == rules


def test_every_screen_says_the_same_once_the_lake_was_tidied(own_desk: Lake) -> None:
    def said_by_all() -> list[tuple[str, int]]:
        view = LakeView(own_desk, read_runs(own_desk), clock=lambda: NOW)
        read = [(page, page.load(view)) for page in PAGES if page.name != "Runs"]
        return [(page.sentence(data), page.sheet(data, page.sheets(data)[-1]).height) for page, data in read]

    before = said_by_all()
    tidied = compact_due(own_desk, least=2)
    assert sum(run.written for run in tidied) > 0
    assert said_by_all() == before


def test_in_a_market_that_was_run_at_speed_tasks_are_due_by_its_own_time(own_desk: Lake) -> None:
    def due() -> list[datetime]:
        view = LakeView(own_desk, read_runs(own_desk), clock=lambda: NOW + timedelta(days=400))
        page = SchedulePage()
        page.prepare(view)
        return page.load(view).tasks["next"].to_list()

    assert min(due()) > NOW + timedelta(days=399)
    stands_at = last_decision(own_desk)
    assert stands_at is not None
    beating(own_desk.path, **describe_pace(PacedClock(exchange_sessions("XNYS"), stands_at.date(), 10)))
    assert stands_at <= min(due()) < stands_at + timedelta(days=4)


def test_every_rule_says_how_far_off_a_trade_was_in_its_own_unit() -> None:
    expected = {
        ("cost_awareness", 0.0021, "edge"): "0.21 % of edge",
        ("patience", 3.0, "sold 2 sessions ago"): "3 sessions",
        ("diversification", 1.0, "20 names are held or ordered"): "1 name",
        ("diversification", 0.0125, "name at 6 %"): "1.25 % of NAV",
        ("liquidity", 1_200.0, "1 % of the volume"): "1,200 shares",
        ("liquidity", 1.0, "too few bars to know its usual volume"): "–",
        ("humility", 0.012, "measured information coefficient -0.012 is not above 0"): "0.012 of skill",
        ("humility", 0.7, "confidence 0.10"): "70.00 % of its size",
    }
    assert {refused: off_by(*refused) for refused in expected} == expected
    assert off_by("cost_awareness", 0.0021, "edge", briefly=True) == "0.21 %"
    assert off_by(None, None, "") == "–"
