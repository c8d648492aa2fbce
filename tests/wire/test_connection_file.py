from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plugin_client.wire import connection_file, paths
from plugin_client.wire.errors import DaemonNotRunning, EndpointError, VersionError
from plugin_client.wire.messages import PROTOCOL_VERSION
from tests.refusals import refused

pytestmark = pytest.mark.usefixtures("home")
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps others out by access lists, not by modes")


def tcp_endpoint(address: str = "tcp://127.0.0.1:5555") -> connection_file.Endpoint:
    (server_key, _), (public, secret) = connection_file.new_keys()
    return connection_file.Endpoint(address, 7, server_key, public, secret)


def test_what_a_daemon_writes_a_client_reads() -> None:
    for address, endpoint in [
        (paths.default_address(), connection_file.Endpoint(paths.default_address(), 7)),
        ("tcp://127.0.0.1:5555", tcp_endpoint()),
        ("tcp://127.0.0.1:0", tcp_endpoint("tcp://127.0.0.1:40001")),
    ]:
        connection_file.write_connection(address, endpoint)
        assert connection_file.read_connection(address) == endpoint


def test_each_endpoint_has_a_file_of_its_own(home: Path) -> None:
    addresses = [paths.default_address(), "ipc:///run/x.sock", "tcp://127.0.0.1:5555"]
    files = {paths.connection_file(address) for address in addresses}
    assert len(files) == 3
    assert home / "daemon.json" in files


@posix
def test_the_file_is_its_users_alone_and_no_draft_of_it_stays(home: Path) -> None:
    path = connection_file.write_connection(
        paths.default_address(), connection_file.Endpoint(paths.default_address(), 7)
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(home.iterdir()) == [path]


FULL_DISK = """
import resource, sys
from plugin_client.wire import connection_file, paths
from plugin_client.wire.errors import EndpointError
address = paths.default_address()
resource.setrlimit(resource.RLIMIT_FSIZE, (8, 8))
try:
    connection_file.write_connection(address, connection_file.Endpoint(address, 7))
except EndpointError as exc:
    print(exc)
"""


@posix
def test_a_file_that_could_not_be_written_leaves_the_older_one_and_no_draft(home: Path) -> None:
    path = connection_file.write_connection(
        paths.default_address(), connection_file.Endpoint(paths.default_address(), 7)
    )
    older = path.read_bytes()
    said = subprocess.run([sys.executable, "-c", FULL_DISK], capture_output=True, text=True, check=True).stdout
    assert said == f"the connection file {path} cannot be written: File too large\n"
    assert list(home.iterdir()) == [path]
    assert path.read_bytes() == older


def test_a_secret_key_is_not_shown() -> None:
    endpoint = tcp_endpoint()
    assert endpoint.client_secret_key not in repr(endpoint)


def test_a_missing_file_means_that_no_daemon_runs() -> None:
    with refused(DaemonNotRunning, "no-daemon", address=paths.default_address()):
        connection_file.read_connection(paths.default_address())


def test_removing_the_file_twice_is_harmless() -> None:
    connection_file.write_connection(paths.default_address(), connection_file.Endpoint(paths.default_address(), 7))
    connection_file.remove_connection(paths.default_address())
    connection_file.remove_connection(paths.default_address())
    with pytest.raises(DaemonNotRunning):
        connection_file.read_connection(paths.default_address())


@posix
def test_a_file_that_others_can_read_is_refused() -> None:
    connection_file.write_connection(
        paths.default_address(), connection_file.Endpoint(paths.default_address(), 7)
    ).chmod(0o644)
    with refused(EndpointError, "open-to-others", mode="044"):
        connection_file.read_connection(paths.default_address())


def test_a_daemon_of_another_version_is_named() -> None:
    path = connection_file.write_connection(
        paths.default_address(), connection_file.Endpoint(paths.default_address(), 7)
    )
    path.write_text(json.dumps({"protocol": PROTOCOL_VERSION + 1, "whatever": "it needs"}))
    with refused(VersionError, "protocol-version", version=PROTOCOL_VERSION + 1):
        connection_file.read_connection(paths.default_address())


def without(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda contents: {key: value for key, value in contents.items() if key != name}


@pytest.mark.parametrize(
    "change",
    [
        without("pid"),
        without("server_key"),
        lambda contents: contents | {"extra": 1},
        lambda contents: contents | {"pid": "7"},
        lambda contents: contents | {"pid": True},
        lambda contents: contents | {"address": 7},
        lambda contents: contents | {"address": "tcp://nowhere"},
        lambda contents: contents | {"server_key": ""},
        lambda contents: contents | {"client_secret_key": "short"},
        lambda contents: [contents],
        lambda contents: "text",
    ],
)
def test_a_malformed_file_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    path = connection_file.write_connection("tcp://127.0.0.1:5555", tcp_endpoint())
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(EndpointError):
        connection_file.read_connection("tcp://127.0.0.1:5555")


@pytest.mark.parametrize("contents", [b"", b"{", b"\xff\xfe", b"[" * 60_000, b" " * 100_000 + b"{}"])
def test_a_file_that_is_no_json_is_refused(contents: bytes) -> None:
    path = connection_file.write_connection(
        paths.default_address(), connection_file.Endpoint(paths.default_address(), 7)
    )
    path.write_bytes(contents)
    with pytest.raises(EndpointError, match=r"daemon\.json"):
        connection_file.read_connection(paths.default_address())


@posix
def test_a_folder_that_others_may_write_to_is_not_trusted_with_whatever_it_holds(home: Path) -> None:
    address = paths.default_address()
    connection_file.write_connection(address, connection_file.Endpoint(address, 1))
    home.chmod(0o777)
    with refused(EndpointError, "open-to-others", path=home):
        connection_file.read_connection(address)


def test_a_file_in_the_folder_s_place_is_named(home: Path) -> None:
    home.write_text("a file stands here")
    with refused(EndpointError, "no-folder", path=home, reason="File exists"):
        connection_file.read_connection(paths.default_address())


@pytest.mark.skipif(sys.platform == "win32", reason="folders have access lists there")
def test_to_look_for_a_daemon_is_enough_to_close_an_empty_folder_to_others(home: Path) -> None:
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    with pytest.raises(DaemonNotRunning):
        connection_file.read_connection(paths.default_address())
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_a_folder_in_the_file_s_place_is_named(home: Path) -> None:
    path = paths.make_data_folder() / "daemon.json"
    path.mkdir()
    with refused(EndpointError, "unwritable", path=path):
        connection_file.remove_connection(paths.default_address())
