"""Recording an operator's decision, and showing what it means, for the commands that take one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from nextgen_tui.cli.invocation import Invocation
    from pipeline.control.operator.decisions import ModelChoice, TradeDecision

Decision = TypeVar("Decision")


def record_decision(decide: Callable[[], Decision]) -> Decision:
    """Record the decision; one that comes too late or cannot be is a usage error with its reason."""
    from pipeline.control.operator.decisions import DecisionError

    try:
        return decide()
    except DecisionError as error:
        raise click.UsageError(str(error)) from None


def show_trade_decision(invocation: Invocation, decision: TradeDecision) -> None:
    """Show what now holds for a planned trade."""
    done = {"approve": "approved", "veto": "vetoed"}[decision.decision]
    invocation.output.show(f"{decision.plan_id} is {done} for the open of {decision.for_session}.")
    invocation.output.record(asdict(decision))


def show_model_choice(invocation: Invocation, choice: ModelChoice) -> None:
    """Show who is champion, and from when."""
    if choice.champion:
        invocation.output.show(f"{choice.champion} is champion from the cycle of {choice.session} on.")
    else:
        invocation.output.show(f"No champion from {choice.session} (naive forecast until one is promoted).")
    invocation.output.record(asdict(choice))
