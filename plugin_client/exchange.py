"""Requests to a daemon and their answers over one transport, and the messages that come about jobs meanwhile."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import TypeVar

from plugin_client.transports.base import Transport
from plugin_client.wire import codec
from plugin_client.wire.errors import KandinskyError, NoAnswer, ProtocolError, Refused, UsageError, VersionError
from plugin_client.wire.marking import N_
from plugin_client.wire.messages import ClientMessage, DaemonMessage, Failed, Progress, Refusal, Result

SLOWEST_UPLOAD = 10**6  # bytes a second: the answer to a large request may take as much longer as the request takes

A = TypeVar("A", bound=DaemonMessage)


class Exchange:
    """The requests of one client. It belongs to the thread of its transport.

    Args:
        transport: carries the messages; closed by close().
        timeout: seconds of silence after which the daemon counts as gone; a large request adds 1 for each MB of it.
        owner: the token with which it submits and lists jobs.
    """

    def __init__(self, transport: Transport, timeout: float, owner: str = "") -> None:
        self.timeout = timeout
        self.owner = owner
        self._transport = transport
        self._ids = itertools.count(1)
        self._listeners: dict[int, Callable[[DaemonMessage], None]] = {}  # by the id of their request
        self._awaited: int | None = None
        self._answer: DaemonMessage | None = None
        self._is_closed = False

    def close(self) -> None:
        """End the connection; calling it again is harmless."""
        self._is_closed = True
        self._transport.close()

    def listen(self, on_message: Callable[[DaemonMessage], None]) -> int:
        """Return a new request id; `on_message` gets what comes under it besides the answers that ask() returns."""
        request_id = next(self._ids)
        self._listeners[request_id] = on_message
        return request_id

    def forget(self, request_id: int) -> None:
        """Pass on no more messages under an id of listen()."""
        self._listeners.pop(request_id, None)

    def ask(self, message: ClientMessage, expected: type[A], request_id: int | None = None) -> A:
        """Send a request, under an id of its own or one of listen(), and wait for its answer.

        Raises:
            NoAnswer: no answer came within the timeout, or the transport raises it.
            Refused: the daemon will not do it; `code` says why.
            VersionError: the daemon speaks another version of the protocol.
            ProtocolError: the answer is no message, or of another kind than `expected`.
        """
        answer = self._wait_for_answer(message, next(self._ids) if request_id is None else request_id)
        if isinstance(answer, Refusal):
            raise error_of(answer)
        if not isinstance(answer, expected):
            raise ProtocolError(
                N_("the daemon answered {asked!r} with {answered!r}"),
                "wrong-answer",
                asked=message.kind,
                answered=answer.kind,
            )
        return answer

    def send(self, message: ClientMessage, request_id: int) -> float:
        """Send a request; the seconds that its answer may take.

        Raises:
            NoAnswer: as of Transport.send.
            UsageError: close() has been called.
        """
        self._check_open()
        frames = codec.encode(message, request_id)
        self._transport.send(frames)
        return self.timeout + sum(map(len, frames)) / SLOWEST_UPLOAD

    def receive(self, timeout: float) -> bool:
        """Take in one message and pass it on; False when none came within `timeout` seconds.

        Raises:
            NoAnswer: as of Transport.receive.
            ProtocolError: what came is no message of a daemon.
            UsageError: close() has been called.
        """
        self._check_open()
        frames = self._transport.receive(timeout)
        if frames is None:
            return False
        request_id, message = codec.decode_daemon(frames)
        is_answer = not isinstance(message, Progress | Result | Failed)
        if is_answer and request_id == self._awaited:
            self._awaited, self._answer = None, message
        elif request_id in self._listeners:
            self._listeners[request_id](message)
        return True  # an answer that came too late is dropped

    def check_alive(self) -> None:
        """Look whether the daemon is still there, as of Transport.check_alive. Raises: DaemonNotRunning."""
        self._transport.check_alive()

    def _check_open(self) -> None:
        if self._is_closed:
            raise UsageError(
                N_("the client is closed: make a new one, which can come back to a job by its id"), "closed"
            )

    def _wait_for_answer(self, message: ClientMessage, request_id: int) -> DaemonMessage:
        self._awaited, self._answer = request_id, None
        patience = self.send(message, request_id)
        deadline = time.monotonic() + patience
        while self._answer is None:
            left = deadline - time.monotonic()
            if not self.receive(max(0.0, left)) and left <= 0:
                raise NoAnswer(
                    N_("the daemon did not answer {asked!r} within {seconds:.3g} s"),
                    "no-answer",
                    asked=message.kind,
                    seconds=patience,
                )
        return self._answer


def error_of(refusal: Refusal) -> KandinskyError:
    """Return the error that a refusal is to a caller."""
    return VersionError(refusal.message) if refusal.code == "bad-version" else Refused(refusal.code, refusal.message)
