"""What is on its way to clients: messages that libzmq holds until their client reads them. Knows no sockets."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Protocol

LARGE = 256 * 2**10  # bytes: from here on a message counts as one with pictures
MAX_SMALL_BYTES = 512 * 2**10  # of the small messages that wait for one client
MAX_LARGE_BYTES = 2**30  # of the large messages that wait for all clients: four of the largest
STALLED_SECONDS = 30.0  # after which a large message that is not taken makes room for others


class Delivery(Protocol):
    """A message that was handed to libzmq; `done` once it has left this process, or was dropped with its client."""

    @property
    def done(self) -> bool: ...


@dataclass(frozen=True)
class _Sent:
    bytes: int
    delivery: Delivery
    at: float  # s, of time.monotonic()


class Outbox:
    """The messages that each client has still to take: one large at a time, and MAX_SMALL_BYTES of small ones."""

    def __init__(self, max_large_bytes: int = MAX_LARGE_BYTES) -> None:
        self._max_large_bytes = max_large_bytes
        self._large: dict[bytes, _Sent] = {}  # by client, the oldest first
        self._small: dict[bytes, deque[_Sent]] = {}

    def has_room(self, client: bytes, size: int) -> bool:
        """Whether a message of `size` bytes may be sent to a client now."""
        if size >= LARGE:
            return self.takes_large(client, size)
        waiting = self._waiting_small(client)
        return sum(sent.bytes for sent in waiting) + size <= MAX_SMALL_BYTES

    def takes_large(self, client: bytes, size: int = 0) -> bool:
        """Whether a message with pictures may be sent to a client now."""
        self._drop_delivered()
        held = sum(sent.bytes for sent in self._large.values())
        return client not in self._large and (not held or held + size <= self._max_large_bytes)

    def add(self, client: bytes, size: int, delivery: Delivery) -> None:
        """Count a message that was sent."""
        sent = _Sent(size, delivery, time.monotonic())
        if size >= LARGE:
            self._large[client] = sent
        else:
            self._small.setdefault(client, deque()).append(sent)

    def stalled(self) -> tuple[bytes, ...]:
        """The clients that keep a large message waiting for STALLED_SECONDS while others want the room."""
        self._drop_delivered()
        if sum(sent.bytes for sent in self._large.values()) <= self._max_large_bytes / 2:
            return ()
        before = time.monotonic() - STALLED_SECONDS
        return tuple(client for client, sent in self._large.items() if sent.at < before)

    def total(self) -> int:
        """Return the bytes that wait for all clients."""
        self._drop_delivered()
        small = sum(sent.bytes for client in tuple(self._small) for sent in self._waiting_small(client))
        return small + sum(sent.bytes for sent in self._large.values())

    def _drop_delivered(self) -> None:
        for client in [client for client, sent in self._large.items() if sent.delivery.done]:
            del self._large[client]

    def _waiting_small(self, client: bytes) -> deque[_Sent]:
        waiting = self._small.get(client, deque())
        while waiting and waiting[0].delivery.done:
            waiting.popleft()
        if not waiting:
            self._small.pop(client, None)
        return waiting
