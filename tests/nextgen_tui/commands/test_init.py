"""`nextgen init` with Yahoo: what it needs, what it makes, and what it says when nobody answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lake.store import Lake
from lake.tables.market import CORPORATE_ACTIONS, INSTRUMENTS, MARKET_PRICES, QUARANTINED_ROWS
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.main import outcome
from pipeline.config.loading import load
from tests.loopback.yahoo import LIMITED, Answer, Yahoo, serving
from tests.pipeline.ingestion.sources.test_yahoo import DAYS, daily

ASKED = ("init", "--source", "yahoo", "--tickers", "aapl, BRK.B", "--start", "2024-03-04", "--until", "2024-03-15")
QUICK = ("--set", "source.yahoo.requests_per_minute=1e6", "--set", "source.yahoo.patience_minutes=0")


@pytest.fixture
def yahoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Yahoo]:
    symbols = ("AAPL", "BRK-B", "SPY")
    with serving(Yahoo(charts={symbol: daily(symbol, DAYS) for symbol in symbols})) as server:
        monkeypatch.setenv("NEXTGEN_YAHOO_URL", server.base_url)
        monkeypatch.setenv("NEXTGEN_YAHOO_STATE", str(tmp_path / "state"))
        yield server


def test_a_day_before_all_calendars_is_refused_and_nothing_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome(["init", "--until", "1800-01-01", "--lake", str(tmp_path / "lake")]) == exit_codes.USAGE
    assert "1800-01-01 is outside the calendar of XNYS" in capsys.readouterr().err
    assert not (tmp_path / "lake").exists()


def test_a_lake_of_yahoos_history_remembers_what_it_was_asked_for(
    yahoo: Yahoo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome([*ASKED, *QUICK, "--lake", str(tmp_path / "lake")]) == exit_codes.DONE, capsys.readouterr().err
    prices = Lake.open(tmp_path / "lake").read(MARKET_PRICES)
    assert dict(prices["ticker"].value_counts().iter_rows()) == {"AAPL": 10, "BRK.B": 10, "SPY": 10}
    params = load(tmp_path / "lake", {}).settings.source
    assert (params.name, params.yahoo.tickers, params.yahoo.first_session) == ("yahoo", ("AAPL", "BRK.B"), "2024-03-04")
    assert {"AAPL", "BRK-B"} <= set(yahoo.symbols)


def test_tickers_alone_mean_yahoo(yahoo: Yahoo, tmp_path: Path) -> None:
    asked = ("init", "--tickers", "AAPL", "--start", "2024-03-04", "--until", "2024-03-15", *QUICK)
    assert outcome([*asked, "--lake", str(tmp_path / "lake")]) == exit_codes.DONE
    assert load(tmp_path / "lake", {}).settings.source.name == "yahoo"


@pytest.mark.parametrize("answer", [None, LIMITED, Answer("", 503)])
def test_when_yahoo_does_not_answer_nothing_is_made_and_it_is_said(
    yahoo: Yahoo,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    answer: Answer | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if answer is None:
        monkeypatch.setenv("NEXTGEN_YAHOO_URL", "http://127.0.0.1:9")  # the port that discards: nobody listens there
    else:
        yahoo.faults = [answer] * 50
    assert outcome([*ASKED, *QUICK, "--lake", str(tmp_path / "lake")]) == exit_codes.RETRY
    told = " ".join(capsys.readouterr().err.split())
    assert ("Yahoo refuses requests for now" if answer is LIMITED else "Yahoo cannot be reached") in told
    assert "--source files" in told and "Traceback" not in told
    assert not (tmp_path / "lake").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--source", "yahoo"), "no tickers; name them with `nextgen init --tickers AAPL,BRK.B`, or set tickers"),
        (("--source", "simulated", "--tickers", "AAPL"), "the simulated source takes no --tickers"),
        (("--source", "files", "--start", "2024-03-04"), "the files source takes no --start"),
        (("--source", "yahoo", "--tickers", "AAPL", "--column", "close=LAST"), "the yahoo source takes no --column"),
        (("--source", "simulated", "--benchmark-ticker", "QQQ"), "has its own benchmark"),
        (("--tickers", "../etc"), "source.yahoo.tickers must be a list, each a ticker, such as BRK.B"),
        (("--tickers", "AAPL,aapl"), "a value is in the list twice"),
        (("--tickers", "AAPL", "--start", "2100-01-04"), "after the last closed session"),
    ],
)
def test_what_does_not_go_together_is_told_before_anything_is_made(
    yahoo: Yahoo, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert outcome(["init", *arguments, "--lake", str(tmp_path / "lake")]) == exit_codes.USAGE
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "lake").exists()
    assert yahoo.asked == []


def test_prices_of_another_kind_are_refused_with_the_fix_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prices = tmp_path / "minutes.csv"
    minutes = [f"AAPL,2024-03-04T14:{minute}:00Z,10,11,9,{10 + minute / 100},1000" for minute in range(30, 50)]
    prices.write_text("\n".join(["ticker,ts,open,high,low,close,volume", *minutes]))
    asked = ["init", "--prices", str(prices), "--lake", str(tmp_path / "lake")]
    assert outcome(asked) == exit_codes.USAGE
    told = " ".join(capsys.readouterr().err.split())
    assert "one of several bars of a ticker's day" in told and "--set source.files.interval=1m" in told
    assert not (tmp_path / "lake").exists()


def test_prices_of_which_not_one_can_be_used_are_told_with_the_rule_and_the_fix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prices = tmp_path / "few.csv"
    prices.write_text("ticker,date,open,high,low,close,volume\nAAPL,2024-03-04,10,11,9,none,1000\n")
    asked = ["init", "--prices", str(prices), "--lake", str(tmp_path / "lake")]
    assert outcome(asked) == exit_codes.USAGE
    told = " ".join(capsys.readouterr().err.split())
    assert "no row is a sound bar: 1 break the rule 'close is a number'" in told and "close 'none'" in told
    assert "one row per session" in told
    assert not (tmp_path / "lake").exists()


def test_a_dry_run_shows_what_was_understood_and_makes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prices = tmp_path / "prices.csv"
    days = [f"AAPL,{day},10,11,9,10.5,1000,x" for day in DAYS]
    prices.write_text("\n".join(["ticker,date,open,high,low,last,volume,note", *days, "AAPL,2024-03-18,1,1,1,?,1,x"]))
    asked = ["init", "--dry-run", "--prices", str(prices), "--lake", str(tmp_path / "lake")]
    assert outcome(["--json", *asked]) == exit_codes.DONE
    told = json.loads(capsys.readouterr().out)
    assert told["layouts"][0]["used"]["close"] == "last" and told["layouts"][0]["unused"] == ["note"]
    assert (told["exchange"], told["currency"], told["interval"]) == ("XNYS", "USD", "1d")
    (aside,) = told["set_aside"]
    assert (aside["rule"], aside["cells"]["close"]) == ("close is a number", "?")
    assert aside["place"].endswith(f"prices.csv line {len(DAYS) + 2}")
    assert outcome(asked) == exit_codes.DONE
    assert "The first bars as they would land" in capsys.readouterr().out
    assert not (tmp_path / "lake").exists()


def test_what_was_set_aside_of_good_prices_is_told_by_rule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prices = tmp_path / "prices.csv"
    days = [f"AAPL,{day},10,11,9,10.5,1000,{0.25 * (day == DAYS[3])},x" for day in DAYS]
    header = "ticker,date,open,high,low,close,volume,divCash,note"
    prices.write_text("\n".join([header, *days, "AAPL,2024-03-18,10,11,9,n/a,1000,0.0,x"]))
    assert outcome(["--json", "init", "--prices", str(prices), "--lake", str(tmp_path / "lake")]) == exit_codes.DONE
    written = capsys.readouterr()
    told, said = json.loads(written.out), " ".join(written.err.split())
    assert "that are not used: note" in said and "1 dividend is told by divCash" in said
    (action,) = Lake.open(tmp_path / "lake").read(CORPORATE_ACTIONS).to_dicts()
    assert (action["ex_date"], action["amount"], action["confidence"]) == (DAYS[3], 0.25, 1.0)
    assert (told["usable"], told["rows"]["market_prices"]) == (True, len(DAYS))
    assert sum(told["set_aside"].values()) == told["rows"]["quarantined_rows"] == 1


@pytest.mark.parametrize(("ticker", "told"), [("NOPE", True), ("SPY", False)])
def test_a_lake_without_a_benchmark_is_told_so_where_it_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ticker: str, told: bool
) -> None:
    prices = tmp_path / "prices.csv"
    bars = [f"{name},{day},10,11,9,10.5,1000" for name in ("AAPL", "SPY") for day in DAYS]
    prices.write_text("\n".join(["ticker,date,open,high,low,close,volume", *bars]))
    asked = ["init", "--prices", str(prices), "--benchmark-ticker", ticker, "--lake", str(tmp_path / "lake")]
    assert outcome(asked) == exit_codes.DONE
    assert ("no benchmark was loaded" in " ".join(capsys.readouterr().err.split())) == told


def test_another_exchange_is_one_setting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = ("--lake", str(tmp_path / "lake"))
    small = ("--set", "source.simulated.names=4", "--set", "source.simulated.history_sessions=30")
    asked = ("init", "--source", "simulated", "--set", "market.exchange=XLON", *small, *at)
    assert outcome(list(asked)) == exit_codes.DONE, capsys.readouterr().err
    lake = Lake.open(tmp_path / "lake")
    assert set(lake.read(INSTRUMENTS).select("exchange", "currency").iter_rows()) == {("XLON", "GBP")}
    assert lake.read(QUARANTINED_ROWS).filter(rule="the exchange trades that day").is_empty()
    ends = lake.read(MARKET_PRICES)["ts"].dt.convert_time_zone("Europe/London").dt.hour()
    assert set(ends.unique()) <= {16, 12}, "London closes at half past four, and at half past twelve on half-days"
