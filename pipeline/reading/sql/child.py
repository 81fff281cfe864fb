"""A question in SQL, answered by a child process that can be ended: after so many seconds, and at so much memory."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lake.sql.statement import SqlError, check_statement
from pipeline.engine.child_command import python_command

if TYPE_CHECKING:
    import polars as pl

    from lake.contract import Table
    from lake.store import Lake

SECONDS = 30.0
"""That a question may take, unless another bound is given."""
MAX_MEMORY = 4 << 30
"""Bytes that its process may hold."""
REFUSED = 3
"""Exit status of a child that gives a reason, as opposed to one that was ended."""


@dataclass(frozen=True, kw_only=True)
class SqlQuestion:
    """What is asked, and of which moment."""

    text: str
    limit: int
    """Rows at most; one more is given where there are more."""
    versions: Mapping[str, int] | None = None
    """Table -> version; what is published when it is asked where None."""
    as_of: str | None = None
    """ISO time with its zone: only what was public then. With versions, those tables alone are cut that runs do not
    publish: the others are at the version of the moment."""


def ask(lake: Path, question: SqlQuestion, seconds: float = SECONDS, memory: int = MAX_MEMORY) -> pl.DataFrame:
    """The answer: at most `limit` rows and one, which says that there are more.

    Raises:
        SqlError: if it is refused, cannot be understood, or needs more time or memory than it may have.
    """
    import polars as pl

    check_statement(question.text)
    command = python_command("pipeline.reading.sql.child", lake, int(seconds), memory)
    asked = json.dumps(asdict(question))
    try:
        child = subprocess.run(command, input=asked.encode(), capture_output=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise SqlError(f"there is no answer after {seconds:g} seconds; ask for less, or allow more seconds") from None
    if child.returncode == REFUSED:
        raise SqlError(child.stderr.decode("utf-8", "replace").strip())
    if child.returncode:
        raise SqlError(
            f"the answer needs more than {memory / 1e9:.1f} GB of memory, or was ended (status {child.returncode}); "
            "ask for fewer rows or columns"
        )
    return pl.read_ipc(child.stdout)


def main(lake: str, seconds: int, memory: int) -> int:
    """Read the question as JSON from stdin, write the answer as an Arrow file to stdout; a reason goes to stderr."""
    limit_process(seconds, memory)
    from lake.errors import LakeError
    from lake.store import Lake

    try:
        frame = answer_question(Lake.open(Path(lake)), SqlQuestion(**json.loads(sys.stdin.read())))
    except (LakeError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return REFUSED
    frame.write_ipc(sys.stdout.buffer)
    return 0


def limit_process(seconds: int, memory: int) -> None:
    """Let this process have so much memory, and end by itself where whoever started it cannot end it any more."""
    cores = os.cpu_count() or 1
    for kind, most in ((resource.RLIMIT_DATA, memory), (resource.RLIMIT_CPU, (seconds + 5) * cores)):
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (most if hard < 0 else min(most, hard), hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def answer_question(lake: Lake, question: SqlQuestion) -> pl.DataFrame:
    """The answer, in this process.

    Raises:
        SqlError: if it is refused or cannot be understood.
        LakeError: if the lake cannot be read.
    """
    from lake.queries import Query
    from lake.sql.answer import answer
    from lake.tables import TABLES

    published = lake.published_versions()
    versions = {name: (question.versions or published).get(name, 0) for name in TABLES if name in published}
    moment = datetime.fromisoformat(question.as_of) if question.as_of else None

    def rows(table: Table, columns: tuple[str, ...]) -> pl.DataFrame:
        asked = Query(lake, table, versions[table.name] if _pinned(table, question) else None).only(*columns)
        cut = moment is not None and not (question.versions and table.published_by_run)
        return (asked.as_of(moment) if cut and moment else asked.in_last_revision()).read()

    contracts = {name: lake.contract(TABLES[name], version) for name, version in versions.items()}
    return answer(question.text, rows, contracts, question.limit + 1)


def _pinned(table: Table, question: SqlQuestion) -> bool:
    """Whether it is read at a version: at a past moment, what no run publishes is cut by the moment instead."""
    return question.versions is None or table.published_by_run


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
