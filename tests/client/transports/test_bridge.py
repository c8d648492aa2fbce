"""The transport of an editor without pyzmq: a real child process, and a daemon that answers from a real socket."""

from __future__ import annotations

import io
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin_client.client import Client
from plugin_client.transports.bridge import BridgeTransport, read_message, write_message
from plugin_client.wire.errors import DaemonNotRunning, NoAnswer, ProtocolError
from plugin_client.wire.messages import TextItem
from plugin_client.wire.paths import default_address
from tests.client.scripted_daemon import PONG, Script
from tests.refusals import refused

COMMAND = [sys.executable, "-m", "plugin_client.transports.bridge_process"]
BLEND = {"size": (16, 16), "seed": 42}


def connect() -> BridgeTransport:
    return BridgeTransport(COMMAND, os.environ)


@pytest.fixture
def client(script: Script) -> Iterator[Client]:
    with Client(transport=connect()) as client:
        yield client


def test_a_blend_goes_through_the_bridge_and_back(client: Client) -> None:
    job = client.submit([TextItem("a cat", 1.0)], **BLEND)
    (picture,) = job.result().pictures
    assert picture.pixels == bytes((42, 0, 7)) * 256


def test_a_question_is_answered_soon(client: Client) -> None:
    client.ping()
    started = time.perf_counter()
    assert client.ping() == PONG
    assert time.perf_counter() - started < 2


def test_without_a_daemon_the_error_is_that_of_the_other_transport() -> None:
    with refused(DaemonNotRunning, "no-daemon", address=default_address()):
        connect()


def test_a_child_that_is_not_there_is_named() -> None:
    with refused(DaemonNotRunning, "bridge-not-started", program="/no/such/python"):
        BridgeTransport(["/no/such/python"], os.environ)


# Writes down its process id when it starts, and a word when it ends by itself.
DIARY = """
import os, pathlib, sys
from plugin_client.transports import bridge_process
diary = pathlib.Path(sys.argv[1])
diary.write_text(str(os.getpid()))
bridge_process.main()
diary.write_text("ended")
"""


@pytest.fixture
def diary(tmp_path: Path) -> Path:
    return tmp_path / "diary"


def connect_with(diary: Path) -> BridgeTransport:
    return BridgeTransport([sys.executable, "-c", DIARY, str(diary)], os.environ)


def test_a_child_that_ends_is_noticed(script: Script, diary: Path) -> None:
    transport = connect_with(diary)
    os.kill(int(diary.read_text()), signal.SIGKILL)
    for timeout in (10, 0):
        with pytest.raises(NoAnswer):
            transport.receive(timeout)
    transport.close()


def test_the_child_ends_with_its_stdin(script: Script, diary: Path) -> None:
    connect_with(diary).close()
    assert diary.read_text() == "ended"


def test_frames_survive_the_stream() -> None:
    stream = io.BytesIO()
    messages = [[b"header"], [b"", b"\x00" * 70_000]]
    for message in messages:
        write_message(stream, message)
    stream.seek(0)
    assert [read_message(stream), read_message(stream), read_message(stream)] == [*messages, None]


@pytest.mark.parametrize("stream", [b"\x01", b"\x01\0\0\0", b"\x01\0\0\0\x05\0\0\0abc"])
def test_a_stream_that_is_cut_is_refused(stream: bytes) -> None:
    with refused(ProtocolError, "cut-stream"):
        read_message(io.BytesIO(stream))


def test_a_stream_that_is_too_long_is_refused() -> None:
    with refused(ProtocolError, "stream-length", length=0xFFFFFFFF):
        read_message(io.BytesIO(b"\xff\xff\xff\xff"))
