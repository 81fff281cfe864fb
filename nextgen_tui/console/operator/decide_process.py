"""The operator's word on a trade or on all trading, put on record by a child: a calendar costs seconds and memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

from lake.access import follow_access
from pipeline.control.operator.decisions import Decision, DecisionError, decide
from pipeline.control.operator.requests import Request
from pipeline.engine.child_command import python_command

if TYPE_CHECKING:
    from pipeline.engine.runner import Runner


DONE = {"approve": "approved", "veto": "vetoed"}
"""What was decided -> how to say it."""


def record_decision(lake: Path, request: Request) -> str:
    """Approve, veto, pause, kill or resume as the request says; under the request's id a word is put on record once.

    Returns:
        What stands now, in words.

    Raises:
        DecisionError: if it cannot count any more, or there is no such order.
    """
    names = ("action", "target", "reason", "request_id")
    asked = json.dumps({name: getattr(request, name) for name in names})
    command = python_command("nextgen_tui.console.operator.decide_process", lake)
    child = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
    if child.returncode:
        raise DecisionError(
            (child.stderr.strip().splitlines() or ["the decision was not recorded; no reason was given"])[-1]
        )
    return child.stdout.strip()


def main(lake: str) -> int:
    """Read what was decided as JSON from stdin, put it on record, and say what stands; errors in one line on stderr."""
    from lake.store import Lake
    from nextgen_tui.cli.error_messages import describe_error
    from pipeline.config.loading import load
    from pipeline.engine.runner import Runner

    try:
        follow_access(Path(lake))
        opened = Lake.open(Path(lake))
        runner = Runner(opened, load(opened.path, dict(os.environ)).settings)
        said = _record(runner, **json.loads(sys.stdin.read()))
    except DecisionError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except BaseException as error:  # whatever it is has to become a sentence in the console
        sys.stderr.write(f"{describe_error(error)[1]}\n")
        return 1
    sys.stdout.write(f"{said}\n")
    return 0


def _record(runner: Runner, action: str, target: str, reason: str, request_id: str) -> str:
    """Put it on record; what stands then, in words."""
    if action in DONE:
        word = decide(runner, target, cast("Decision", action), reason, "console", request_id)
        return f"{word.plan_id} is {DONE[word.decision]} for the open of {word.for_session}."
    from nextgen_tui.cli.switch_output import describe_switch
    from pipeline.control.operator.trading_switches import Switch, switch_trading

    switch = cast("Switch", action)
    closes = target == "close"
    return describe_switch(
        switch_trading(runner, switch, reason, "console", close_positions=closes, switch_id=request_id)
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
