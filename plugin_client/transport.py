"""How frames reach a daemon: one small seam, and a fake behind it that calls a function.

The real ones are zmq_transport.py, and gimp/bridge.py where an editor has no pyzmq.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable


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
