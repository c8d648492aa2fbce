"""How frames reach a daemon: one small seam, the real thing behind it, and a fake that calls a function."""

from __future__ import annotations

import socket
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

import zmq

from plugin_client.wire.endpoint import Endpoint
from plugin_client.wire.errors import DaemonNotRunning, NoAnswer
from plugin_client.wire.limits import MAX_HEADER_BYTES, MAX_PICTURE_BYTES

PROBE_SECONDS = 2.0  # for a connection to be accepted: a daemon's loop never blocks, so this is the network's time
SEND_SECONDS = 30.0  # for room in the queue of a connection that does not move
MAX_QUEUED_MESSAGES = 100  # to send, and received but not yet read
HEARTBEAT_SECONDS = 5.0  # of silence on tcp, after which libzmq tests whether the other side is still there


class Transport(ABC):
    """Carries messages, as lists of frames, to one daemon and back. Not to be shared by threads."""

    @abstractmethod
    def send(self, frames: list[bytes]) -> None:
        """Hand a message over. It may be under way when this returns.

        Raises:
            NoAnswer: it cannot be sent, because the other side takes nothing.
        """

    @abstractmethod
    def receive(self, timeout: float) -> list[bytes] | None:
        """The next message, or None when none came within `timeout` seconds; 0 only looks."""

    @abstractmethod
    def close(self) -> None:
        """End the connection. Calling it again is harmless."""


class ZmqTransport(Transport):
    """A DEALER socket. libzmq connects again by itself when the connection breaks.

    Raises:
        DaemonNotRunning: nothing accepts connections at the endpoint.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        check_listening(endpoint.address)
        self._address = endpoint.address
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._configure(endpoint)
        self._socket.connect(endpoint.address)

    def send(self, frames: list[bytes]) -> None:
        try:
            self._socket.send_multipart(frames)
        except zmq.Again as exc:
            raise NoAnswer(f"the daemon at {self._address} takes no messages") from exc

    def receive(self, timeout: float) -> list[bytes] | None:
        if not self._socket.poll(round(timeout * 1000)):
            return None
        return self._socket.recv_multipart()

    def close(self) -> None:
        self._context.destroy(linger=0)  # every request waits for its answer: nothing worth sending is left

    def _configure(self, endpoint: Endpoint) -> None:
        options = {
            zmq.SNDHWM: MAX_QUEUED_MESSAGES,
            zmq.RCVHWM: MAX_QUEUED_MESSAGES,
            zmq.MAXMSGSIZE: max(MAX_HEADER_BYTES, MAX_PICTURE_BYTES),
            zmq.SNDTIMEO: round(SEND_SECONDS * 1000),
            zmq.RECONNECT_IVL: 100,
            zmq.RECONNECT_IVL_MAX: 2000,
            zmq.IPV6: int("[" in endpoint.address),
        }
        if endpoint.server_key:
            self._socket.curve_serverkey = endpoint.server_key.encode()
            self._socket.curve_publickey = endpoint.client_public_key.encode()
            self._socket.curve_secretkey = endpoint.client_secret_key.encode()
            options[zmq.HEARTBEAT_IVL] = round(HEARTBEAT_SECONDS * 1000)
        for option, value in options.items():
            self._socket.setsockopt(option, value)


class FunctionTransport(Transport):
    """A daemon that is a function: from the frames of a request to the messages that answer it, for tests."""

    def __init__(self, answer: Callable[[list[bytes]], Iterable[list[bytes]]]) -> None:
        self._answer = answer
        self._answers: deque[list[bytes]] = deque()

    def send(self, frames: list[bytes]) -> None:
        self._answers.extend(self._answer(frames))

    def receive(self, timeout: float) -> list[bytes] | None:
        if not self._answers:
            time.sleep(timeout)
            return None
        return self._answers.popleft()

    def close(self) -> None:
        self._answers.clear()


def check_listening(address: str) -> None:
    """Find out at once that nobody listens: libzmq would try to connect for ever, without a word.

    Raises:
        DaemonNotRunning: the connection is refused or not taken within PROBE_SECONDS.
    """
    try:
        _probe(address)
    except OSError as exc:
        raise DaemonNotRunning(f"no daemon answers at {address} ({exc.strerror or exc})") from exc


def _probe(address: str) -> None:
    if address.startswith("ipc://"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(PROBE_SECONDS)
            probe.connect(address.removeprefix("ipc://"))
    else:
        parts = urlsplit(address)
        socket.create_connection((parts.hostname, parts.port), PROBE_SECONDS).close()
