"""Standard streams that are closed, or cannot show every sign: made so that writing to them cannot fail for that."""

from __future__ import annotations

import io
import os
import sys


def prepare_streams() -> None:
    """Open what is closed onto nothing, and escape what the encoding cannot show.

    A closed descriptor would be given to the next file that is opened, and that file to whatever prints. To be called
    first of all in a program.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is this one: those below it are open by now.
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors != "backslashreplace":
            stream.reconfigure(errors="backslashreplace")
