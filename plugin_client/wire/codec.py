"""Messages to frames and back. PROTOCOL.md is the authority.

A message is a list of frames: a msgpack map {"v", "kind", "id", "body"}, then the pixels of each picture in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast, get_args

import msgpack

from plugin_client.wire import schema
from plugin_client.wire.errors import BadValue, Path, ProtocolError, VersionError, show
from plugin_client.wire.faults import Fault
from plugin_client.wire.limits import (
    MAX_ENTRIES,
    MAX_HEADER_BYTES,
    MAX_HEADER_ENTRIES,
    MAX_MESSAGE_BYTES,
    MAX_NAME_CHARS,
    MAX_PICTURE_BYTES,
    MAX_REQUEST_ID,
    MAX_SMALL_HEADER_BYTES,
)
from plugin_client.wire.messages import PROTOCOL_VERSION, ClientMessage, DaemonMessage, JobRequest, Submit

_HEADER_KEYS = ("v", "kind", "id", "body")
_HEADER, _ID = ("header",), ("header", "id")
_REQUEST_ID = schema.Whole((0, MAX_REQUEST_ID))
_CLIENT = {cls.kind: schema.record(cls) for cls in get_args(ClientMessage)}
_DAEMON = {cls.kind: schema.record(cls) for cls in get_args(DaemonMessage)}
_KINDS = _CLIENT | _DAEMON
_REQUEST = schema.of(JobRequest)


def encode(message: ClientMessage | DaemonMessage, request_id: int) -> list[bytes]:
    """Turn a message into frames.

    Raises:
        BadValue: a field holds what the protocol cannot carry.
        ProtocolError: the message is too large.
    """
    frames = schema.Frames([])
    body = _KINDS[message.kind].write(message, (message.kind,), frames)
    header = {"v": PROTOCOL_VERSION, "kind": message.kind, "id": _REQUEST_ID.check(request_id, _ID), "body": body}
    packed: bytes = msgpack.packb(header)
    encoded = [packed, *frames.pixels]
    _check_sizes(encoded)
    return encoded


def decode_client(frames: Sequence[bytes]) -> tuple[int, ClientMessage]:
    """Read the request id and message that a client sent.

    Raises:
        VersionError: it speaks another version of the protocol.
        ProtocolError: anything else is wrong; `request_id` is set where it could be read.
    """
    _check_header_size(frames)
    return cast("tuple[int, ClientMessage]", _decode(frames, _CLIENT))


def decode_daemon(frames: Sequence[bytes]) -> tuple[int, DaemonMessage]:
    """Read the request id and message that a daemon sent. Raises as decode_client."""
    return cast("tuple[int, DaemonMessage]", _decode(frames, _DAEMON))


def check_request(request: JobRequest, where: Path = ()) -> None:
    """Check a job's request before it is sent. `where` is the path to it, if it is a part of something.

    Raises:
        BadValue: a field is out of its range, or the fields contradict each other.
    """
    _REQUEST.write(request, where, schema.Frames([]))


def _decode(frames: Sequence[bytes], kinds: dict[str, schema.Record]) -> tuple[int, Any]:
    _check_sizes(frames)
    header = _unpack(frames[0])
    request_id = _readable_id(header)
    try:
        return _REQUEST_ID.check(header.get("id"), _ID), _read(header, frames[1:], kinds)
    except ProtocolError as exc:
        exc.request_id = request_id
        raise


def _read(header: dict[str, object], pixels: Sequence[bytes], kinds: dict[str, schema.Record]) -> Any:
    _check_header(header)
    kind = schema.Choice(tuple(kinds)).check(header["kind"], ("kind",))
    claimed = schema.Frames(list(pixels))
    message = kinds[kind].read(header["body"], (kind,), claimed)
    claimed.check_all_claimed()
    return message


def _check_header(header: dict[str, object]) -> None:
    version = header.get("v")
    if type(version) is not int or version != PROTOCOL_VERSION:
        raise VersionError.of(Fault.PROTOCOL_VERSION, value=show(version), known=PROTOCOL_VERSION)
    if missing := set(_HEADER_KEYS) - header.keys():
        raise BadValue(_HEADER, min(missing), Fault.MISSING_FIELD)
    if unknown := header.keys() - set(_HEADER_KEYS):
        raise BadValue(_HEADER, min(unknown), Fault.UNKNOWN_FIELD)


def _readable_id(header: dict[str, object]) -> int | None:
    try:
        return _REQUEST_ID.check(header.get("id"), _ID)
    except ProtocolError:
        return None


def _check_sizes(frames: Sequence[bytes]) -> None:
    if not frames:
        raise ProtocolError.of(Fault.NO_FRAMES)
    if len(frames[0]) > MAX_HEADER_BYTES:
        raise ProtocolError.of(Fault.HEADER_TOO_LARGE, count=len(frames[0]), high=MAX_HEADER_BYTES)
    if (largest := max(map(len, frames[1:]), default=0)) > MAX_PICTURE_BYTES:
        raise ProtocolError.of(Fault.FRAME_TOO_LARGE, count=largest, high=MAX_PICTURE_BYTES)
    if (total := sum(map(len, frames[1:]))) > MAX_MESSAGE_BYTES:
        raise ProtocolError.of(Fault.MESSAGE_TOO_LARGE, count=total, high=MAX_MESSAGE_BYTES)


def _check_header_size(frames: Sequence[bytes]) -> None:
    """Refuse a large header of a kind that needs none, before all of it is unpacked."""
    if not frames or len(frames[0]) <= MAX_SMALL_HEADER_BYTES or len(frames[0]) > MAX_HEADER_BYTES:
        return
    outline = _outline(frames[0])
    if outline.get("kind") != Submit.kind:
        error = ProtocolError.of(Fault.HEADER_TOO_LARGE, count=len(frames[0]), high=MAX_SMALL_HEADER_BYTES)
        error.request_id = _readable_id(outline)
        raise error


def _outline(packed: bytes) -> dict[str, object]:
    """Return the id and kind of a header, as far as they can be read, without making anything of its body."""
    unpacker = msgpack.Unpacker(
        max_buffer_size=MAX_HEADER_BYTES, max_str_len=MAX_NAME_CHARS, max_map_len=0, max_array_len=0, max_ext_len=0
    )
    unpacker.feed(packed)
    outline: dict[str, object] = {}
    try:
        for _ in range(min(unpacker.read_map_header(), len(_HEADER_KEYS))):
            key = unpacker.unpack()
            if key in ("kind", "id"):
                outline[key] = unpacker.unpack()
            else:
                unpacker.skip()
    except (ValueError, TypeError, msgpack.UnpackException):  # the whole family, as of _unpack()
        pass
    return outline


class _Entries:
    """Counts the entries of a header while it is unpacked, and refuses what no message needs."""

    def __init__(self) -> None:
        self._count = 0

    def map(self, pairs: list[tuple[object, object]]) -> dict[str, object]:
        self._add(len(pairs))
        return _strict_map(pairs)

    def list(self, entries: list[object]) -> list[object]:
        self._add(len(entries))
        return entries

    def _add(self, count: int) -> None:
        self._count += 1 + count
        if self._count > MAX_HEADER_ENTRIES:
            raise ProtocolError.of(Fault.TOO_MANY_ENTRIES, high=MAX_HEADER_ENTRIES)


def _unpack(packed: bytes) -> dict[str, object]:
    entries = _Entries()
    try:
        header = msgpack.unpackb(
            packed,
            strict_map_key=True,
            object_pairs_hook=entries.map,
            list_hook=entries.list,
            max_array_len=MAX_ENTRIES,
            max_map_len=MAX_ENTRIES,
            max_ext_len=0,
        )
    except (ValueError, msgpack.UnpackException) as exc:  # the whole family: not UTF-8, cut short, too deep, ...
        raise ProtocolError.of(Fault.UNREADABLE, reason=str(exc) or type(exc).__name__) from exc
    if type(header) is not dict:
        raise BadValue(_HEADER, header, Fault.NOT_A_MAP)
    return header


def _strict_map(pairs: list[tuple[object, object]]) -> dict[str, object]:
    strict = {key: value for key, value in pairs if type(key) is str}
    if len(strict) != len(pairs):
        raise ProtocolError.of(Fault.BAD_MAP)
    return strict
