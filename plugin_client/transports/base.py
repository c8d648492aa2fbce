"""The seam between a client and the way its messages travel: zmq.py needs pyzmq, bridge.py only the standard library.

A message is a list of frames: the msgpack header, then the pixels of each picture. codec.py makes and checks them; a
transport carries bytes and looks at none.
"""

from __future__ import annotations

from abc import ABC, abstractmethod


class Transport(ABC):
    """A connection to one daemon.

    One thread at a time may call its methods: a client, its jobs and its transport belong to that thread. Only the
    constructor connects, and it blocks until the daemon was reached or found missing.
    """

    @abstractmethod
    def send(self, frames: list[bytes]) -> None:
        """Hand a message over. It may still be on its way when this returns, and it may get lost without an error.

        Raises:
            NoAnswer: the message cannot be handed over: the other side takes nothing, or the connection has ended.
        """

    @abstractmethod
    def receive(self, timeout: float) -> list[bytes] | None:
        """Return the next message, or None when none came within `timeout` seconds; 0 does not wait.

        Messages come in the order in which the daemon sent them.

        Raises:
            NoAnswer: the connection has ended and no message will come. A transport that connects again by itself
                raises nothing and returns None.
        """

    def check_alive(self) -> None:  # noqa: B027 - most transports cannot tell
        """Look whether the daemon is still there, where that can be told at once. Takes no time worth speaking of.

        Raises:
            DaemonNotRunning: it is gone.
        """

    @abstractmethod
    def close(self) -> None:
        """End the connection and free what it holds. Calling it again is harmless; no other method may follow."""
