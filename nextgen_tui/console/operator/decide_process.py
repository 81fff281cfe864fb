"""The operator's word on a planned trade, put on record by a child: the calendar costs seconds and memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from lake.access import follow_access
from pipeline.control.operator.decisions import DecisionError, decide
from pipeline.control.operator.requests import Request
from pipeline.engine.child_command import python_command


def record_decision(lake: Path, request: Request) -> str:
    """Approve or veto as the request says; under the request's id a word is put on record once.

    Returns:
        What stands now, in words.

    Raises:
        DecisionError: if it cannot count any more, or there is no such order.
    """
    given = {"plan_id": request.target, "decision": request.action, "reason": request.reason}
    asked = json.dumps({**given, "decision_id": request.request_id})
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
        word = decide(runner, **json.loads(sys.stdin.read()), origin="console")
    except DecisionError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except BaseException as error:  # whatever it is has to become a sentence in the console
        sys.stderr.write(f"{describe_error(error)[1]}\n")
        return 1
    done = {"approve": "approved", "veto": "vetoed"}[word.decision]
    sys.stdout.write(f"{word.plan_id} is {done} for the open of {word.for_session}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
