"""The connections of a bound ROUTER: how many there may be, and which one is let go where one is too much.

libzmq ends the process where a Unix socket cannot be accepted for want of a descriptor, so the number is held here.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import zmq
from zmq.utils.monitor import recv_monitor_message

MAX_CONNECTIONS = 512
WANTED_DESCRIPTORS = 4096  # room for a burst of connections beyond the limit, until they are let go
OWN_DESCRIPTORS = 64  # of the daemon's files, threads and worker

_EVENTS = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED | zmq.EVENT_MONITOR_STOPPED


def raise_descriptor_limit() -> int:
    """Raise the process's limit of open descriptors towards WANTED_DESCRIPTORS, and return the limit that holds."""
    if sys.platform == "win32":
        return WANTED_DESCRIPTORS
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < WANTED_DESCRIPTORS:
        wanted = WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, WANTED_DESCRIPTORS)
        with suppress(OSError, ValueError):  # a system may allow less than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def most_connections(descriptors: int) -> int:
    """Return how many connections there may be with so many descriptors: half is left to those that come in a burst."""
    return max(1, min(MAX_CONNECTIONS, (descriptors - OWN_DESCRIPTORS) // 2))


class Connections:
    """The connections of `router`, which is not bound yet; `most` is their number at most.

    A thread of its own follows them, so that a busy loop does not let them pile up. Beyond `most`, the oldest of those
    that have never sent a message is let go if they are more than half, else the one that has sent and taken nothing
    for the longest. A ZeroMQ client connects again by itself.
    """

    def __init__(self, router: zmq.Socket[bytes], most: int) -> None:
        self._router = router
        self._most = most
        self._lock = threading.Lock()
        self._silent: dict[int, None] = {}  # descriptors that no message has come over; the oldest first
        self._used: dict[int, None] = {}  # the others; the least recently used first
        self._descriptors: dict[bytes, int] = {}  # by client
        self._clients: dict[int, bytes] = {}  # by descriptor
        self._endpoint = ""  # that they came to
        self._monitor = router.get_monitor_socket(_EVENTS)
        self._thread = threading.Thread(target=self._follow, name="connections", daemon=True)
        self._thread.start()

    def note_message(self, client: bytes, descriptor: int) -> None:
        """Note that a message of `client` has come over this descriptor."""
        with self._lock:
            self._touch(descriptor)
            self._descriptors[client] = descriptor
            self._clients[descriptor] = client

    def note_use(self, client: bytes) -> None:
        """Note that something is sent to `client`."""
        with self._lock:
            descriptor = self._descriptors.get(client)
            if descriptor is not None:
                self._touch(descriptor)

    def let_go(self, client: bytes) -> None:
        """End the connection of `client`, if it has one."""
        with self._lock:
            descriptor = self._descriptors.get(client)
            if descriptor is not None:
                self._end(descriptor)

    def close(self) -> None:
        """Stop following; to be called before the socket is closed."""
        self._router.disable_monitor()
        self._thread.join()

    def _follow(self) -> None:
        with self._monitor as monitor:
            while (event := recv_monitor_message(monitor))["event"] != zmq.EVENT_MONITOR_STOPPED:
                with self._lock:
                    self._take(event)

    def _take(self, event: Mapping[str, Any]) -> None:
        descriptor = event["value"]
        if event["event"] != zmq.EVENT_ACCEPTED:
            self._forget(descriptor)
            return
        self._endpoint = event["endpoint"].decode()
        if descriptor not in self._used:  # where its first message was quicker than this event
            self._silent[descriptor] = None
        while len(self._silent) + len(self._used) > self._most:
            self._end(self._least_needed())

    def _least_needed(self) -> int:
        many_are_silent = len(self._silent) > self._most // 2
        return next(iter(self._silent if many_are_silent else self._used))

    def _touch(self, descriptor: int) -> None:
        self._silent.pop(descriptor, None)
        self._used.pop(descriptor, None)
        self._used[descriptor] = None

    def _end(self, descriptor: int) -> None:
        self._forget(descriptor)
        _shut_down(descriptor, self._endpoint)

    def _forget(self, descriptor: int) -> None:
        self._silent.pop(descriptor, None)
        self._used.pop(descriptor, None)
        client = self._clients.pop(descriptor, None)
        if client is not None:
            self._descriptors.pop(client, None)


def _shut_down(descriptor: int, endpoint: str) -> None:
    """Have libzmq find the connection ended.

    It may have closed the descriptor a moment ago, and the number be another thing's by now: only what is a connection
    of this endpoint is touched.
    """
    try:
        connection = socket.socket(fileno=descriptor)
    except OSError:
        return
    try:
        with suppress(OSError):
            name = connection.getsockname()
            end = f":{name[1]}" if isinstance(name, tuple) else f"//{name}"
            if endpoint.endswith(end):
                connection.shutdown(socket.SHUT_RDWR)
    finally:
        connection.detach()
