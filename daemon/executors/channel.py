"""The private channel between LocalExecutor and its worker: typed messages over a pair of byte streams, no pickles.

A message is a number of frames, see framing.py: first a msgpack header, then each bytes value of the message, such as
the pixels of a picture. The header holds a dataclass as [its name, *its fields], a tuple as a list, and bytes as the
number of a frame.
"""

from __future__ import annotations

import threading
import types
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import IO, Any, Union, get_args, get_origin, get_type_hints

import msgpack

from daemon.executors.base import Embedding, JobAdvanced, JobDone, JobEmbedded, JobFailed
from daemon.framing import read_frames, write_frames
from daemon.job_runner import RunnerState
from plugin_client.wire.messages import JobRequest


@dataclass(frozen=True)
class RunJob:
    """To the worker, which runs one job at a time."""

    job: str
    request: JobRequest
    known: tuple[Embedding, ...] = ()  # of its items, which others have made


@dataclass(frozen=True)
class CancelJob:
    """To the worker. A job that it does not run, or no more, stays as it is."""

    job: str


@dataclass(frozen=True)
class Heartbeat:
    """From the worker, every HEARTBEAT_PAUSE."""


Message = RunJob | CancelJob | RunnerState | JobAdvanced | JobEmbedded | JobDone | JobFailed | Heartbeat

Frames = list[bytes]
HEARTBEAT_PAUSE = 1.0  # s
_Read = Callable[[Any, Sequence[bytes]], Any]


class Channel:
    """Messages over a stream in each direction. Any threads may send while one receives."""

    def __init__(self, source: IO[bytes], sink: IO[bytes]) -> None:
        self._source = source
        self._sink = sink
        self._sending = threading.Lock()

    def send(self, message: Message) -> None:
        """Block until the message is written.

        Raises:
            OSError: the other side has ended.
        """
        frames = pack(message)
        with self._sending:
            write_frames(self._sink, frames)
            self._sink.flush()

    def receive(self) -> Message | None:
        """Block until a message has come whole; None when the other side has ended."""
        try:
            return unpack(read_frames(self._source))
        except EOFError:
            return None

    def close_source(self) -> None:
        """To be called by the thread that receives, since closing waits for a read of another."""
        self._source.close()

    def close_sink(self) -> None:
        """To be called by the thread that sends."""
        with suppress(OSError):  # the other side has ended, and what was left for it with it
            self._sink.close()


def pack(message: Message) -> Frames:
    """The frames of a message; its bytes values are among them as they are, not as copies."""
    frames = [b""]
    frames[0] = msgpack.packb(_plain(message, frames))
    return frames


def unpack(frames: Sequence[bytes]) -> Message:
    """The message of some frames."""
    message: Message = _reader(Message)(msgpack.unpackb(frames[0]), frames)
    return message


def _plain(value: Any, frames: Frames) -> object:
    if isinstance(value, bytes):
        frames.append(value)
        return len(frames) - 1
    if isinstance(value, tuple):
        return [_plain(entry, frames) for entry in value]
    if is_dataclass(value):
        entries = (_plain(getattr(value, field.name), frames) for field in fields(value))
        return [type(value).__name__, *entries]
    return value


@cache
def _reader(hint: Any) -> _Read:
    """A function that makes a value of the type `hint` from what _plain() made of it."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is bytes:
        return lambda plain, frames: frames[plain]
    if origin is tuple:
        return _tuple_reader(args)
    if origin in (Union, types.UnionType):
        return _union_reader(args)
    return _union_reader((hint,)) if is_dataclass(hint) else lambda plain, frames: plain


def _tuple_reader(args: tuple[Any, ...]) -> _Read:
    if args[-1] is ...:
        entry = _reader(args[0])
        return lambda plain, frames: tuple(entry(one, frames) for one in plain)
    entries = [_reader(arg) for arg in args]
    return lambda plain, frames: tuple(read(one, frames) for read, one in zip(entries, plain, strict=True))


def _union_reader(args: tuple[Any, ...]) -> _Read:
    """The reader of one of several dataclasses, or of None or another plain value beside them."""
    classes = {cls.__name__: cls for cls in args if isinstance(cls, type) and is_dataclass(cls)}

    def read(plain: Any, frames: Sequence[bytes]) -> Any:
        if not isinstance(plain, list):
            return plain
        name, *entries = plain
        readers = _field_readers(classes[name])
        given = zip(readers.items(), entries, strict=True)
        return classes[name](**{field: read(entry, frames) for (field, read), entry in given})

    return read


@cache
def _field_readers(cls: type) -> dict[str, _Read]:
    hints = get_type_hints(cls)  # without what annotations add to a type
    return {field.name: _reader(hints[field.name]) for field in fields(cls)}
