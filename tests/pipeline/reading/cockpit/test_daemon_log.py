"""The daemon's log as rows: the newest first, bounded, and whatever stands in it."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from pathlib import Path

from pipeline.control.logging.json_logs import begin_logging, end_logging
from pipeline.reading.cockpit.daemon_log import FILE, FOLDER, MAX_READ, MAX_ROWS, read_daemon_log


def write(lake: Path, *lines: str, file: str = FILE) -> None:
    (lake / FOLDER).mkdir(parents=True, exist_ok=True)
    (lake / FOLDER / file).write_text("".join(f"{line}\n" for line in lines))


def test_what_the_daemon_logs_is_told_with_its_fields_the_newest_first(tmp_path: Path) -> None:
    begin_logging(tmp_path / FOLDER, quiet=True)
    try:
        log = logging.getLogger("pipeline.test")
        log.info("began")
        log.warning("late", extra={"task": "cycle", "slot": "2022-03-01"})
        try:
            raise ValueError("a reason")
        except ValueError:
            log.exception("it broke")
    finally:
        end_logging()
    rows = read_daemon_log(tmp_path)
    assert rows["message"].to_list() == ["it broke", "late", "began"]
    assert rows["level"].to_list() == ["error", "warning", "info"]
    assert rows["task"].to_list() == [None, "cycle", None] and "ValueError: a reason" in rows["trace"][0]


def test_without_a_log_there_are_no_rows(tmp_path: Path) -> None:
    assert read_daemon_log(tmp_path).is_empty()


def test_an_older_file_goes_on_before_the_newest(tmp_path: Path) -> None:
    write(tmp_path, '{"message": "old"}', file=f"{FILE}.1")
    write(tmp_path, '{"message": "new"}')
    assert read_daemon_log(tmp_path)["message"].to_list() == ["new", "old"]


def test_lines_that_are_no_json_are_told_as_they_stand(tmp_path: Path) -> None:
    write(
        tmp_path,
        "Traceback:",
        "7",
        '{"at": "nonsense", "message": "m"}',
        '{"at": "2022-03-01T10:00:00", "message": "n"}',
    )
    rows = read_daemon_log(tmp_path)
    assert rows["message"].to_list() == ["n", "m", "7", "Traceback:"]
    assert rows["at"].to_list()[:2] == [datetime(2022, 3, 1, 10, tzinfo=UTC), None]


def test_a_log_of_many_megabytes_is_read_at_its_end(tmp_path: Path) -> None:
    line = json.dumps({"at": "2022-03-01T10:00:00+00:00", "message": "x" * 200})
    write(tmp_path, *[line] * (2 * MAX_READ // len(line)), '{"message": "last"}')
    rows = read_daemon_log(tmp_path)
    assert rows.height == MAX_ROWS and rows["message"][0] == "last" and len(rows["message"][-1]) == 200


def test_what_was_logged_after_a_moment_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, *(json.dumps({"at": f"2022-03-0{day}T10:00:00+00:00", "message": str(day)}) for day in (1, 2, 3)))
    rows = read_daemon_log(tmp_path, datetime(2022, 3, 2, 12, tzinfo=UTC))
    assert rows["message"].to_list() == ["2", "1"]
