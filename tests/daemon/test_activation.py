"""A socket that is bound before the daemon runs, as by systemd: clients connect, and each daemon is given it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from plugin_client import launch
from plugin_client.client import Client
from plugin_client.wire import paths
from tests.daemon.conftest import PATIENCE, PROJECT


@contextmanager
def bound(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as manager:
        manager.bind(str(path))
        manager.listen()
        yield manager


def activate(home: Path, manager: socket.socket | IO[str]) -> subprocess.Popen[bytes]:
    """Start a daemon that is given the socket."""
    command = [sys.executable, "-m", "tests.daemon.activated_daemon", str(manager.fileno())]
    return subprocess.Popen(
        [*command, "--engine=tests.daemon.fake_engine:FakeEngine"],
        pass_fds=[manager.fileno()],
        stderr=subprocess.PIPE,
        env=os.environ | {paths.HOME_VARIABLE: str(home), "PYTHONPATH": str(PROJECT)},
    )


def test_a_client_that_comes_first_is_answered_by_each_daemon_that_is_given_the_socket(home: Path) -> None:
    with bound(home / "daemon.sock") as manager:
        for _ in range(2):
            with Client() as client:  # nothing runs yet, and no connection file tells of it
                daemon = activate(home, manager)
                assert client.ping().pid == daemon.pid
                assert client.submit([("quick", 1)], size=(16, 16)).result().pictures
            with Client() as client:
                client.shutdown()
            _, log = daemon.communicate(timeout=PATIENCE)
            assert (daemon.returncode, b"Traceback" in log) == (0, False)
            assert (home / "daemon.sock").is_socket()  # the manager's
            assert not paths.connection_file(paths.default_address()).exists()


@pytest.mark.parametrize("given", ["no socket", "at ('127.0.0.1', ", "one that does not listen", "ipc://"])
def test_a_socket_of_another_place_is_named(home: Path, given: str) -> None:
    with (
        bound(home / "other.sock") as other,
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket() as idle,
        (home / "file").open("w") as file,
    ):
        daemon = activate(home, {"no socket": file, "at ('127.0.0.1', ": tcp, "ipc://": other}.get(given, idle))
        _, log = daemon.communicate(timeout=PATIENCE)
    assert daemon.returncode == 1
    assert f"the socket that the service manager handed over is {given}" in log.decode()
    assert log.count(b"\n") == 1


def test_stop_ends_a_daemon_whose_socket_goes_on(home: Path) -> None:
    with bound(home / "daemon.sock") as manager, activate(home, manager) as daemon:
        with Client() as client:
            client.ping()
        assert launch.stop(None)
        assert daemon.wait(PATIENCE) == 0
