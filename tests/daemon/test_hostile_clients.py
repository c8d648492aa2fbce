"""A daemon under clients that send nonsense, say nothing, or never read. The long forms: see reliability.py."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgpack
import pytest

from plugin_client.wire import codec
from plugin_client.wire.messages import (
    PROTOCOL_VERSION,
    Accepted,
    Cancel,
    JobInfo,
    JobList,
    ListJobs,
    Picture,
    PictureItem,
    Ping,
    Pong,
    Result,
    Status,
    Submit,
    Watch,
)
from tests.daemon import reliability
from tests.daemon.conftest import Daemons, RawClient, blend, new_id, wait_until
from tests.daemon.reliability import FULL, figure, times

pytestmark = [pytest.mark.timeout(3600 if FULL else 120)]

GROWTH = 50 * 2**20  # bytes
SOON = 0.2 if FULL else 0.5  # s: CI's machines are busy


@pytest.fixture(scope="module", autouse=True)
def _page() -> Iterator[None]:
    yield
    if FULL:
        reliability.write_page()


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


@contextmanager
def good_client(daemons: Daemons) -> Iterator[list[float]]:
    """The seconds that each ping of a client in a thread of its own took meanwhile."""
    waits: list[float] = []
    over = threading.Event()

    def ping() -> None:
        with daemons.client() as client:
            while not over.wait(0.01):
                began = time.perf_counter()
                client.ask(Ping(), Pong)
                waits.append(time.perf_counter() - began)

    thread = threading.Thread(target=ping)
    thread.start()
    try:
        yield waits
    finally:
        over.set()
        thread.join()


def malformed(dice: random.Random) -> list[bytes]:
    """A message with a few bytes, or a part of it, changed; or none at all."""
    message = dice.choice((Ping(), ListJobs(), Status(new_id()), Watch(new_id()), Submit(new_id(), blend(seed=1))))
    frames = codec.encode(message, dice.randrange(2**53))
    kind = dice.randrange(5)
    if kind == 0:
        return [dice.randbytes(dice.randrange(300)) for _ in range(dice.randrange(1, 5))]
    if kind == 1:
        return [*frames, dice.randbytes(100)]
    if kind == 2:
        nested: object = {}
        for _ in range(dice.randrange(30)):
            nested = {"a": [nested] * 3} if dice.random() < 0.1 else [nested]
        return [msgpack.packb({"v": PROTOCOL_VERSION, "kind": "submit", "id": 1, "body": nested})]
    header = bytearray(frames[0])
    if kind == 3:
        return [bytes(header[: dice.randrange(len(header))])]
    for _ in range(dice.randrange(1, 4)):
        header[dice.randrange(5)] = dice.randrange(256)
    return [bytes(header)]


def test_malformed_messages_cost_nothing(daemons: Daemons) -> None:
    daemon = daemons.start("--state=none")
    dice = random.Random(12)
    count = times(100_000, 2_000)
    with daemons.client() as client, good_client(daemons) as waits:
        before = resident(daemon.process.pid)
        for number in range(count):
            client.socket.send_multipart(malformed(dice))
            if number % 50 == 0:
                client.ask(Ping(), Pong)
        client.ask(Ping(), Pong)
    grown = resident(daemon.process.pid) - before
    assert daemon.process.poll() is None
    assert grown < GROWTH
    assert max(waits) < SOON
    figure(
        "malformed messages",
        f"{count} messages: no crash, {grown / 2**20:.0f} MiB of growth, "
        f"a ping took {1000 * max(waits):.0f} ms at most",
        "no crash, growth under 50 MiB, others answered in 200 ms",
    )


def test_garbage_and_half_open_connections_cost_nothing(daemons: Daemons) -> None:
    daemon = daemons.start("--state=none")
    dice = random.Random(13)
    count, at_once = times(10_000, 400), 100
    with good_client(daemons) as waits:
        before = resident(daemon.process.pid)
        for _ in range(count // at_once):
            with ExitStack() as stack:
                for number in range(at_once):
                    connection = stack.enter_context(socket.socket(socket.AF_UNIX))
                    connection.connect(str(daemons.home / "daemon.sock"))
                    if number % 2:
                        connection.send(dice.randbytes(dice.randrange(1, 200)))
    grown = resident(daemon.process.pid) - before
    assert daemon.process.poll() is None
    assert grown < GROWTH
    assert max(waits) < SOON
    figure(
        "raw connections that send garbage or nothing",
        f"{count} connections: no crash, {grown / 2**20:.0f} MiB of growth, "
        f"a ping took {1000 * max(waits):.0f} ms at most",
        "no crash, growth under 50 MiB, others answered in 200 ms",
    )


def test_a_client_that_never_reads_holds_one_result_and_gets_all_once_it_reads(daemons: Daemons) -> None:
    daemon = daemons.start()
    large = {"width": 2048, "height": 2048, "count": times(20, 2)}  # 12.6 MB each
    size, jobs = 3 * 2048**2 * large["count"], [new_id() for _ in range(4)]  # together less than is kept
    with daemons.client(rcvhwm=1) as deaf, daemons.client() as client:
        before = resident(daemon.process.pid)
        for job in jobs:
            deaf.send(Submit(job, blend(**large)))
        for job in jobs:
            wait_until(lambda job=job: is_done(client, job), "the job is done")
        with good_client(daemons) as waits:
            time.sleep(0.5)
        grown = resident(daemon.process.pid) - before
        assert grown < 3 * size  # of four, and of those that libzmq has handed to the system
        results = [message.job for message in received(deaf, len(jobs))]
    assert sorted(results) == sorted(jobs)
    assert max(waits) < SOON
    figure(
        "a client that never reads, with 4 results",
        f"results of {size / 1e6:.0f} MB: the daemon grew by {grown / 1e6:.0f} MB; "
        f"a ping of another took {1000 * max(waits):.0f} ms at most",
        "one result waits for a client; others are delayed under 100 ms",
    )


def test_large_requests_hold_up_nobody_else(daemons: Daemons) -> None:
    daemons.start()
    picture = PictureItem(Picture(4096, 4096, 4, bytes(2**26)), 1.0)
    count = times(20, 3)
    with daemons.client() as client:
        client.submit(blend("endless"))
        with good_client(daemons) as waits:
            for seed in range(count):
                job = client.submit(blend(items=(picture,), seed=seed))
                client.ask(Cancel(job), JobInfo)
    assert max(waits) < SOON
    figure(
        "requests of 64 MB, one after another",
        f"{count} requests: a ping of another took {1000 * max(waits):.0f} ms at most",
        "others are delayed under 100 ms",
    )


def is_done(client: RawClient, job: str) -> bool:
    info = client.receive()[1] if client.send(Status(job)) and not client.hears_nothing(5) else None
    return isinstance(info, JobInfo) and info.state == "done"


def received(client: RawClient, count: int) -> list[Result]:
    results: list[Result] = []
    while len(results) < count:
        message = client.receive()[1]
        if isinstance(message, Result):
            results.append(message)
    return results


def test_a_submit_that_is_recorded_and_sent_again_runs_once(daemons: Daemons) -> None:
    daemons.start()
    frames = codec.encode(Submit(job := new_id(), blend(seed=4)), 1)
    with daemons.client() as client, daemons.client() as replaying:
        for sender in (client, replaying, replaying):
            sender.socket.send_multipart(frames)
            assert isinstance(sender.receive()[1], Accepted)
        assert isinstance(client.outcome(job), Result)
        replaying.socket.send_multipart(frames)
        assert [info.job for info in client.ask(ListJobs(), JobList).jobs] == [job]
