from __future__ import annotations

import signal
import socket

import pytest

from daemon.notify import notify
from tests.daemon.conftest import PATIENCE, Daemons


def test_systemd_is_told_that_the_daemon_is_ready_lives_and_stops(
    daemons: Daemons, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = str(daemons.home / "notify.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.settimeout(PATIENCE)
        receiver.bind(address)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        daemon = daemons.start()
        assert [receiver.recv(100), receiver.recv(100)] == [b"READY=1", b"WATCHDOG=1"]
        daemon.process.send_signal(signal.SIGTERM)
        while (told := receiver.recv(100)) == b"WATCHDOG=1":
            pass
        assert told == b"STOPPING=1"
        assert daemon.wait() == 0


@pytest.mark.parametrize("address", ["", "relative", "/nobody/listens"])
def test_nobody_who_listens_is_no_error(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify("READY=1")
