"""Against the real daemon, with an engine that loads no model."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from plugin_client import cli, launch
from plugin_client.client import Client
from plugin_client.wire.endpoint import default_address, make_data_folder
from plugin_client.wire.errors import DaemonNotRunning, UsageError

PROJECT = Path(__file__).parents[2]
PAINTER = ["--engine=tests.client.painter:Painter"]
PATIENCE = 20.0  # s


@pytest.fixture(autouse=True)
def _stop_daemon(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a daemon find the engine, and end what a test started."""
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    yield
    for process in launch._started:
        process.terminate()
        process.wait(PATIENCE)
    launch._started.clear()


def test_a_daemon_is_started_where_none_runs_and_found_where_one_does() -> None:
    with launch.connect_or_start(None, PAINTER) as client:
        first = client.ping().pid
    with launch.connect_or_start(None, PAINTER) as client:
        assert client.ping().pid == first
    assert os.getpgid(first) != os.getpgid(0)  # Ctrl-C in this terminal does not reach it
    with pytest.raises(UsageError, match="runs at ipc"):
        launch.start(None, PAINTER)


def test_a_long_log_is_set_aside_before_a_daemon_starts_and_a_short_one_goes_on() -> None:
    log = launch.log_file(default_address())
    make_data_folder()
    log.write_text("x" * launch.MAX_LOG_BYTES)
    launch.start(None, PAINTER).close()
    assert log.stat().st_size > launch.MAX_LOG_BYTES
    launch.stop(None)
    launch.start(None, PAINTER).close()
    older = log.with_suffix(".old.log")
    assert older.read_text().startswith("xxx")
    assert "listens at" in log.read_text()
    assert "xxx" not in log.read_text()
    assert log.stat().st_size < 10_000


def test_the_command_line_works_with_a_real_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    launch.connect_or_start(None, PAINTER).close()
    command = "generate --prompt cat 1 --size 32x16 --seed 3 --count 2 -o out.png --quiet"
    assert cli.main(command.split()) == 0
    assert cli.main(["again", "out-2.png", "--quiet"]) == 0
    assert (tmp_path / "out-2-again.png").read_bytes() == (tmp_path / "out-2.png").read_bytes()
    assert cli.main(["status"]) == 0
    assert "float32 on CPU" in capsys.readouterr().out
    assert cli.main(["stop"]) == 0
    assert capsys.readouterr().out.endswith("daemon stopped\n")
    assert launch._started[0].wait(PATIENCE) == 0


def test_a_daemon_that_was_started_for_a_mistyped_model_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["--engine=tests.client.painter:Unloadable", "--model=owner/typo"]
    monkeypatch.setattr(launch, "model_arguments", lambda names: arguments)
    command = ["generate", "--prompt", "cat", "1", "--size", "32x16", "-o", "out.png", "--quiet", "--model"]
    assert cli.main([*command, "owner/typo"]) == 1
    assert "no model is called 'owner/typo'" in capsys.readouterr().err
    assert launch._started[0].wait(PATIENCE) == 0
    arguments[:] = PAINTER
    assert cli.main([*command, "embedded"]) == 0


def test_a_daemon_that_ran_before_outlives_a_model_that_it_cannot_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    launch.start(None, ["--engine=tests.client.painter:Unloadable"]).close()
    monkeypatch.setattr(launch, "_started", [])  # as for another process
    try:
        assert cli.main(["generate", "--prompt", "cat", "1", "--size", "32x16", "-o", "out.png", "--quiet"]) == 1
        with Client() as client:
            assert not client.ping().stopping
    finally:
        launch.stop(None)


def test_two_that_start_a_daemon_at_once_share_it() -> None:
    def pid(_: int) -> int:
        with launch.connect_or_start(None, PAINTER) as client:
            return client.ping().pid

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(pid, range(2))
    assert first == second


def test_a_daemon_that_was_killed_is_started_again() -> None:
    with launch.connect_or_start(None, PAINTER) as client:
        first = client.ping().pid
    launch._started[0].kill()
    launch._started[0].wait()
    with launch.connect_or_start(None, PAINTER) as client:
        assert client.ping().pid != first


def test_a_daemon_that_does_not_start_says_its_last_words() -> None:
    make_data_folder()
    with socket.socket(socket.AF_UNIX) as squatter:
        squatter.bind(default_address().removeprefix("ipc://"))
        squatter.listen()
        with pytest.raises(DaemonNotRunning, match=r"the daemon did not start: .*another program listens"):
            launch.start(None, PAINTER)


def test_a_wrong_argument_of_the_daemon_is_shown() -> None:
    with pytest.raises(DaemonNotRunning, match="argument --device: invalid choice: 'abacus'"):
        launch.start(None, ["--device", "abacus"])


def test_a_daemon_does_not_import_what_lies_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "daemon.py").write_text("raise SystemExit('taken over')")
    monkeypatch.chdir(tmp_path)
    launch.connect_or_start(None, PAINTER).close()


def test_a_model_in_a_folder_is_told_by_its_full_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small").mkdir()
    assert launch.model_arguments(["small", "", "kandinsky-2-1"]) == [
        "--model", str(tmp_path / "small"), "--model", "kandinsky-2-1",
    ]  # fmt: skip


def test_the_address_of_a_started_daemon_may_be_chosen(home: Path) -> None:
    address = f"ipc://{home}/other.sock"
    with launch.connect_or_start(address, PAINTER) as client:
        client.shutdown()
    with pytest.raises(DaemonNotRunning):
        Client()
