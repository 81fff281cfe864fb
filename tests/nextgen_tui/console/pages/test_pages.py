"""Pages tell figures in their units, by the market's own time, and the same once a lake was tidied."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from lake.runs import last_decision
from lake.store import Lake
from lake.tables.attribution import ATTRIBUTIONS
from lake.tables.books import LEDGER_ENTRIES, PORTFOLIO_HOLDINGS, PORTFOLIO_VALUE
from lake.tables.control import RUNS
from lake.tables.learning import HYPOTHESES
from lake.tables.market import MARKET_PRICES
from lake.tables.trading import EXECUTED_TRADES, TRADE_REFLECTIONS
from lake.upkeep.compaction import compact_tables
from nextgen_tui.console.lake_view import LakeView, read_runs
from nextgen_tui.console.notes import Line
from nextgen_tui.console.pages.book import BookData, BookPage, position_detail, trade_notes, value_sources
from nextgen_tui.console.pages.learning import format_error
from nextgen_tui.console.pages.lesson_notes import hypothesis_notes, trial_notes
from nextgen_tui.console.pages.predictions import strangeness_lines
from nextgen_tui.console.pages.profit_sheet import lesson_notes
from nextgen_tui.console.pages.runs import RunsPage, runs_data
from nextgen_tui.console.pages.schedule import SchedulePage
from nextgen_tui.console.screens import PAGES
from nextgen_tui.console.time_travel import step_as_of
from pipeline.control.daemon.clock import PacedClock
from pipeline.control.daemon.simulated_pace import describe_pace
from pipeline.engine.runner import Runner
from pipeline.market.sessions import exchange_sessions
from pipeline.reading.report.profit_origins import sum_profit
from pipeline.reading.results.insights import hypothesis_rows
from pipeline.reading.results.summary import ledger_facts
from tests.nextgen_tui.lakes import rows, run_row
from tests.pipeline.control.daemon.test_simulated_pace import beating
from tests.pipeline.ingestion.intraday.five_minutes import files_settings, write_bars

NOW = datetime(2022, 3, 2, tzinfo=UTC)
DAY = date(2022, 2, 28)


def test_an_insights_error_is_told_in_its_unit() -> None:
    assert format_error("bias", 0.00123) == "+0.123 %"
    assert format_error("interval", -0.188) == "-18.8 %"
    assert format_error("skill", 0.0052) == "+0.52 %"
    assert format_error("skill", None) == "–"


def test_every_screen_says_the_same_once_the_lake_was_tidied(own_desk: Lake) -> None:
    def said_by_all() -> list[tuple[str, int]]:
        view = LakeView(own_desk, read_runs(own_desk), clock=lambda: NOW)
        read = [(one.page, one.page.load(view)) for one in PAGES if one.name != "Runs"]
        return [(page.sentence(data), page.sheet(data, page.sheets(data)[-1]).height) for page, data in read]

    before = said_by_all()
    tidied = compact_tables(own_desk, min_files=2)
    assert sum(run.written for run in tidied) > 0
    assert said_by_all() == before


def test_in_a_market_that_was_run_at_speed_tasks_are_due_by_its_own_time(own_desk: Lake) -> None:
    def due() -> list[datetime]:
        view = LakeView(own_desk, read_runs(own_desk), clock=lambda: NOW + timedelta(days=400))
        page = SchedulePage()
        page.prepare(view)
        return page.load(view).tasks["next"].drop_nulls().to_list()

    assert min(due()) > NOW + timedelta(days=399)
    stands_at = last_decision(own_desk)
    assert stands_at is not None
    beating(own_desk.path, **describe_pace(PacedClock(exchange_sessions("XNYS"), stands_at.date(), 10)))
    assert stands_at <= min(due()) < stands_at + timedelta(days=4)


def test_a_failed_training_is_listed_as_a_training_and_offers_no_retry_of_a_cycle() -> None:
    failed = run_row("train", work="training", cycle_id="training-20220301", status="failed", error="no data")
    runs = rows(RUNS, run_row("prices"), failed)
    data = runs_data(runs)
    page = RunsPage()
    assert page.sheet(data, "failed").frame["work"].to_list() == ["training"]
    assert dict(page.sheet(data, "work").frame.select("work", "status").iter_rows()) == {
        "cycle": "done",
        "training": "failed",
    }
    assert "1 failed, last train of 2022-03-01 (training): no data" in page.sentence(data)
    assert page.actions(data, "failed", failed) == ()


def test_a_foreign_trade_and_position_are_told_in_both_currencies_and_the_rates_part_apart() -> None:
    quoted = {"currency": "EUR", "rate": Decimal("1.25"), "rate_session": DAY}
    trade = {"local_gross": Decimal("1100.00"), "gross": Decimal("1375.00")} | quoted
    held = {"local_cost": Decimal("1000.00"), "local_value": Decimal("1100.00"), "exchange_gain": Decimal("50.00")}
    value = rows(PORTFOLIO_VALUE, {"exchange": Decimal("-7.00")}).row(0, named=True)
    tables = (PORTFOLIO_VALUE, PORTFOLIO_HOLDINGS, EXECUTED_TRADES, TRADE_REFLECTIONS, LEDGER_ENTRIES)
    worth, holdings, trades, lessons, ledger = (rows(table) for table in tables)
    profit = sum_profit(rows(ATTRIBUTIONS))
    data = BookData(worth, holdings, trades, lessons, ledger, ledger_facts(ledger, worth), rows(MARKET_PRICES), profit)
    position = rows(PORTFOLIO_HOLDINGS, held | quoted | {"ticker": "AAA"}).row(0, named=True) | {"gain": 0.1}
    told = [text(line) for line in trade_notes(rows(EXECUTED_TRADES, trade).row(0, named=True))]
    assert any(f"1,100.00 EUR at 1.250000 of {DAY}" in line for line in told)
    told = [text(line) for line in position_detail(data, position).sections[0].lines]
    assert any("+100.00 EUR" in line for line in told)
    assert any("by the rate" in line and "+50.00" in line for line in told)
    assert any("exchange rates" in text(line) and "-7.00" in text(line) for line in value_sources(value))
    own = rows(EXECUTED_TRADES, {"currency": None}).row(0, named=True)
    assert not any("converted" in text(line) for line in trade_notes(own))


def test_profit_is_told_by_part_for_the_last_session_and_since_the_start() -> None:
    told = [
        {"session": day, "view": view, "part": part, "item": item, "amount": Decimal(amount)}
        for day, amount in ((DAY, "5.00"), (DAY + timedelta(days=1), "-2.00"))
        for view, part, item in (("source", "gain", "AAA"), ("decision", "rule", "trust"), ("decision", "horizon", "5"))
    ]
    summed = sum_profit(rows(ATTRIBUTIONS, *told)).select("view", "title", "item", "last", "amount").rows()
    assert summed == [
        ("decision", "forecasts", "5", Decimal("-2.00"), Decimal("3.00")),
        ("decision", "rules", "trust", Decimal("-2.00"), Decimal("3.00")),
        ("source", "prices", "", Decimal("-2.00"), Decimal("3.00")),
    ]


def test_a_closed_position_tells_what_its_profit_is_made_of() -> None:
    parts = {"expected_gain": Decimal("20.00"), "luck_gain": Decimal("-5.00"), "cost": Decimal("3.00")}
    sold = rows(TRADE_REFLECTIONS, parts | {"profit": Decimal("12.00")}).row(0, named=True)
    told = [text(line) for line in lesson_notes(sold)]
    assert any("expected" in line and "+20.00" in line for line in told)
    assert any("costs" in line and "-3.00" in line for line in told)
    assert any("profit" in line and "+12.00" in line for line in told)
    older = dict.fromkeys(("expected_gain", "timing_gain", "luck_gain", "error_gain"))
    assert len(lesson_notes(sold | older)) == 3


def test_the_book_is_marked_at_the_last_snapshot_and_said_to_be_unofficial_until_the_close(
    own_desk: Lake, tmp_path: Path
) -> None:
    before, page = LakeView(own_desk, read_runs(own_desk)), BookPage()
    official = page.sentence(page.load(before))
    apart = [text(line) for line in page.summary(page.load(before))]
    ended = datetime(2022, 3, 2, 15, tzinfo=UTC)
    write_bars(tmp_path / "bars.csv", {ended - timedelta(minutes=5): 1.0, ended: 106.0}, "ACME")
    Runner(own_desk, files_settings(tmp_path / "bars.csv")).snapshot(ended + timedelta(minutes=2))
    live = LakeView(own_desk, read_runs(own_desk))
    data = page.load(live)
    assert data.mark is not None and data.mark.change == 50 * Decimal(106) - data.holdings["market_value"][0]
    told = page.sentence(data)
    marked = "Unofficial until the close: 1,010,050.00 at the snapshot of 2022-03-02 15:00 UTC, +50.00. "
    assert marked in told and told.replace(marked, "") == official
    lines = [text(line) for line in page.summary(data)]
    assert lines[0] == "at 2022-03-02 15:00 UTC, unofficial" and lines[4] == "at the last close"
    assert lines[5:] == apart
    assert live.session == before.session
    past = LakeView(own_desk, read_runs(own_desk), step_as_of(read_runs(own_desk), None, -1))
    assert page.load(past).mark is None


def text(line: Line) -> str:
    return "".join(cell.text for cell in line)


def test_an_insight_tells_what_it_gained_beside_its_control_arm_and_who_read_it() -> None:
    measured = {"gain": 0.0312, "gain_low": 0.021, "gain_high": 0.0414, "control_n": 180}
    said = [
        "".join(cell.text for cell in line) for line in trial_notes(measured | {"readers": "predict: 195 forecasts"})
    ]
    assert "+0.0312 sigma lower than in the control arm (+0.0210 to +0.0414; 180 forecasts left alone)" in said[0]
    assert said[1].endswith("predict: 195 forecasts")
    assert trial_notes({"gain": None, "readers": None}) == ()


def test_a_hypothesis_tells_what_decides_it_before_it_was_looked_at() -> None:
    first = {"hypothesis_id": "a", "session": DAY, "registered": DAY, "scope": "all", "slice": "all", "horizon": 5}
    plan = {"criterion": "p below 0.001", "level": 0.003, "looks": [20, 30, 40], "scored": 0, "p_value": None}
    begun = first | plan | {"status": "registered", "mean_error": None}
    other = begun | {"hypothesis_id": "b", "scope": "trait", "slice": "news:yes"}
    later = begun | {"session": DAY + timedelta(days=30), "status": "confirmed", "scored": 20, "p_value": 1e-5}
    told = hypothesis_rows(rows(HYPOTHESES, begun, later, other))
    assert told["status"].to_list() == ["confirmed", "registered"]
    assert told["about"].to_list()[1] == {"scope": "trait", "slice": "news:yes"}
    said = ["".join(cell.text for cell in line) for line in hypothesis_notes(told.row(1, named=True))]
    assert any("p below 0.001" in line for line in said) and any("not looked at yet" in line for line in said)


def test_a_forecast_says_how_strange_its_inputs_are_or_that_nobody_knows() -> None:
    def said(**given: object) -> list[str]:
        told = {"role": "champion", "strangeness": None, "strange_features": None} | given
        return ["".join(cell.text for cell in line) for line in strangeness_lines(told)]

    furthest = [{"feature": "beta_60", "value": 3.2, "deviation": 6.04}]
    known = said(strangeness=0.997, strange_features=furthest)
    assert "further out than 99.7 % of training" in known[0]
    assert "beta_60 3.2" in known[1] and "+6.0 deviations" in known[1]
    assert "not known: the model kept no profile" in said()[0]
    assert said(role="naive, stale") == []
