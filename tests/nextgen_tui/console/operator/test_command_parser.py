"""What is typed after the colon becomes the request it says, or an answer with what can be typed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nextgen_tui.console.operator.command_parser import CommandError, Local, PendingRequest, find_name, parse

NOW = datetime(2022, 3, 2, tzinfo=UTC)


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
        ("cycle 2022-03-01 twice", "one session at most, got '2022-03-01 twice'"),
        ("maintain 2022-03-01", "takes no words"),
        ("rollback one two", "needs one name"),
        ("run plan plan", "'plan' more than once"),
        ("daemon stop", "daemon takes no words, got 'stop'"),
    ],
)
def test_what_is_not_understood_is_answered_with_what_can_be_typed(typed: str, told: str) -> None:
    with pytest.raises(CommandError, match=told):
        parse(typed, NOW)


@pytest.mark.parametrize(
    ("word", "found"), [("plan", "plan"), ("PL", "plan"), ("ledger", "ledger"), ("sec", "sectors")]
)
def test_a_name_is_found_by_its_beginning(word: str, found: str) -> None:
    assert find_name(word, ("plan", "ledger", "ledger rows", "sectors"), "sheet") == found


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("plans", "there is no sheet 'plans'; did you mean 'plan'"),
        ("xyz", "there is no sheet 'xyz'; choose from plan, ledger, lessons"),
        ("le", "there is more than one sheet 'le'; choose from ledger, lessons"),
        ("", "sheet needs a name; choose from plan, ledger, lessons"),
    ],
)
def test_a_name_that_is_none_is_answered_with_those_there_are(word: str, told: str) -> None:
    with pytest.raises(CommandError, match=told):
        find_name(word, ("plan", "ledger", "lessons"), "sheet")
