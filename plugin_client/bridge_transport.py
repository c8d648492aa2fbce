"""The transport for a Python without pyzmq: a child process of another Python holds the ZeroMQ connection.

Both sides of its stdin and stdout carry messages as: the number of frames, then each frame behind its length, all
numbers as 4 bytes, the least significant first. The child's first message says whether it has reached the daemon: one
empty frame, or the error's class and text. It ends when its stdin does. Only the standard library is used here.
"""

from __future__ import annotations

import contextlib
import queue
import struct
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import IO

from plugin_client.transport import Transport
from plugin_client.wire import errors
from plugin_client.wire.errors import DaemonNotRunning, KandinskyError, NoAnswer, ProtocolError
from plugin_client.wire.limits import MAX_ENTRIES, MAX_HEADER_BYTES, MAX_PICTURE_BYTES

START_SECONDS = 20.0  # for a Python to start on a machine that is busy
END_SECONDS = 2.0  # for the child to end after its stdin has

_NUMBER = struct.Struct("<I")
_MAX_FRAME = max(MAX_HEADER_BYTES, MAX_PICTURE_BYTES)


class BridgeTransport(Transport):
    """Starts `command`, which runs plugin_client.bridge, in `environment`.

    Raises:
        DaemonNotRunning: the child cannot be started, or nothing listens at the daemon's endpoint.
        KandinskyError: whatever else a client of the child's side would raise.
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
            raise NoAnswer("the bridge to the daemon has ended") from exc

    def receive(self, timeout: float) -> list[bytes] | None:
        try:
            message = self._messages.get(timeout > 0, timeout or None)
        except queue.Empty:
            return None
        if message is None:
            self._messages.put(None)  # for whoever asks again
            raise NoAnswer("the bridge to the daemon has ended")
        return message

    def close(self) -> None:
        assert self._child.stdin
        with contextlib.suppress(OSError):  # what was not yet written has nobody to read it
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
                pass  # told as the end, by the line below
        self._messages.put(None)


def write_message(stream: IO[bytes], frames: Sequence[bytes]) -> None:
    stream.write(_NUMBER.pack(len(frames)))
    for frame in frames:
        stream.write(_NUMBER.pack(len(frame)))
        stream.write(frame)
    stream.flush()


def read_message(stream: IO[bytes]) -> list[bytes] | None:
    """The next message, or None at the end of the stream.

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
        raise ProtocolError(f"the bridge's stream ends after {len(frame)} of {length} bytes of a frame")
    return frame


def _number(packed: bytes, limit: int) -> int:
    if len(packed) != _NUMBER.size:
        raise ProtocolError("the bridge's stream ends within a message")
    number: int = _NUMBER.unpack(packed)[0]
    if number > limit:
        raise ProtocolError(f"the bridge's stream holds the length {number}, and {limit} is allowed")
    return number


def greeting(error: KandinskyError | None) -> list[bytes]:
    """The child's first message."""
    return [b""] if error is None else [type(error).__name__.encode(), str(error).encode()]


def _check_greeting(message: list[bytes] | None) -> None:
    if message is None:
        raise DaemonNotRunning(f"the bridge to the daemon did not start within {START_SECONDS:g} s")
    if message == greeting(None):
        return
    kind, text = (frame.decode("utf-8", "replace") for frame in message)
    raise _ERRORS.get(kind, errors.TransportError)(text)


_ERRORS = {cls.__name__: cls for cls in (DaemonNotRunning, NoAnswer, errors.EndpointError, errors.VersionError)}


def _spawn(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    except OSError as exc:
        raise DaemonNotRunning(f"the bridge to the daemon cannot be started: {command[0]}: {exc.strerror}") from exc
