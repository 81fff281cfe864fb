"""Pieces are done alike by this process, by processes beside it and by a Dask cluster, whatever happens to workers."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from distributed import LocalCluster

from lake.errors import ContractError
from pipeline.execution.dask_cluster import DaskCluster
from pipeline.execution.dask_worker import Prepared, do_piece
from pipeline.execution.in_process import InProcess
from pipeline.execution.params import ExecutionParams
from pipeline.execution.piece import ExecutionError, Failure, Piece, PieceExecutor, PieceFailedError, as_done, in_order
from pipeline.execution.processes import Processes
from pipeline.execution.program import describe_differences, describe_program, refuse_other
from pipeline.plugins.load_plugin_file import import_plugin
from tests.pipeline.execution import pieces

REMOTE = ("processes", "dask")


@pytest.fixture(scope="module")
def executors() -> Iterator[dict[str, PieceExecutor]]:
    dask = DaskCluster(ExecutionParams(executor="dask", workers=2, retries=2))
    made: dict[str, PieceExecutor] = {
        "here": InProcess(),
        "threads": InProcess(3),
        "processes": Processes(2, retries=2),
        "dask": dask,
    }
    yield made
    for one in made.values():
        one.close()


@pytest.mark.parametrize("kind", ["here", "threads", *REMOTE])
def test_results_come_in_the_order_of_the_pieces_whoever_did_them(
    executors: dict[str, PieceExecutor], kind: str
) -> None:
    assert in_order(executors[kind], pieces.square, pieces.numbered(9), 100) == [n * n + 100 for n in range(9)]


@pytest.mark.parametrize("kind", ["here", "threads", *REMOTE])
def test_what_pieces_tell_and_log_comes_home_once_and_in_order(
    executors: dict[str, PieceExecutor], kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    heard: dict[str, list[int]] = {}
    with caplog.at_level(logging.INFO, logger="pipeline"):
        ids = in_order(
            executors[kind], pieces.speak, pieces.numbered(4),
            told=lambda name, words: heard.setdefault(name, []).append(words["at"]),
        )  # fmt: skip
    assert heard == {f"number {number}": [0, 1, 2] for number in range(4)}
    assert sorted(one.message for one in caplog.records if one.name == "pipeline.tests") == [
        f"piece {number} speaks" for number in range(4)
    ]
    assert (os.getpid() in ids) == (kind not in REMOTE)


@pytest.mark.parametrize("kind", REMOTE)
def test_the_first_pieces_are_shared_out_however_much_they_share(
    executors: dict[str, PieceExecutor], kind: str, tmp_path: Path
) -> None:
    assert in_order(executors[kind], pieces.meet, pieces.numbered(2), (str(tmp_path), bytes(50_000_000))) == [True] * 2


@pytest.mark.parametrize("kind", ["here", "threads", *REMOTE])
def test_an_error_is_raised_as_it_was_with_the_name_of_its_piece(
    executors: dict[str, PieceExecutor], kind: str
) -> None:
    with pytest.raises(ContractError, match="number 2 is no good") as raised:
        in_order(executors[kind], pieces.fail, pieces.numbered(4))
    assert raised.value.__notes__ == ["in the piece 'number 2'"]
    if kind in REMOTE:
        assert 'raise ContractError(f"number {given} is no good")' in str(raised.value.__cause__)


@pytest.mark.parametrize("kind", REMOTE)
def test_an_error_that_cannot_travel_is_told_in_its_words(executors: dict[str, PieceExecutor], kind: str) -> None:
    with pytest.raises(PieceFailedError, match="OddError: 0 and 7"):
        in_order(executors[kind], pieces.fail_oddly, pieces.numbered(1))


def test_a_result_that_cannot_travel_is_an_error_in_words(executors: dict[str, PieceExecutor]) -> None:
    with pytest.raises(PieceFailedError, match="cannot be sent from process to process"):
        in_order(executors["processes"], pieces.return_what_cannot_travel, pieces.numbered(1))


@pytest.mark.parametrize("kind", ["processes", pytest.param("dask", marks=pytest.mark.slow)])
def test_a_piece_whose_worker_is_lost_is_begun_again(
    executors: dict[str, PieceExecutor], kind: str, tmp_path: Path
) -> None:
    assert in_order(executors[kind], pieces.die_once, pieces.numbered(6), str(tmp_path)) == list(range(6))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["1", "3", "5"]


@pytest.mark.parametrize("kind", ["processes", pytest.param("dask", marks=pytest.mark.slow)])
def test_a_piece_that_loses_every_worker_ends_the_work_in_words(executors: dict[str, PieceExecutor], kind: str) -> None:
    with pytest.raises(ExecutionError, match=r"the piece 'number 0' was lost .*execution\.retries"):
        in_order(executors[kind], pieces.die, pieces.numbered(1))
    assert in_order(executors[kind], pieces.square, pieces.numbered(3), 0) == [0, 1, 4]  # and others find workers


def test_no_more_pieces_are_begun_than_are_worked_on_and_who_stops_asking_ends_them(tmp_path: Path) -> None:
    with closing(Processes(2, retries=0)) as executor:
        done = as_done(executor, pieces.wait_long, pieces.numbered(9), str(tmp_path))
        assert next(done) == (0, 0)
        deadline = time.monotonic() + 60
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        done.close()  # type: ignore[attr-defined]
        begun = [int(one.name.split(".")[1]) for one in tmp_path.iterdir() if not one.name.startswith("0.")]
    assert 1 <= len(begun) <= 2
    assert not [one for one in begun if is_running(one)]


def test_a_function_that_no_worker_could_find_is_refused_before_anything_is_begun() -> None:
    with pytest.raises(TypeError, match="define it at the top of a module"):
        in_order(InProcess(), partial(pieces.square), pieces.numbered(1))
    with pytest.raises(TypeError, match="define it at the top of a module"):
        in_order(InProcess(), lambda given, _: given, [Piece("one", 1)])


def test_plugins_that_cannot_be_loaded_on_a_worker_are_told_in_words(tmp_path: Path) -> None:
    plugin = tmp_path / "changed_on_the_way.py"
    plugin.write_text("MEMBERS = ()\n")
    import_plugin(plugin, plugin.read_bytes())
    try:
        plugin.write_text("1 / 0\n")
        with closing(Processes(1, retries=0)) as executor, pytest.raises(ExecutionError, match="ZeroDivisionError"):
            in_order(executor, pieces.square, pieces.numbered(1), 0)
    finally:
        sys.modules.pop("nextgen_plugin_changed_on_the_way")
    with pytest.raises(ZeroDivisionError):
        import_plugin(plugin, plugin.read_bytes())
    assert "nextgen_plugin_changed_on_the_way" not in sys.modules


@pytest.mark.parametrize("kind", REMOTE)
def test_workers_compute_with_one_thread_each(executors: dict[str, PieceExecutor], kind: str) -> None:
    assert set(in_order(executors[kind], pieces.read_threads, pieces.numbered(2))) == {(1, "1")}


def test_a_scheduler_that_does_not_answer_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.execution.dask_cluster.PATIENCE", 1.0)
    with pytest.raises(ExecutionError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9 .*execution\.address"):
        DaskCluster(ExecutionParams(executor="dask", address="tcp://127.0.0.1:9"))


def test_a_worker_that_could_compute_other_bits_is_refused_in_words() -> None:
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0",
            env={"NUMBA_CPU_NAME": "generic"},
        ) as cluster,
        pytest.raises(ExecutionError, match="1 of 1 workers could compute other bits") as raised,
    ):  # fmt: skip
        DaskCluster(ExecutionParams(executor="dask", address=cluster.scheduler_address))
    assert "NUMBA_CPU_NAME is generic there and not set here" in str(raised.value)


def test_a_worker_that_joins_later_is_refused_with_its_first_piece() -> None:
    prepared = Prepared({**describe_program(), "python": "3.9.1"}, {}, None)
    failure, said = do_piece(pieces.square, Piece("one", 1), prepared, "topic", "attempt")
    assert isinstance(failure, Failure) and not said
    assert "python is 3.11" in str(failure.error).replace("3.12", "3.11").replace("3.13", "3.11")


def test_a_cluster_at_an_address_is_used_and_left_as_it_was(executors: dict[str, PieceExecutor]) -> None:
    own = executors["dask"]
    assert isinstance(own, DaskCluster)
    address = own._client.scheduler.address
    with closing(DaskCluster(ExecutionParams(executor="dask", address=address))) as other:
        assert in_order(other, pieces.square, pieces.numbered(3), 1) == [1, 2, 5]
        assert other.at_once == own.at_once == 2
    assert in_order(own, pieces.square, pieces.numbered(2), 0) == [0, 1]


def test_differences_between_programs_are_told_in_words() -> None:
    here = {"numpy": "2.1", "instruction sets": "AVX2 FMA3", "code of nextgen": "a"}
    assert describe_differences(here, dict(here)) == []
    there = {"numpy": "2.2", "instruction sets": "AVX2 AVX512F", "code of nextgen": "a"}
    assert describe_differences(here, there) == [
        "numpy is 2.2 there and 2.1 here",
        "its processor lacks FMA3 and has AVX512F beyond this one's",
    ]
    words = refuse_other(here, {"tcp://a": here, "tcp://b": there})
    assert words.startswith("1 of 2 workers could compute other bits than this program, the first is tcp://b: numpy is")


@pytest.mark.cold
def test_without_the_library_the_command_that_installs_it_is_named_and_nothing_of_it_is_imported() -> None:
    program = (
        "import sys\n"
        "sys.modules['distributed'] = None\n"
        "import nextgen_tui.cli.main, pipeline.engine.runner, pipeline.execution.opening as opening\n"
        "from pipeline.execution.params import ExecutionParams\n"
        "loaded = {'dask', 'distributed.client', 'tornado', 'multiprocessing.connection'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
        "assert opening.open_executor(ExecutionParams()) is None\n"
        "try:\n"
        "    opening.open_executor(ExecutionParams(executor='dask'))\n"
        "except Exception as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "pip install 'nextgen-trading[dask]'" in done.stdout, done.stderr


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"
