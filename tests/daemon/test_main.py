"""The command: arguments, endpoints, the lock, the log and the end."""

from __future__ import annotations

import re
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from daemon.__main__ import main
from daemon.executor import CHANNEL_SUFFIX
from plugin_client.wire import endpoint
from plugin_client.wire.messages import Cancel, Failed, JobInfo, ListModels, ModelList, Ping, Pong, Result
from tests.daemon.conftest import Daemons, RawClient, blend, is_alive, wait_until


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def left_in(home: Path) -> set[str]:
    """What lies in a home, apart from what is meant to stay: the lock's file, and the test's logs."""
    return {path.name for path in home.iterdir() if path.suffix != ".lock" and not path.name.startswith("log-")}


# --- arguments ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--memory", "lots"], "'lots' is no size: write for example 8GB or 500MB"),
        (["--memory", "8 parsecs"], "'8 parsecs' is no size"),
        (["--device", "abacus"], "invalid choice: 'abacus'"),
        (["--model", ""], "a name of 0 characters: must have 1 to 200"),
        ([f"--model=m{n}" for n in range(65)], "65 models: a daemon offers at most 64"),
    ],
)
def test_bad_arguments_are_a_usage_error(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


def test_help_explains_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    limits = "until it is released, for 24 hours at most; beyond 100 results or 1 GiB of pictures the oldest go first."
    assert limits in " ".join(text.split())
    for option in ("--model", "--device", "--precision", "--endpoint", "--memory", "--log-level"):
        assert re.search(rf"^  {option}.*\n? +\S", text, re.MULTILINE)
    assert "--engine" not in text


def test_the_parent_of_the_models_imports_no_models() -> None:
    code = "import daemon.__main__, sys; print(*sys.modules)"
    imported = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "daemon.server" in imported
    assert not {"mindspore", "numpy", "kandinsky_backend"} & set(imported)


def test_options_reach_the_engine(daemons: Daemons) -> None:
    daemons.start("--model=one", "--model=two", "--model=one", "--device=ascend", "--precision=bfloat16")
    with daemons.client() as client:
        assert isinstance(client.run(blend(model="two")), Result)
        pong = client.ask(Ping(), Pong)
        assert (pong.device, pong.precision) == ("ascend", "bfloat16")
        assert [model.name for model in client.ask(ListModels(), ModelList).models] == ["one", "two"]


# --- endpoints ---------------------------------------------------------------------------------------------------


def test_a_second_daemon_is_refused_and_the_first_lives_on(daemons: Daemons) -> None:
    first = daemons.start()
    second = daemons.launch()
    assert second.wait() == 1
    complaint = f"a daemon already runs at {daemons.default_address} (process {first.process.pid})"
    assert second.log == f"kandinsky-daemon: {complaint}\n"
    with daemons.client() as client:
        assert client.ask(Ping(), Pong).pid == first.process.pid
    assert endpoint.read_connection(daemons.default_address).pid == first.process.pid


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


def test_a_home_that_leaves_no_room_for_the_worker_s_socket_is_one_sentence(home: Path) -> None:
    room = endpoint.MAX_SOCKET_PATH_BYTES - len(str(home / "x" / "daemon.sock")) + 1
    daemons = Daemons(home / ("x" * room))
    daemons.home.mkdir(mode=0o700)
    assert len(str(daemons.home / "daemon.sock")) == endpoint.MAX_SOCKET_PATH_BYTES
    daemon = daemons.launch()
    assert daemon.wait() == 1
    assert re.fullmatch(rf"kandinsky-daemon: the socket path .* has \d+ bytes.*{endpoint.HOME_VARIABLE}\n", daemon.log)
    assert left_in(daemons.home) == set()


def test_a_port_in_use_is_one_sentence(daemons: Daemons) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        daemon = daemons.launch(f"--endpoint={address}")
        assert daemon.wait() == 1
    assert daemon.log == (
        f"kandinsky-daemon: cannot listen at {address}: Address already in use; choose another --endpoint\n"
    )
    assert left_in(daemons.home) == set()


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
    wait_until(endpoint.connection_file(address).exists, "the connection file is there")
    reached_at = endpoint.read_connection(address)
    assert stat.S_IMODE(endpoint.connection_file(address).stat().st_mode) == 0o600
    keys = {
        "curve_serverkey": reached_at.server_key.encode(),
        "curve_publickey": reached_at.client_public_key.encode(),
        "curve_secretkey": reached_at.client_secret_key.encode(),
    }
    with RawClient(reached_at.address, **keys) as client:
        assert isinstance(client.run(blend()), Result)
    _, (public, secret) = endpoint.new_keys()
    strange = {"curve_publickey": public.encode(), "curve_secretkey": secret.encode()}
    with RawClient(reached_at.address) as keyless, RawClient(reached_at.address, **keys | strange) as stranger:
        keyless.send(Ping())
        stranger.send(Ping())
        assert keyless.hears_nothing(0.3)
        assert stranger.hears_nothing(0.1)


def test_port_0_takes_a_free_port_and_the_connection_file_tells_it(daemons: Daemons) -> None:
    address = "tcp://127.0.0.1:0"
    daemons.launch(f"--endpoint={address}")
    wait_until(endpoint.connection_file(address).exists, "the connection file is there")
    assert re.fullmatch(r"tcp://127\.0\.0\.1:[1-9]\d+", endpoint.read_connection(address).address)


# --- the end -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_in_good_order(daemons: Daemons, number: signal.Signals) -> None:
    daemon = daemons.start()
    with daemons.client() as client:
        running, queued = client.submit(blend("slow " * 100)), client.submit(blend())
        client.wait_for_progress(running)
        daemon.process.send_signal(number)
        signalled = time.monotonic()
        assert {end.code for end in client.outcomes(running, queued).values()} == {"cancelled"}
    assert daemon.wait() == 0
    assert time.monotonic() - signalled < 2
    assert left_in(daemons.home) == set()
    assert "Traceback" not in daemon.log


def test_a_signal_while_it_starts_leaves_nothing_behind(daemons: Daemons) -> None:
    daemon = daemons.launch()
    wait_until(lambda: list(daemons.home.glob("*.lock")), "the lock is taken")
    daemon.process.terminate()
    assert daemon.wait() == 0
    assert left_in(daemons.home) == set()
    assert "Traceback" not in daemon.log


def test_a_stop_does_not_wait_for_a_step_that_does_not_end(daemons: Daemons) -> None:
    daemon = daemons.start()
    with daemons.client() as client:
        endless = client.submit(blend("endless"))
        client.wait_for_progress(endless)
        daemon.process.terminate()
        outcome = client.outcome(endless)
        assert isinstance(outcome, Failed)
        assert (outcome.code, "daemon was stopped" in outcome.message) == ("cancelled", True)
    assert daemon.wait() == 0
    assert left_in(daemons.home) == set()


def test_a_second_signal_ends_it_at_once(daemons: Daemons) -> None:
    daemon = daemons.start()
    with daemons.client() as client:
        client.wait_for_progress(client.submit(blend("endless")))
        worker = daemon.worker
        daemon.process.terminate()
        wait_until(lambda: client.ask(Ping(), Pong).stopping, "the daemon is stopping")
        daemon.process.terminate()
        assert daemon.wait() == -signal.SIGTERM
    wait_until(lambda: not is_alive(worker), "the worker has ended")


def test_a_daemon_starts_over_what_a_killed_one_left(daemons: Daemons) -> None:
    killed = daemons.start()
    with daemons.client() as client:
        client.wait_for_progress(client.submit(blend("endless")))
    killed.kill()
    assert {"daemon.sock", "daemon.json"} < left_in(daemons.home)
    daemons.start()
    with daemons.client() as client:
        assert isinstance(client.run(blend()), Result)
    assert sum(CHANNEL_SUFFIX in name for name in left_in(daemons.home)) == 1


def test_the_log_tells_the_endpoint_the_models_and_the_end(daemons: Daemons) -> None:
    daemon = daemons.start("--model=one", "--model=two")
    daemon.end()
    first, *_, last = daemon.log.splitlines()
    assert re.search(rf"kandinsky-daemon \S+ listens at {daemons.default_address} and offers one, two$", first)
    assert last.endswith("kandinsky-daemon has ended")


def test_the_log_tells_each_job_in_lines_for_people(daemons: Daemons) -> None:
    daemon = daemons.start()
    with daemons.client() as client:
        done = client.run(blend("quick quick", width=32, seed=4))
        failed = client.run(blend("refuse"))
        cancelled = client.submit(blend("slow " * 50))
        client.wait_for_progress(cancelled)
        client.ask(Cancel(cancelled), JobInfo)
        assert isinstance(client.outcome(cancelled), Failed)
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO +job "
    for line in (
        f"{done.job[:8]} accepted: 1 quick quick, seed 4",
        rf"{done.job[:8]} done in \d+\.\d s: 1 x 32x16, 2 steps",
        rf"{failed.job[:8]} failed after \d+\.\d s \(bad-request\): the prompt is not to my taste",
        rf"{cancelled[:8]} cancelled after \d+\.\d s",
    ):
        assert re.search(f"^{stamp}{line}$", daemon.log, re.MULTILINE), daemon.log
    assert len([line for line in daemon.log.splitlines() if done.job[:8] in line]) == 2


def test_what_comes_from_outside_forges_no_line_of_the_log(daemons: Daemons) -> None:
    daemon = daemons.start()
    with daemons.client() as client:
        failed = client.run(blend("forge"))
    assert failed.message.count("\n") == 1
    assert "\x1b" not in daemon.log
    assert re.search(r" INFO +job [0-9a-f]{8} failed .* no 2026-01-01 INFO forged \[31mline$", daemon.log, re.MULTILINE)
