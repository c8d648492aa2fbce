"""More connections than a process can have: the oldest idle ones are let go, and the daemon and its jobs live on."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from daemon.connections import MAX_CONNECTIONS, most_connections
from plugin_client.wire.messages import JobInfo, Ping, Pong, Result, Status
from tests.daemon.conftest import PATIENCE, Daemons, blend, wait_until

LIMITED = "tests.daemon.limited_daemon"
BURST = 50  # connections at a time


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@contextmanager
def raw_connections(daemons: Daemons, count: int) -> Iterator[list[socket.socket]]:
    """Connections that say nothing."""
    with ExitStack() as stack:
        made = []
        for _ in range(count):
            made.append(stack.enter_context(socket.socket(socket.AF_UNIX)))
            made[-1].connect(str(daemons.home / "daemon.sock"))
        yield made


@pytest.mark.parametrize(("soft", "hard"), [(256, 4096), (256, 256)], ids=["soft", "hard"])
def test_more_idle_connections_than_descriptors_end_no_job(daemons: Daemons, soft: int, hard: int) -> None:
    daemon = daemons.launch_module(LIMITED, str(soft), str(hard))
    with daemons.client() as client:
        job = client.submit(blend("slow " * 10))
        for _ in range(3):
            with ExitStack() as stack:
                for _ in range(6):  # no burst takes more than what is left of the descriptors
                    wait_until(lambda: descriptors(daemon.process.pid) < hard - 2 * BURST, "the oldest are let go")
                    stack.enter_context(raw_connections(daemons, BURST))
                assert client.ask(Status(job), JobInfo).state in ("queued", "running", "done")
        assert isinstance(client.outcome(job), Result)
    assert daemon.process.poll() is None


def test_a_connection_that_says_nothing_is_let_go_after_the_handshake_s_time(daemons: Daemons) -> None:
    daemon = daemons.start()
    assert daemon.worker  # whose pipes are open from now on
    before = descriptors(daemon.process.pid)
    with raw_connections(daemons, 20) as silent:
        silent[0].settimeout(PATIENCE)
        while silent[0].recv(64):  # the greeting of ZeroMQ, then the end
            pass
        wait_until(lambda: descriptors(daemon.process.pid) <= before, "the descriptors are free again")


def test_who_was_heard_last_is_let_go_last(daemons: Daemons) -> None:
    daemons.launch_module(LIMITED, "256", "256")
    with ExitStack() as stack:
        early = stack.enter_context(daemons.client())
        early.ask(Ping(), Pong)
        for _ in range(2 * most_connections(256)):
            stack.enter_context(daemons.client()).ask(Ping(), Pong)
            early.ask(Ping(), Pong)
        early.socket.reconnect_ivl = -1  # it has kept its first connection, or hears nothing any more
        assert early.ask(Ping(), Pong)


@pytest.mark.parametrize(("limit", "most"), [(256, 96), (1024, 480), (10**6, MAX_CONNECTIONS), (10, 1)])
def test_half_the_descriptors_are_left_to_bursts(limit: int, most: int) -> None:
    assert most_connections(limit) == most
