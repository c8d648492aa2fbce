"""The daemon's socket: endpoints, keys, a path that somebody has, and what a killed daemon left."""

from __future__ import annotations

import re
import socket
import stat
from pathlib import Path

import pytest

from plugin_client.wire import connection_file, paths
from plugin_client.wire.messages import Ping, Pong, Result
from tests.daemon.conftest import Daemons, RawClient, blend, wait_until


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_second_daemon_is_refused_and_the_first_lives_on(daemons: Daemons) -> None:
    first = daemons.start()
    second = daemons.launch()
    assert second.wait() == 1
    complaint = f"a daemon already runs at {daemons.default_address} (process {first.process.pid})"
    assert second.log == f"kandinsky-daemon: {complaint}\n"
    with daemons.client() as client:
        assert client.ask(Ping(), Pong).pid == first.process.pid
    assert connection_file.read_connection(daemons.default_address).pid == first.process.pid


def test_two_daemons_at_two_endpoints_share_a_home(daemons: Daemons) -> None:
    first = daemons.start()
    address = f"ipc://{daemons.home / 'other.sock'}"
    second = daemons.launch(f"--endpoint={address}")
    with RawClient(address) as client:
        assert isinstance(client.run(blend()), Result)
        assert client.ask(Ping(), Pong).pid == second.process.pid
    with daemons.client() as client:
        assert isinstance(client.run(blend()), Result)
        assert client.ask(Ping(), Pong).pid == first.process.pid


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("http://localhost", "is no endpoint: write ipc:///folder/name.sock or tcp://127.0.0.1:5555"),
        ("tcp://192.0.2.1:5555", "cannot listen at tcp://192.0.2.1:5555:"),
        ("ipc:///tmp/daemon.sock", "/tmp is open to other users"),
    ],
)
def test_an_unusable_endpoint_is_one_sentence(daemons: Daemons, address: str, complaint: str) -> None:
    daemon = daemons.launch(f"--endpoint={address}")
    assert daemon.wait() == 1
    assert complaint in daemon.log
    assert daemon.log.count("\n") == 1


def test_a_socket_path_of_the_greatest_length_is_enough(home: Path) -> None:
    room = paths.MAX_SOCKET_PATH_BYTES - len(str(home / "x" / "daemon.sock")) + 1
    daemons = Daemons(home / ("x" * room))
    daemons.home.mkdir(mode=0o700)
    assert len(str(daemons.home / "daemon.sock")) == paths.MAX_SOCKET_PATH_BYTES
    daemons.start()
    with daemons.client() as client:
        assert isinstance(client.run(blend()), Result)
    daemons.end_all()
    assert daemons.left() == set()


def test_a_port_in_use_is_one_sentence(daemons: Daemons) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        daemon = daemons.launch(f"--endpoint={address}")
        assert daemon.wait() == 1
    assert daemon.log == (
        f"kandinsky-daemon: cannot listen at {address}: Address already in use; choose another --endpoint\n"
    )
    assert daemons.left() == set()


def test_a_file_in_the_socket_s_place_is_left_alone(daemons: Daemons) -> None:
    picture = daemons.home / "daemon.sock"
    picture.write_text("precious")
    daemon = daemons.launch()
    assert daemon.wait() == 1
    assert "is a file, not a socket" in daemon.log
    assert picture.read_text() == "precious"


def test_another_program_s_socket_is_not_taken_over(daemons: Daemons) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(daemons.home / "daemon.sock"))
        server.listen()
        daemon = daemons.launch()
        assert daemon.wait() == 1
    assert "another program listens at" in daemon.log


def test_tcp_admits_clients_with_the_keys_and_nobody_else(daemons: Daemons) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    daemons.launch(f"--endpoint={address}")
    wait_until(paths.connection_file(address).exists, "the connection file is there")
    reached_at = connection_file.read_connection(address)
    assert stat.S_IMODE(paths.connection_file(address).stat().st_mode) == 0o600
    keys = {
        "curve_serverkey": reached_at.server_key.encode(),
        "curve_publickey": reached_at.client_public_key.encode(),
        "curve_secretkey": reached_at.client_secret_key.encode(),
    }
    with RawClient(reached_at.address, **keys) as client:
        assert isinstance(client.run(blend()), Result)
    _, (public, secret) = connection_file.new_keys()
    strange = {"curve_publickey": public.encode(), "curve_secretkey": secret.encode()}
    with RawClient(reached_at.address) as keyless, RawClient(reached_at.address, **keys | strange) as stranger:
        keyless.send(Ping())
        stranger.send(Ping())
        assert keyless.hears_nothing(0.5)
        assert stranger.hears_nothing(0.1)


def test_port_0_takes_a_free_port_and_the_connection_file_tells_it(daemons: Daemons) -> None:
    address = "tcp://127.0.0.1:0"
    daemons.launch(f"--endpoint={address}")
    wait_until(paths.connection_file(address).exists, "the connection file is there")
    assert re.fullmatch(r"tcp://127\.0\.0\.1:[1-9]\d+", connection_file.read_connection(address).address)


def test_a_daemon_starts_over_what_a_killed_one_left(daemons: Daemons) -> None:
    killed = daemons.start()
    with daemons.client() as client:
        client.wait_for_progress(client.submit(blend("slow " * 3)))
    killed.kill()
    assert {"daemon.sock", "daemon.json"} == daemons.left()
    daemons.start()
    with daemons.client() as client:
        assert isinstance(client.run(blend()), Result)
    assert daemons.left() == {"daemon.sock", "daemon.json"}
