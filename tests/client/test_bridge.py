"""The transport of an editor without pyzmq: a real child process, and a daemon that answers from a real socket."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Iterator

import pytest

from plugin_client.bridge_transport import BridgeTransport, read_message, write_message
from plugin_client.client import Client
from plugin_client.wire.errors import DaemonNotRunning, NoAnswer, ProtocolError
from plugin_client.wire.messages import TextItem
from tests.client.scripted_daemon import PONG, Script

COMMAND = [sys.executable, "-m", "plugin_client.bridge"]
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
    assert time.perf_counter() - started < 0.1


def test_without_a_daemon_the_error_is_that_of_the_other_transport() -> None:
    with pytest.raises(DaemonNotRunning, match="start one with `kandinsky-blend start`"):
        connect()


def test_a_child_that_is_not_there_is_named() -> None:
    with pytest.raises(DaemonNotRunning, match="cannot be started: /no/such/python"):
        BridgeTransport(["/no/such/python"], os.environ)


def test_a_child_that_ends_is_noticed(script: Script) -> None:
    transport = connect()
    transport._child.kill()
    with pytest.raises(NoAnswer, match="bridge"):
        transport.receive(10)
    with pytest.raises(NoAnswer, match="bridge"):
        transport.receive(0)
    transport.close()


def test_the_child_ends_with_its_stdin(script: Script) -> None:
    transport = connect()
    transport.close()
    assert transport._child.returncode == 0


def test_frames_survive_the_stream() -> None:
    stream = io.BytesIO()
    messages = [[b"header"], [b"", b"\x00" * 70_000]]
    for message in messages:
        write_message(stream, message)
    stream.seek(0)
    assert [read_message(stream), read_message(stream), read_message(stream)] == [*messages, None]


@pytest.mark.parametrize("stream", [b"\x01", b"\x01\0\0\0", b"\x01\0\0\0\x05\0\0\0abc", b"\xff\xff\xff\xff"])
def test_a_stream_that_is_cut_or_too_long_is_refused(stream: bytes) -> None:
    with pytest.raises(ProtocolError, match="stream"):
        read_message(io.BytesIO(stream))
