"""A worker of the tests: reads its order as the real one does, then behaves as the order's settings say."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from pipeline.control.workers.job import GO, Job, JobReport


def main() -> None:
    """Behave as the settings say, or as the task is called: done, raise, exit, abort, kill, hang, deaf, slow."""
    _lake, report, line = (sys.stdin.readline().rstrip("\n") for _ in range(3))
    if sys.stdin.readline().strip() != GO:
        return
    order = Job.from_json(line)
    how = order.settings.get("how", order.task)
    if how == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        stubborn = (
            "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"
        )
        command = [sys.executable, "-c", stubborn]
        children = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
        children.append(subprocess.Popen(command, stdout=subprocess.PIPE, process_group=0))
        for child in children:
            assert child.stdout is not None
            child.stdout.readline()  # from now on it ignores the request to end
        pids = Path(order.settings["pids"])
        pids.with_suffix(".part").write_text(" ".join(str(child.pid) for child in children))
        pids.with_suffix(".part").rename(pids)
        time.sleep(600)
    if how == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    if how == "slow":
        time.sleep(order.settings["seconds"])
    if how == "abort":
        os.abort()
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "exit":
        sys.exit(0)
    if how == "raise":
        raise RuntimeError("it would not work")
    JobReport(ok=True, cycle_id="cycle-1").write(Path(report))


if __name__ == "__main__":
    main()
