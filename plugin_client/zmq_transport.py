"""The transport that needs pyzmq, apart from the seam so that an editor without pyzmq can import that."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import zmq

from plugin_client.transport import Transport
from plugin_client.wire.endpoint import Endpoint
from plugin_client.wire.errors import DaemonNotRunning, NoAnswer
from plugin_client.wire.limits import MAX_HEADER_BYTES, MAX_PICTURE_BYTES

PROBE_SECONDS = 2.0  # for a connection to be accepted: a daemon's loop never blocks, so this is the network's time
SEND_SECONDS = 30.0  # for room in the queue of a connection that does not move
MAX_QUEUED_MESSAGES = 100  # to send, and received but not yet read
HEARTBEAT_SECONDS = 5.0  # of silence on tcp, after which libzmq tests whether the other side is still there


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


def check_listening(address: str) -> None:
    """Find out at once that nobody listens: libzmq would try to connect for ever, without a word.

    Raises:
        DaemonNotRunning: the connection is refused or not taken within PROBE_SECONDS.
    """
    try:
        _probe(address)
    except OSError as exc:
        raise DaemonNotRunning(
            f"no daemon answers at {address} ({exc.strerror or exc}): start one with `kandinsky-blend start`"
        ) from exc


def _probe(address: str) -> None:
    if address.startswith("ipc://"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(PROBE_SECONDS)
            probe.connect(address.removeprefix("ipc://"))
    else:
        parts = urlsplit(address)
        socket.create_connection((parts.hostname, parts.port), PROBE_SECONDS).close()
