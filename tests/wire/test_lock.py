from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from plugin_client.wire import paths
from plugin_client.wire.errors import EndpointError
from plugin_client.wire.lock import DaemonLock
from tests.refusals import refused

pytestmark = pytest.mark.usefixtures("home")
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps others out by access lists, not by modes")

HOLD = """
import sys, time
from plugin_client.wire.lock import DaemonLock
with DaemonLock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_daemon_is_refused_with_the_process_of_the_first_and_may_follow_its_death() -> None:
    address = paths.default_address()
    with subprocess.Popen([sys.executable, "-c", HOLD, address], stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout
        assert first.stdout.readline() == "held\n"
        with (
            refused(EndpointError, "already-running", address=address, pid=str(first.pid)),
            DaemonLock(address),
        ):
            pass
        first.kill()
    with DaemonLock(address):
        pass


def test_daemons_of_two_endpoints_do_not_meet(home: Path) -> None:
    with (
        DaemonLock(paths.default_address()),
        DaemonLock(f"ipc://{home}/other.sock"),
        DaemonLock("tcp://127.0.0.1:5555"),
    ):
        pass


@posix
def test_a_socket_is_not_put_where_others_can_enter(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with refused(EndpointError, "open-to-others", path=shared), DaemonLock(f"ipc://{shared}/x.sock"):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is full at every write")
def test_a_lock_that_a_full_disk_does_not_take_is_one_error(home: Path) -> None:
    address = paths.default_address()
    paths.make_data_folder()
    paths.lock_file(address).symlink_to("/dev/full")
    with refused(EndpointError, "unwritable", path=paths.lock_file(address)), DaemonLock(address):
        pass
