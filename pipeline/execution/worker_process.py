"""What a process beside this one does: it takes pieces from its standard input, and sends back what became of them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from pipeline.execution.carry_out import carry_out
from pipeline.execution.piece import ExecutionError, Failure, Piece, PieceFailedError, Words
from pipeline.execution.plugin_files import import_plugin_files


def main() -> None:
    """Serve until whoever started it has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever is interrupted ends this process
    asked = Connection(os.dup(0), writable=False)
    answers = Connection(os.dup(1), readable=False)
    os.dup2(2, 1)  # what a piece prints must not come between its answers
    shared, fault = None, ""
    while True:
        try:
            kind, *content = asked.recv()
        except EOFError:
            leave()
        if kind == "plugins":
            fault = try_plugins(*content)
        elif kind == "shared":
            (shared,) = content
        elif fault:
            answers.send(("done", Failure(ExecutionError(fault), content[1].name)))
        else:
            function, piece = content
            answer(answers, piece, carry_out(function, piece, shared, partial(_send, answers)))


def leave() -> NoReturn:
    """End at once: taking the libraries of a training apart takes a second, and there is nothing left to tidy."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def try_plugins(files: Mapping[str, str]) -> str:
    """Load the operator's plugins; what is wrong with them here, in words."""
    try:
        import_plugin_files(files)
    except Exception as error:  # the operator's code can raise anything
        return f"the plugins could not be loaded on a worker: {type(error).__name__}: {error}"
    return ""


def answer(answers: Connection, piece: Piece, result: Any) -> None:
    """Send what a piece came to; what cannot be sent is an error of its own."""
    try:
        answers.send(("done", result))
    except OSError:
        raise
    except Exception as error:  # a result or an error that pickle refuses
        words = f"the result cannot be sent from process to process: {error}"
        answers.send(("done", Failure(PieceFailedError(words), piece.name, words)))


def _send(answers: Connection, words: Words) -> None:
    answers.send(("told", words))


if __name__ == "__main__":
    main()
