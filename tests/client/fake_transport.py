"""A transport without a daemon behind it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable

from plugin_client.transports.base import Transport


class FunctionTransport(Transport):
    """A daemon that is a function: from the frames of a request to the messages that answer it."""

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
