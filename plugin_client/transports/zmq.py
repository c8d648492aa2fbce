"""A transport over ZeroMQ, which needs pyzmq."""

from __future__ import annotations

import os
import socket
import struct
import sys
from pathlib import Path
from urllib.parse import urlsplit

import zmq

from plugin_client.transports.base import Transport
from plugin_client.wire.connection_file import Endpoint
from plugin_client.wire.errors import DaemonNotRunning, EndpointError, NoAnswer
from plugin_client.wire.limits import MAX_HEADER_BYTES, MAX_PICTURE_BYTES
from plugin_client.wire.marking import N_

PROBE_SECONDS = 2.0  # for a connection to be accepted; a daemon's loop never blocks, so only the network takes time
SEND_SECONDS = 30.0  # for room in the queue of a connection that does not move
MAX_QUEUED_MESSAGES = 100  # to send, and received but not yet read
HEARTBEAT_SECONDS = 5.0  # of silence on tcp, after which libzmq tests whether the other side is still there


class ZmqTransport(Transport):
    """A DEALER socket, which libzmq connects again by itself when the connection breaks.

    Raises:
        DaemonNotRunning: nothing accepts connections at the endpoint within PROBE_SECONDS.
        EndpointError: another user listens there.
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
            raise NoAnswer(
                N_("the daemon at {address} takes no messages"), "takes-nothing", address=self._address
            ) from exc

    def receive(self, timeout: float) -> list[bytes] | None:
        if not self._socket.poll(round(timeout * 1000)):
            return None
        return self._socket.recv_multipart()

    def check_alive(self) -> None:
        """As of Transport, of a daemon on this machine: libzmq tries to reach one that is gone for ever."""
        if self._address.startswith("ipc://"):
            check_listening(self._address)

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
    """Check that a daemon listens at `address`: libzmq itself would try to connect for ever, without an error.

    Raises:
        DaemonNotRunning: the connection is refused or not accepted within PROBE_SECONDS.
        EndpointError: another user listens there.
    """
    try:
        _probe(address)
    except OSError as exc:
        raise DaemonNotRunning(
            N_("no daemon answers at {address} ({reason}): start one with `kandinsky-blend start`"),
            "not-listening",
            address=address,
            reason=exc.strerror or exc,
        ) from exc


def _probe(address: str) -> None:
    if address.startswith("ipc://"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(PROBE_SECONDS)
            probe.connect(address.removeprefix("ipc://"))
            _check_owner(probe, address)
    else:
        parts = urlsplit(address)
        socket.create_connection((parts.hostname, parts.port), PROBE_SECONDS).close()


def _check_owner(connection: socket.socket, address: str) -> None:
    """Refuse a Unix socket at which another user listens."""
    if sys.platform == "linux":
        _, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    else:
        user = Path(address.removeprefix("ipc://")).stat().st_uid
    if user != os.getuid():
        raise EndpointError(
            N_("user {owner} listens at {address}, not you ({user}): it is not trusted"),
            "other-owner",
            address=address,
            owner=user,
            user=os.getuid(),
        )
