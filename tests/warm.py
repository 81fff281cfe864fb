"""Child processes that start warm: forked from a template that has imported what the program imports.

Most tests that start `nextgen`, the daemon or a worker are about what it does, not about how Python loads. On Linux
`install` lets a command that runs this interpreter be carried out by a fork of the template. It is as good as a fresh
process: a child of the caller with its own pid, environment, working directory and descriptors. The template runs no
thread, and its children have a template of their own for the children they start. A command starts cold where the
environment has other values of what is read while libraries load, and in a test that is marked `cold`.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import inspect
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

IMPORTED = (
    "pipeline.engine.runner",
    "pipeline.engine.stages",
    "pipeline.engine.reproduction",
    "pipeline.control.daemon.daemon_loop",
    "pipeline.control.logging.json_logs",
    "pipeline.control.workers.task_actions",
    "pipeline.reading.health_verdict",
    "nextgen_tui.cli.main",
    "exchange_calendars",
)
"""What most programs here import; torch is left to those that train."""
READ_ONCE = (
    "PYTHON",
    "POLARS_",
    "OMP_",
    "OPENBLAS_",
    "MKL_",
    "LD_",
    "MALLOC_",
    "RAYON_",
    "TOKIO_",
    "TZ",
    "LC_",
)
"""Begin the names of variables that are read while Python or a library starts."""
READ_LATER = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")
"""Of these, what a fork can still say: what reads the one is not loaded in the template, and numba is asked again."""
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "1")
"""What the template has read, whatever its user's environment says."""
HOUSEKEEPING = ("jemalloc", "polars-ooc")
"""Begin the names of threads that libraries start when imported, to tidy memory; a fork does well without them."""
ADOPT_ORPHANS = 36
"""Of prctl: the children of children that end become this process's own."""
MAX_REQUEST = 1 << 18
_start_cold = subprocess.Popen._execute_child  # type: ignore[attr-defined]
_arguments = inspect.signature(_start_cold)


class Template:
    """The process that is forked, as its user sees it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    @classmethod
    def start(cls) -> Template:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-P", "-m", "tests.warm", str(theirs.fileno())]
            others = {name: value for name, value in os.environ.items() if not name.startswith(READ_ONCE)}
            template = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], env=others | _environment
            )
        template.returncode = 0  # it ends when nobody holds the other end any more; nobody waits for it
        return cls(ours)

    def fork(self, request: dict[str, Any], descriptors: list[int]) -> int:
        """Let it carry out a command; returns the pid of what is then a child of this process."""
        prctl = ctypes.CDLL(None).prctl
        with self._lock:
            prctl(ADOPT_ORPHANS, 1, 0, 0, 0)
            try:
                socket.send_fds(self._connection, [json.dumps(request).encode()], descriptors)
                return int(self._connection.recv(64))
            finally:
                prctl(ADOPT_ORPHANS, 0, 0, 0, 0)


_template: Template | None = None
_starting = threading.Lock()


def template() -> Template:
    """This process's template, started when it is needed first."""
    global _template
    with _starting:
        _template = _template or Template.start()
        return _template


def read_once(environment: dict[str, str]) -> dict[str, str]:
    """Of an environment, what a fork cannot change any more."""
    fixed = {name: value for name, value in environment.items() if name.startswith(READ_ONCE)}
    return {name: value for name, value in fixed.items() if name not in READ_LATER and (name, value) != ONE_THREAD}


_environment = read_once(dict(os.environ))
"""What this process's template has read."""


def install() -> None:
    """From here on, children that can do so start warm."""
    subprocess.Popen._execute_child = _start  # type: ignore[attr-defined]


def is_installed() -> bool:
    return subprocess.Popen._execute_child is _start  # type: ignore[attr-defined]


def uninstall() -> None:
    """From here on, every child is a fresh process again."""
    subprocess.Popen._execute_child = _start_cold  # type: ignore[attr-defined]


def _start(popen: subprocess.Popen[Any], *given: Any) -> None:
    """Start what `Popen` is to start: warm where that is the same."""
    asked = _arguments.bind(popen, *given).arguments
    request = describe_request(asked)
    if request is None or read_once(request["environment"]) != _environment:
        _start_cold(popen, *given)
        return
    ends = [asked["p2cread"], asked["c2pwrite"], asked["errwrite"]]
    popen.pid = template().fork(request, [number if end == -1 else end for number, end in enumerate(ends)])
    popen._child_created = True  # type: ignore[attr-defined]
    pipes = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
    popen._close_pipe_fds(*(asked[name] for name in pipes))  # type: ignore[attr-defined]


def describe_request(asked: dict[str, Any]) -> dict[str, Any] | None:
    """What a fork needs to know; None for a command that only a fresh process can carry out."""
    rare = ("executable", "preexec_fn", "pass_fds", "shell", "gids")
    if isinstance(asked["args"], str | bytes | os.PathLike) or any(asked[name] for name in rare):
        return None
    if asked["process_group"] > 0 or asked["umask"] >= 0:
        return None
    words = [os.fsdecode(word) for word in asked["args"]]
    if words[:3] == [sys.executable, "-P", "-m"] and words[3] != "tests.warm":
        run = {"module": words[3], "words": words[4:]}
    elif words[:2] == [sys.executable, "-c"]:
        run = {"code": words[2], "words": words[3:]}
    else:
        return None
    environment = os.environ if asked["env"] is None else asked["env"]
    request = run | {
        "environment": {os.fsdecode(name): os.fsdecode(value) for name, value in environment.items()},
        "folder": os.fsdecode(asked["cwd"] or Path.cwd()),
        "session": asked["start_new_session"],
        "group": asked["process_group"] == 0,
    }
    return request if len(json.dumps(request)) < MAX_REQUEST else None


# ---- in the template, and in its forks


def serve(connection: socket.socket) -> dict[str, Any]:
    """Fork for each request, until nobody is left to make one; returns the request, in the fork that carries it out."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(connection, MAX_REQUEST, 3)
        if not message:
            os._exit(0)
        answer, pid_known = os.pipe()
        if between := os.fork():  # the one between ends, and the caller adopts its child
            os.waitpid(between, 0)
            os.close(pid_known)
            connection.send(os.read(answer, 64))
            for number in (answer, *descriptors):
                os.close(number)
            continue
        middle = os.getpid()
        if os.fork():
            os._exit(0)
        while os.getppid() == middle:  # a program that follows its parent takes that one's end for its user's
            time.sleep(0.001)
        connection.close()
        request = json.loads(message)
        enter(request)
        os.write(pid_known, str(os.getpid()).encode())  # whoever knows it may signal the session at once
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.fork():
            theirs.close()
            os.close(answer)
            os.close(pid_known)
            take_over(descriptors)
            global _template
            _template = Template(ours)
            return request
        ours.close()
        connection = theirs
        for number in (answer, pid_known, *descriptors):
            os.close(number)


def enter(request: dict[str, Any]) -> None:
    """Be where the command is to run."""
    from numba.core import config as numba_config

    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    numba_config.reload_config()
    if request["session"]:
        os.setsid()
    elif request["group"]:
        os.setpgid(0, 0)


def take_over(descriptors: list[int]) -> None:
    """Take the descriptors as standard input, output and error, and signals as any program does."""
    copies = [os.dup(one) for one in descriptors]
    for number, (copy, one) in enumerate(zip(copies, descriptors, strict=True)):
        os.dup2(copy, number)
        os.close(copy)
        os.close(one)
    at_once = bool(os.environ.get("PYTHONUNBUFFERED"))
    sys.stdin = sys.__stdin__ = open(0, closefd=False)  # type: ignore[misc] # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)  # type: ignore[misc] # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", closefd=False, errors="backslashreplace")  # type: ignore[misc] # noqa: SIM115
    sys.stdout.reconfigure(line_buffering=sys.stdout.isatty(), write_through=at_once)
    sys.stderr.reconfigure(line_buffering=True, write_through=at_once)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def carry_out(request: dict[str, Any]) -> None:
    """Run the command as the interpreter would."""
    main = sys.modules["__main__"] = ModuleType("__main__")
    if module := request.get("module"):
        sys.argv = ["-m", *request["words"]]
        sys.modules.pop(module, None)
        runpy._run_module_as_main(module)  # type: ignore[attr-defined]
    else:
        sys.argv = ["-c", *request["words"]]
        sys.path.insert(0, "")
        exec(compile(request["code"], "<string>", "exec"), main.__dict__)


def warm_up() -> None:
    """Import, and compute the calendar, without starting a thread: a fork would not have it."""
    os.environ.update([ONE_THREAD])
    for name in IMPORTED:
        importlib.import_module(name)
    from pipeline.market.sessions import exchange_sessions

    exchange_sessions()  # nearly all of them ask for it
    assert "textual" not in sys.modules, "it has read variables that a console may be started with others of"
    refuse_threads()
    refuse_openmp()
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, signal.SIG_IGN)  # meant for those that the template's user started
    gc.freeze()


def refuse_threads() -> None:
    """See to it that this process may be forked."""
    others = [task for task in Path("/proc/self/task").iterdir() if task.name != str(os.getpid())]
    busy = [name for task in others if not (name := (task / "comm").read_text()).startswith(HOUSEKEEPING)]
    assert not busy, f"threads run before the fork: {busy}"


def refuse_openmp() -> None:
    """A fork may say how many threads OpenMP has, if nothing has asked before."""
    assert "libgomp" not in Path("/proc/self/maps").read_text(), "it has read OMP_NUM_THREADS, which forks may change"


if __name__ == "__main__":
    from tests import warm  # the module that programs see, with what they share

    warm.warm_up()
    asked = warm.serve(socket.socket(fileno=int(sys.argv[1])))
    warm.install()
    warm.carry_out(asked)
