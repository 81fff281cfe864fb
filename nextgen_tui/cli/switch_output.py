"""Pausing, killing and resuming trading for the commands that do it, and showing what holds then."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from nextgen_tui.cli.decision_output import record_decision

if TYPE_CHECKING:
    from nextgen_tui.cli.invocation import Invocation
    from pipeline.control.operator.trading_switches import Switch, SwitchedTrading


def switch_and_show(invocation: Invocation, switch: Switch, reason: str, *, close_positions: bool = False) -> None:
    """Record it, and show what holds; a word that changes nothing is said to."""
    from nextgen_tui.text.safe_text import safe_text
    from pipeline.control.operator.trading_switches import switch_trading

    done = record_decision(
        lambda: switch_trading(invocation.runner, switch, reason, "cli", close_positions=close_positions)
    )
    invocation.output.show(safe_text(describe_switch(done), 600))
    invocation.output.record(
        {
            "state": done.standing[0].state if done.standing else "running",
            "already": done.already,
            "said": asdict(done.said),
            "standing": [asdict(stop) for stop in done.standing],
        }
    )


def describe_switch(done: SwitchedTrading) -> str:
    """What holds now, in words."""
    if not done.standing:
        return "Trading goes on: the next plan may order again. What was stopped until now stays unfilled."
    first = done.standing[0]
    words = f"{'Nothing was changed: ' if done.already else ''}{first.describe()}"
    effect = "orders decided before stand" if first.kind == "pause" else "no order goes to its open"
    return f"{words[0].upper()}{words[1:]}\nNothing new is ordered, and {effect}, until `nextgen resume`."
