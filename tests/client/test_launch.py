"""Against the real daemon, with an engine that loads no model."""

from __future__ import annotations

import os
import re
import resource
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from plugin_client import launch
from plugin_client.cli import __main__ as cli
from plugin_client.client import Client
from plugin_client.job import GONE, LOOK_SECONDS, Job
from plugin_client.transports.zmq import check_listening
from plugin_client.wire import connection_file
from plugin_client.wire.connection_file import Endpoint
from plugin_client.wire.errors import DaemonNotRunning, EndpointError, NoAnswer, UsageError
from plugin_client.wire.paths import MAX_LOG_BYTES, default_address, log_file, make_data_folder, old_log
from tests.daemon.conftest import wait_until
from tests.refusals import refused

PROJECT = Path(__file__).parents[2]
PAINTER = ["--engine=tests.client.painter:Painter"]
PATIENCE = 20.0  # s


@pytest.fixture(autouse=True)
def _stop_daemon(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a daemon find the engine, and end what a test started."""
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    yield
    for process in launch.started_daemons:
        process.terminate()
        process.wait(PATIENCE)
    launch.started_daemons.clear()


def test_a_daemon_is_started_where_none_runs_and_found_where_one_does() -> None:
    with launch.connect_or_start(None, PAINTER) as client:
        first = client.ping().pid
    with launch.connect_or_start(None, PAINTER) as client:
        assert client.ping().pid == first
    assert os.getpgid(first) != os.getpgid(0)  # Ctrl-C in this terminal does not reach it
    with refused(UsageError, "already-running", address=default_address()):
        launch.start(None, PAINTER)


def test_a_long_log_is_set_aside_before_a_daemon_starts_and_while_it_runs() -> None:
    log = log_file(default_address())
    make_data_folder()
    log.write_text("x" * (MAX_LOG_BYTES + 1))
    with launch.start(None, PAINTER) as client:
        assert set(old_log(log).read_text()) == {"x"}
        with log.open("a") as file:
            file.write("y" * MAX_LOG_BYTES)  # as if it had run for long
        wait_until(lambda: log.stat().st_size < 10_000, "the daemon has set its log aside")
        assert re.search("listens at .*\n.*yyy", old_log(log).read_text())
        client.submit([("a cat", 1)], size=(16, 16)).result()
        wait_until(lambda: " done in " in log.read_text(), "it goes on with the log")
    assert not {"x", "y"} & set(log.read_text()[:1])


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
    assert launch.started_daemons[0].wait(PATIENCE) == 0


def test_a_daemon_that_was_started_for_a_mistyped_model_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["--engine=tests.client.painter:Unloadable", "--model=owner/typo"]
    monkeypatch.setattr(launch, "model_arguments", lambda names: arguments)
    command = ["generate", "--prompt", "cat", "1", "--size", "32x16", "-o", "out.png", "--quiet", "--model"]
    assert cli.main([*command, "owner/typo"]) == 1
    assert "no model is called 'owner/typo'" in capsys.readouterr().err
    assert launch.started_daemons[0].wait(PATIENCE) == 0
    arguments[:] = PAINTER
    assert cli.main([*command, "embedded"]) == 0


def test_a_daemon_that_ran_before_outlives_a_model_that_it_cannot_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    launch.start(None, ["--engine=tests.client.painter:Unloadable"]).close()
    monkeypatch.setattr(launch, "started_daemons", [])  # as for another process
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
    launch.started_daemons[0].kill()
    launch.started_daemons[0].wait()
    with launch.connect_or_start(None, PAINTER) as client:
        assert client.ping().pid != first


def test_a_daemon_that_does_not_start_says_its_last_words() -> None:
    make_data_folder()
    with socket.socket(socket.AF_UNIX) as squatter:
        squatter.bind(default_address().removeprefix("ipc://"))
        squatter.listen()
        with refused(DaemonNotRunning, "not-started", reason=lambda words: "another program listens" in words):
            launch.start(None, PAINTER)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Have this process and its children write no larger files, in bytes, as on a full disk."""
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, most[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)


def test_a_daemon_that_could_not_even_write_says_why() -> None:
    with files_of_at_most(1), pytest.raises(DaemonNotRunning, match=r"cannot be written \(File too large\)$"):
        launch.start(None, ["--no-such-option"])


def test_a_wrong_argument_of_the_daemon_is_shown() -> None:
    invalid = "argument --device: invalid choice: 'abacus'"
    with refused(DaemonNotRunning, "not-started", reason=lambda words: invalid in words):
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


def test_a_wait_outlives_a_daemon_that_is_killed_and_one_that_is_stopped() -> None:
    with launch.start(None, PAINTER) as client:
        client.submit([("slowly", 1)], size=(16, 16), seed=1)
        job = client.submit([("a cat", 1)], size=(16, 16), seed=5)
        launch.started_daemons[-1].kill()
        launch.started_daemons[-1].wait()
        with refused(NoAnswer, GONE):
            poll_until_over(job)
        launch.start(None, PAINTER).close()
        launch.stop(None)
        with refused(NoAnswer, GONE):
            poll_until_over(job)
        launch.start(None, PAINTER).close()
        poll_until_over(job)
        assert job.result().pictures[0].pixels[0] == 5


def poll_until_over(job: Job) -> None:
    deadline = time.monotonic() + PATIENCE
    while not job.is_over:
        assert time.monotonic() < deadline
        job.poll(0.1)


def test_a_daemon_that_has_ended_is_noticed_at_once() -> None:
    with launch.start(None, PAINTER) as client:
        job = client.submit([("slowly", 1)], size=(16, 16))
        launch.started_daemons[-1].kill()
        launch.started_daemons[-1].wait()
        ended = time.monotonic()
        with refused(NoAnswer, GONE):
            poll_until_over(job)
        assert time.monotonic() - ended < 2 * LOOK_SECONDS + 0.5


def test_stop_says_what_is_kept_and_forget_deletes_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with launch.start(None, PAINTER) as client:
        client.submit([("a cat", 1)], size=(16, 16)).result()
        client.submit([("slowly", 1)], size=(16, 16))
    assert cli.main(["stop"]) == 0
    assert capsys.readouterr().out == (
        "daemon stopped\n1 job unfinished and 1 job not fetched: kept, and there when it is started again\n"
    )
    launch.start(None, PAINTER).close()
    assert cli.main(["forget"]) == 0
    assert capsys.readouterr().out == "forgot 1 job\n"
    with Client() as client:
        assert [job.state for job in client.jobs()] in (["running"], ["queued"])
    assert cli.main(["stop"]) == cli.main(["forget"]) == 0
    assert capsys.readouterr().out.endswith(f"deleted {home / 'daemon.jobs'}\n")
    assert cli.main(["forget"]) == 0
    assert capsys.readouterr().out == "nothing is kept\n"


def test_stop_says_where_nothing_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    with launch.start(None, [*PAINTER, "--state=none"]) as client:
        client.submit([("a cat", 1)], size=(16, 16)).result()
    assert cli.main(["stop"]) == 0
    assert capsys.readouterr().out == (
        "daemon stopped\nresults that were not fetched are gone: it kept them in memory\n"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is full at every write")
def test_a_full_disk_is_told_to_who_starts_a_daemon() -> None:
    log = log_file(default_address())
    make_data_folder()
    log.symlink_to("/dev/full")
    with refused(EndpointError, "unwritable", path=log, reason="No space left on device"):
        launch.start(None, [])


def test_a_folder_in_the_log_s_place_is_told_to_who_starts_a_daemon() -> None:
    log = log_file(default_address())
    make_data_folder()
    log.mkdir()
    with refused(EndpointError, "unwritable", path=log, reason="Is a directory"):
        launch.start(None, [])


def test_another_user_s_socket_is_not_spoken_to(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX) as planted:
        planted.bind(str(home / "planted.sock"))
        planted.listen()
        address = f"ipc://{home / 'planted.sock'}"
        check_listening(address)
        user = os.getuid()
        monkeypatch.setattr("os.getuid", lambda: user + 1)
        with refused(EndpointError, "other-owner", address=address, owner=user):
            check_listening(address)


def opened_folder(home: Path) -> None:
    home.chmod(0o777)


def opened_connection_file(home: Path) -> None:
    (home / "daemon.json").chmod(0o666)


def other_s_connection_file(home: Path) -> None:
    if os.getuid():
        pytest.skip("only root may give files to others")
    os.chown(home / "daemon.json", 12345, 12345)


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (opened_folder, "is open to other users (mode 077)"),
        (opened_connection_file, "is open to other users (mode 066)"),
        (other_s_connection_file, "belongs to user 12345, not to you"),
    ],
)
def test_the_shell_sends_nothing_to_whoever_may_be_an_impostor(
    home: Path, capsys: pytest.CaptureFixture[str], plant: Callable[[Path], None], said: str
) -> None:
    with socket.socket(socket.AF_UNIX) as impostor:
        impostor.bind(str(home / "daemon.sock"))
        impostor.listen()
        impostor.setblocking(False)
        connection_file.write_connection(default_address(), Endpoint(default_address(), pid=1))
        plant(home)
        for command in ("status", "generate --prompt cat 1 -o out.png", "stop", "start"):
            assert cli.main(command.split()) == 1
            assert said in capsys.readouterr().err
        with pytest.raises(BlockingIOError):
            impostor.accept()
    assert not launch.started_daemons
