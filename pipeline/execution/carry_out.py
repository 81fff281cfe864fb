"""What a worker does with a piece: it does it as this program would, and sends words, logs and errors home."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any

from pipeline.execution.current import working_on
from pipeline.execution.in_process import InProcess
from pipeline.execution.piece import Failure, Piece, PieceFunction, Words, listening

LOGGERS = ("lake", "pipeline")
"""Whose records are sent home."""
LOG = "log"
"""Names the words that are a record."""


def carry_out(function: PieceFunction, piece: Piece, shared: Any, send: Callable[[Words], None]) -> Any:
    """Do a piece and return its result, or its `Failure`; what it shares out itself is done here as well."""
    with listening(send), logs_sent_home(send), working_on(InProcess):
        try:
            return function(piece.given, shared)
        except Exception as error:  # whatever a piece raises is raised where it was asked for
            return Failure.of(error, piece.name)


@contextmanager
def logs_sent_home(send: Callable[[Words], None]) -> Iterator[None]:
    """What this thread logs within the block is sent as words."""
    handler = _HomeHandler(send)
    loggers = [logging.getLogger(name) for name in LOGGERS]
    for one in loggers:
        one.addHandler(handler)
        one.setLevel(min(one.level or logging.INFO, logging.INFO))
    try:
        yield
    finally:
        for one in loggers:
            one.removeHandler(handler)


class _HomeHandler(logging.Handler):
    """Sends records of the thread that made it."""

    def __init__(self, send: Callable[[Words], None]) -> None:
        super().__init__(logging.INFO)
        self._send, self._thread = send, get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self._send({LOG: [record.name, record.levelno, record.getMessage()]})


def receive(piece: str, words: Words, told: Callable[[str, Words], None]) -> None:
    """At home: log what was logged, and tell what was told."""
    if LOG not in words:
        told(piece, words)
        return
    name, level, message = words[LOG]
    logger = logging.getLogger(name)
    if logger.isEnabledFor(level):
        record = logger.makeRecord(name, level, "(worker)", 0, message, (), None, extra={"piece": piece})
        logger.handle(record)
