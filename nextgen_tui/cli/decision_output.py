"""Telling what became of an operator's word, for the commands that take one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from nextgen_tui.cli.invocation import Invocation
    from pipeline.control.operator.decisions import ModelChoice, TradeDecision

Word = TypeVar("Word")


def said(say: Callable[[], Word]) -> Word:
    """What was put on record; a word that cannot count is a usage error with its reason."""
    from pipeline.control.operator.decisions import DecisionError

    try:
        return say()
    except DecisionError as error:
        raise click.UsageError(str(error)) from None


def tell_trade(invocation: Invocation, word: TradeDecision) -> None:
    """Say what stands about a planned trade."""
    done = {"approve": "approved", "veto": "vetoed"}[word.decision]
    invocation.output.show(f"{word.plan_id} is {done}; it was to be filled at the open of {word.for_session}.")
    invocation.output.record(asdict(word))


def tell_champion(invocation: Invocation, choice: ModelChoice) -> None:
    """Say who is champion, and from when."""
    invocation.output.show(f"{choice.champion or 'Nobody'} is champion from the cycle of {choice.session} on.")
    invocation.output.record(asdict(choice))
