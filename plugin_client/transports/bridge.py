"""A transport for a Python without pyzmq: a child process of another Python holds the ZeroMQ connection.

A message on the child's stdin or stdout is the number of its frames, then the length and the bytes of each frame;
numbers are 4 bytes, the least significant first. The child's first message says whether it has reached the daemon: one
empty frame, or the error's class, sentence, code and data, the last as JSON. The child ends when its stdin does. This
module needs only the standard library.
"""

from __future__ import annotations

import contextlib
import json
import queue
import struct
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import IO

from plugin_client.transports.base import Transport
from plugin_client.wire import errors
from plugin_client.wire.errors import DaemonNotRunning, KandinskyError, NoAnswer, ProtocolError
from plugin_client.wire.limits import MAX_ENTRIES, MAX_HEADER_BYTES, MAX_PICTURE_BYTES
from plugin_client.wire.marking import N_

START_SECONDS = 20.0  # for a Python to start on a machine that is busy
END_SECONDS = 2.0  # for the child to end after its stdin has

_NUMBER = struct.Struct("<I")
_MAX_FRAME = max(MAX_HEADER_BYTES, MAX_PICTURE_BYTES)


class BridgeTransport(Transport):
    """A child process that runs plugin_client.transports.bridge_process. Closing it takes up to END_SECONDS.

    Args:
        command: the command that runs the child.
        environment: the child's environment variables, all of them.

    Raises:
        DaemonNotRunning: the child cannot be started or says nothing within START_SECONDS, or no daemon runs.
        EndpointError: the daemon's connection file is unusable.
        VersionError: the daemon speaks another version of the protocol.
        TransportError: the child has failed in another way.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._child = _spawn(command, environment)
        self._messages: queue.SimpleQueue[list[bytes] | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()
        try:
            _check_greeting(self.receive(START_SECONDS))
        except KandinskyError:
            self.close()
            raise

    def send(self, frames: list[bytes]) -> None:
        assert self._child.stdin
        try:
            write_message(self._child.stdin, frames)
        except OSError as exc:
            raise _has_ended() from exc

    def receive(self, timeout: float) -> list[bytes] | None:
        try:
            message = self._messages.get(timeout > 0, timeout or None)
        except queue.Empty:
            return None
        if message is None:
            self._messages.put(None)  # for the next call
            raise _has_ended()
        return message

    def close(self) -> None:
        assert self._child.stdin
        with contextlib.suppress(OSError):  # of what was not yet written: nobody reads it any more
            self._child.stdin.close()
        try:
            self._child.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def _read(self) -> None:
        assert self._child.stdout
        with self._child.stdout as stream:
            try:
                while message := read_message(stream):
                    self._messages.put(message)
            except (OSError, ProtocolError):
                pass  # reported as the end of the messages, below
        self._messages.put(None)


def _has_ended() -> NoAnswer:
    return NoAnswer(N_("the bridge to the daemon has ended"), "bridge-ended")


def write_message(stream: IO[bytes], frames: Sequence[bytes]) -> None:
    """Write one message and flush it. Raises: OSError."""
    stream.write(_NUMBER.pack(len(frames)))
    for frame in frames:
        stream.write(_NUMBER.pack(len(frame)))
        stream.write(frame)
    stream.flush()


def read_message(stream: IO[bytes]) -> list[bytes] | None:
    """Read the next message; None at the end of the stream.

    Raises:
        ProtocolError: the stream ends within a message, or a length is beyond the protocol's limits.
    """
    if not (count := stream.read(_NUMBER.size)):
        return None
    return [_read_frame(stream) for _ in range(_number(count, MAX_ENTRIES))]


def _read_frame(stream: IO[bytes]) -> bytes:
    length = _number(stream.read(_NUMBER.size), _MAX_FRAME)
    frame = stream.read(length)
    if len(frame) != length:
        raise ProtocolError(N_("the bridge's stream ends within a message"), "cut-stream")
    return frame


def _number(packed: bytes, limit: int) -> int:
    if len(packed) != _NUMBER.size:
        raise ProtocolError(N_("the bridge's stream ends within a message"), "cut-stream")
    number: int = _NUMBER.unpack(packed)[0]
    if number > limit:
        raise ProtocolError(
            N_("the bridge's stream holds the length {length}, and {limit} is allowed"),
            "stream-length",
            length=number,
            limit=limit,
        )
    return number


def greeting(error: KandinskyError | None) -> list[bytes]:
    """Return the child's first message: it has reached the daemon, or the error."""
    if error is None:
        return [b""]
    data = json.dumps(error.data, default=str)
    return [text.encode() for text in (type(error).__name__, error.sentence, error.code, data)]


def _check_greeting(message: list[bytes] | None) -> None:
    if message is None:
        raise DaemonNotRunning(
            N_("the bridge to the daemon did not start within {seconds:g} s"), "bridge-silent", seconds=START_SECONDS
        )
    if message == greeting(None):
        return
    kind, sentence, code, data = (frame.decode("utf-8", "replace") for frame in message)
    raise _ERRORS.get(kind, errors.TransportError)(sentence, code, **json.loads(data))


_ERRORS = {cls.__name__: cls for cls in (DaemonNotRunning, NoAnswer, errors.EndpointError, errors.VersionError)}


def _spawn(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    except OSError as exc:
        raise DaemonNotRunning(
            N_("the bridge to the daemon cannot be started: {program}: {reason}"),
            "bridge-not-started",
            program=command[0],
            reason=exc.strerror,
        ) from exc
