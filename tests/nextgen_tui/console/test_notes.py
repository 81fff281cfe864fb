"""Lines of notes break where a reader expects it."""

from __future__ import annotations

from nextgen_tui.console.notes import fact, note, plain_text, wrap_hanging
from nextgen_tui.console.sheet.sheet import Cell


def test_a_long_fact_goes_on_below_its_beginning() -> None:
    line = fact("shares", "1,057 of 1,057 wanted at 53.29")
    assert plain_text(wrap_hanging(line, 30)).splitlines() == [
        "shares       1,057 of 1,057",
        "             wanted at 53.29",
    ]
    assert wrap_hanging(line, 60) == (line,)


def test_a_value_with_its_meaning_goes_on_below_the_value_each_in_its_style() -> None:
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


def test_what_a_rule_says_goes_on_below_its_beginning_not_below_its_sign() -> None:
    line = (Cell("~ ", "warn"), Cell("turnover  "), Cell("to 59 %: the limit is 20 %", "dim"))
    assert plain_text(wrap_hanging(line, 30)).splitlines() == [
        "~ turnover  to 59 %: the limit",
        "            is 20 %",
    ]
