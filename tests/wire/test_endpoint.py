from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plugin_client.wire import endpoint as ep
from plugin_client.wire.errors import DaemonNotRunning, EndpointError, VersionError

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps others out by access lists, not by modes")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "kb"
    monkeypatch.setenv(ep.HOME_VARIABLE, str(folder))
    return folder


# --- addresses ---------------------------------------------------------------------------------------------------


def test_the_default_is_a_socket_in_the_data_folder(home: Path) -> None:
    assert ep.parse_endpoint(None) == f"ipc://{home}/daemon.sock"


def test_the_data_folder_is_the_same_in_a_sandbox_that_changes_xdg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ep.HOME_VARIABLE)
    monkeypatch.setenv("XDG_DATA_HOME", "/elsewhere")
    monkeypatch.setattr(sys, "platform", "linux")
    assert ep.data_folder() == Path.home() / ".local/share/kandinsky-blend"


@pytest.mark.parametrize(
    "address", ["ipc:///run/x.sock", "tcp://127.0.0.1:5555", "tcp://[::1]:80", "tcp://studio-2.local:1"]
)
def test_good_addresses_are_taken_as_they_are(address: str) -> None:
    assert ep.parse_endpoint(address) == address


@pytest.mark.parametrize(
    "address",
    ["", "x", "ipc://", "ipc://relative.sock", "ipc://@abstract", "tcp://*:5555", "tcp://host", "tcp://host:99999",
     "tcp://host:5555 ", "tcp://host:-1", "tcp://host:5555\n", "http://host:80", "inproc://x"],
)  # fmt: skip
def test_bad_addresses_are_refused_by_name(address: str) -> None:
    with pytest.raises(EndpointError, match="write ipc:///"):
        ep.parse_endpoint(address)


def test_a_socket_path_that_the_system_cannot_hold_is_refused_with_its_length() -> None:
    longest = "/" + "x" * (ep.MAX_SOCKET_PATH_BYTES - 1)
    ep.parse_endpoint(f"ipc://{longest}")
    with pytest.raises(EndpointError, match=f"has {ep.MAX_SOCKET_PATH_BYTES + 1} bytes"):
        ep.parse_endpoint(f"ipc://{longest}x")
    with pytest.raises(EndpointError, match=f"has {ep.MAX_SOCKET_PATH_BYTES + 1} bytes"):
        ep.parse_endpoint(f"ipc://{longest[:-1]}é")


# --- the folder --------------------------------------------------------------------------------------------------


@posix
def test_the_data_folder_is_made_for_its_user_alone(home: Path) -> None:
    assert ep.make_data_folder() == home
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    ep.make_data_folder()


@posix
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o722, 0o755])
def test_a_folder_that_others_can_enter_is_refused(home: Path, mode: int) -> None:
    home.mkdir()
    home.chmod(mode)
    with pytest.raises(EndpointError, match="chmod go="):
        ep.make_data_folder()


def test_a_folder_that_cannot_be_made_is_named(home: Path) -> None:
    home.write_text("a file stands here")
    with pytest.raises(EndpointError, match=str(home)):
        ep.make_data_folder()


# --- the connection file -----------------------------------------------------------------------------------------


def tcp_endpoint(address: str = "tcp://127.0.0.1:5555") -> ep.Endpoint:
    (server_key, _), (public, secret) = ep.new_keys()
    return ep.Endpoint(address, 7, server_key, public, secret)


def test_what_a_daemon_writes_a_client_reads() -> None:
    for address, endpoint in [
        (ep.default_address(), ep.Endpoint(ep.default_address(), 7)),
        ("tcp://127.0.0.1:5555", tcp_endpoint()),
        ("tcp://127.0.0.1:0", tcp_endpoint("tcp://127.0.0.1:40001")),
    ]:
        ep.write_connection(address, endpoint)
        assert ep.read_connection(address) == endpoint


def test_each_endpoint_has_a_file_of_its_own(home: Path) -> None:
    addresses = [ep.default_address(), "ipc:///run/x.sock", "tcp://127.0.0.1:5555"]
    files = {ep.connection_file(address) for address in addresses}
    assert len(files) == 3
    assert home / "daemon.json" in files


@posix
def test_the_file_is_its_users_alone_and_no_draft_of_it_stays(home: Path) -> None:
    path = ep.write_connection(ep.default_address(), ep.Endpoint(ep.default_address(), 7))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(home.iterdir()) == [path]


FULL_DISK = """
import resource, sys
from plugin_client.wire import endpoint
from plugin_client.wire.errors import EndpointError
address = endpoint.default_address()
resource.setrlimit(resource.RLIMIT_FSIZE, (8, 8))
try:
    endpoint.write_connection(address, endpoint.Endpoint(address, 7))
except EndpointError as exc:
    print(exc)
"""


@posix
def test_a_file_that_could_not_be_written_leaves_the_older_one_and_no_draft(home: Path) -> None:
    path = ep.write_connection(ep.default_address(), ep.Endpoint(ep.default_address(), 7))
    older = path.read_bytes()
    said = subprocess.run([sys.executable, "-c", FULL_DISK], capture_output=True, text=True, check=True).stdout
    assert said == f"the connection file {path} cannot be written: File too large\n"
    assert list(home.iterdir()) == [path]
    assert path.read_bytes() == older


def test_a_secret_key_is_not_shown() -> None:
    endpoint = tcp_endpoint()
    assert endpoint.client_secret_key not in repr(endpoint)


def test_a_missing_file_means_that_no_daemon_runs() -> None:
    with pytest.raises(DaemonNotRunning, match="start one with `kandinsky-blend start`"):
        ep.read_connection(ep.default_address())


def test_removing_the_file_twice_is_harmless() -> None:
    ep.write_connection(ep.default_address(), ep.Endpoint(ep.default_address(), 7))
    ep.remove_connection(ep.default_address())
    ep.remove_connection(ep.default_address())
    with pytest.raises(DaemonNotRunning):
        ep.read_connection(ep.default_address())


@posix
def test_a_file_that_others_can_read_is_refused() -> None:
    ep.write_connection(ep.default_address(), ep.Endpoint(ep.default_address(), 7)).chmod(0o644)
    with pytest.raises(EndpointError, match="open to other users"):
        ep.read_connection(ep.default_address())


def test_a_daemon_of_another_version_is_named() -> None:
    path = ep.write_connection(ep.default_address(), ep.Endpoint(ep.default_address(), 7))
    path.write_text(json.dumps({"protocol": 2, "whatever": "it needs"}))
    with pytest.raises(VersionError, match="speaks protocol version 2"):
        ep.read_connection(ep.default_address())


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
    path = ep.write_connection("tcp://127.0.0.1:5555", tcp_endpoint())
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(EndpointError):
        ep.read_connection("tcp://127.0.0.1:5555")


@pytest.mark.parametrize("contents", [b"", b"{", b"\xff\xfe", b"[" * 60_000, b" " * 100_000 + b"{}"])
def test_a_file_that_is_no_json_is_refused(contents: bytes) -> None:
    path = ep.write_connection(ep.default_address(), ep.Endpoint(ep.default_address(), 7))
    path.write_bytes(contents)
    with pytest.raises(EndpointError, match=r"daemon\.json"):
        ep.read_connection(ep.default_address())


# --- the lock ----------------------------------------------------------------------------------------------------

HOLD = """
import sys, time
from plugin_client.wire.endpoint import Lock
with Lock(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_daemon_is_refused_with_the_process_of_the_first_and_may_follow_its_death() -> None:
    address = ep.default_address()
    with subprocess.Popen([sys.executable, "-c", HOLD, address], stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout
        assert first.stdout.readline() == "held\n"
        with pytest.raises(EndpointError, match=f"already runs at {address} .process {first.pid}."), ep.Lock(address):
            pass
        first.kill()
    with ep.Lock(address):
        pass


def test_daemons_of_two_endpoints_do_not_meet(home: Path) -> None:
    with ep.Lock(ep.default_address()), ep.Lock(f"ipc://{home}/other.sock"), ep.Lock("tcp://127.0.0.1:5555"):
        pass


@posix
def test_a_socket_is_not_put_where_others_can_enter(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(EndpointError, match="open to other users"), ep.Lock(f"ipc://{shared}/x.sock"):
        pass
