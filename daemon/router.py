"""The ROUTER socket, with the bounds that libzmq lacks: connections, and bytes that wait for a client."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import cast

import zmq

from daemon.connections import Connections, most_connections, raise_descriptor_limit
from daemon.outbox import LARGE, Outbox
from plugin_client.wire.limits import MAX_PICTURE_BYTES

SEND_QUEUE = 1000  # messages that wait for one slow client; their bytes are bounded by the outbox
RECEIVE_QUEUE = 2  # messages read ahead from one client, of up to 256 MiB each
HANDSHAKE_SECONDS = 2.0  # for a connection to say that it speaks ZeroMQ


OWN_USER = ""  # who comes over the Unix socket, or with the key in the daemon's own connection file


class ClientGone(Exception):
    """A client that something was to be sent to has no connection any more."""


class Router:
    """A ROUTER socket, not bound yet. It belongs to one thread.

    Args:
        admits: whether the holder of a public key may use the daemon now.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], admits: Callable[[str], bool]) -> None:
        self.socket = _open(context)
        self.own_key = ""  # of clients of the daemon's own user, over TCP
        self._admits = admits
        self.connections = Connections(self.socket, most_connections(raise_descriptor_limit()))
        self._outbox = Outbox()

    def receive(self) -> tuple[bytes, str, list[bytes]] | None:
        """Return a client, its user and the frames of its message, or None if none has come that counts.

        Large frames are memoryviews: this thread has no time to copy them. A user is OWN_USER or the public key of
        another one, who is admitted.
        """
        if not self.socket.poll(0):
            return None
        client, *frames = self.socket.recv_multipart(copy=False)
        name = client.bytes
        if frames:
            with suppress(zmq.ZMQError):  # a peer of the oldest ZeroMQ: its messages do not say where they came from
                self.connections.note_message(name, int(frames[0].get(zmq.SRCFD)))
        user = self._user(frames)
        if self._is_revoked(user):
            self.connections.let_go(name)
            return None
        return name, user, [frame.bytes if len(frame) < LARGE else cast("bytes", frame.buffer) for frame in frames]

    def _user(self, frames: Sequence[zmq.Frame]) -> str:
        """Return who has proved to have sent a message."""
        if not self.own_key or not frames:
            return OWN_USER
        key = str(frames[0].get("User-Id"))
        return OWN_USER if key == self.own_key else key

    def _is_revoked(self, user: str) -> bool:
        """Whether a user who was admitted is so no more."""
        return user != OWN_USER and not self._admits(user)

    def takes_result(self, client: bytes) -> bool:
        """Whether send() would take a message with pictures for this client now."""
        return self._outbox.takes_large(client)

    def send(self, client: bytes, user: str, frames: Sequence[bytes]) -> bool:
        """Send a message to a client of a user; False if it does not read at present.

        Raises:
            ClientGone: it has no connection, or its user's key was revoked, which ends the connection.
        """
        if self._is_revoked(user):
            self.connections.let_go(client)
            raise ClientGone
        size = sum(map(len, frames))
        if not self._outbox.has_room(client, size):
            return False
        try:
            delivery = self.socket.send_multipart([client, *frames], zmq.NOBLOCK, copy=False, track=True)
        except zmq.Again:
            return False
        except zmq.ZMQError as exc:
            if exc.errno != zmq.EHOSTUNREACH:
                raise
            raise ClientGone from exc
        assert delivery
        self._outbox.add(client, size, delivery)
        self.connections.note_use(client)
        return True

    def keep_house(self) -> None:
        """Let go of clients that keep others from being served."""
        for client in self._outbox.stalled():
            self.connections.let_go(client)

    def close(self) -> None:
        self.connections.close()
        self.socket.close()


def _open(context: zmq.Context[zmq.Socket[bytes]]) -> zmq.Socket[bytes]:
    """Return a ROUTER socket with the limits that keep any client from costing much."""
    router = context.socket(zmq.ROUTER)
    router.sndhwm = SEND_QUEUE
    router.rcvhwm = RECEIVE_QUEUE
    router.maxmsgsize = MAX_PICTURE_BYTES  # of one frame: a client that sends a larger one is disconnected
    router.handshake_ivl = round(HANDSHAKE_SECONDS * 1000)
    router.linger = 1000  # ms: the last words of a stopping daemon
    router.copy_threshold = 0  # so that it can be told of every message when it has left
    router.setsockopt(zmq.ROUTER_MANDATORY, 1)  # report a vanished or slow client instead of dropping silently
    return router
