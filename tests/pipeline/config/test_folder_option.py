"""A folder named on a command line is one that somebody named."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pipeline.config.folder_option import Folder
from pipeline.control.daemon.main import command


def test_an_empty_path_is_refused_and_a_dot_is_the_folder_one_is_in() -> None:
    assert Folder().convert(".", None, None) == Path()
    with pytest.raises(click.BadParameter, match="the path of a folder is empty"):
        Folder().convert("", None, None)


def test_a_daemon_is_not_started_for_an_empty_path() -> None:
    done = CliRunner().invoke(command, ["--lake", "", "--once"])
    assert done.exit_code == 2
    assert "the path of a folder is empty" in done.output
