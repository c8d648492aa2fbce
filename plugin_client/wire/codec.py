"""Messages to frames and back. PROTOCOL.md is the authority.

A message is a list of frames: a msgpack map {"v", "kind", "id", "body"}, then the pixels of each picture in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast, get_args

import msgpack

from plugin_client.wire import schema
from plugin_client.wire.errors import ProtocolError, VersionError
from plugin_client.wire.limits import (
    MAX_ENTRIES,
    MAX_HEADER_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_PICTURE_BYTES,
    MAX_REQUEST_ID,
)
from plugin_client.wire.messages import PROTOCOL_VERSION, Blend, ClientMessage, DaemonMessage

_HEADER_KEYS = ("v", "kind", "id", "body")
_REQUEST_ID = schema.Whole((0, MAX_REQUEST_ID))
_CLIENT = {cls.kind: schema.record(cls) for cls in get_args(ClientMessage)}
_DAEMON = {cls.kind: schema.record(cls) for cls in get_args(DaemonMessage)}
_KINDS = _CLIENT | _DAEMON
_BLEND = schema.record(Blend)


def encode(message: ClientMessage | DaemonMessage, request_id: int) -> list[bytes]:
    """The frames of a message.

    Raises:
        ProtocolError: a field holds what the protocol cannot carry; the text names the field and the value.
    """
    frames = schema.Frames([])
    body = _KINDS[message.kind].write(message, message.kind, frames)
    header = {"v": PROTOCOL_VERSION, "kind": message.kind, "id": _REQUEST_ID.check(request_id, "id"), "body": body}
    packed: bytes = msgpack.packb(header)
    encoded = [packed, *frames.pixels]
    _check_sizes(encoded)
    return encoded


def decode_client(frames: Sequence[bytes]) -> tuple[int, ClientMessage]:
    """The request id and message that a client sent.

    Raises:
        VersionError: it speaks another version of the protocol.
        ProtocolError: anything else is wrong; `request_id` is set where it could be read.
    """
    return cast("tuple[int, ClientMessage]", _decode(frames, _CLIENT))


def decode_daemon(frames: Sequence[bytes]) -> tuple[int, DaemonMessage]:
    """The request id and message that a daemon sent. Raises as decode_client."""
    return cast("tuple[int, DaemonMessage]", _decode(frames, _DAEMON))


def check_blend(blend: Blend) -> None:
    """Check a blend before it is sent.

    Raises:
        ProtocolError: a field is out of its range, or the fields contradict each other.
    """
    _BLEND.write(blend, "blend", schema.Frames([]))


def blend_from_plain(plain: object, where: str) -> Blend:
    """A checked blend, without pictures, from a map such as the one in a submit message."""
    return cast(Blend, _BLEND.read(plain, where, schema.Frames([])))


def _decode(frames: Sequence[bytes], kinds: dict[str, schema.Record]) -> tuple[int, Any]:
    _check_sizes(frames)
    header = _unpack(frames[0])
    request_id = _readable_id(header)
    try:
        return _REQUEST_ID.check(header.get("id"), "id"), _read(header, frames[1:], kinds)
    except ProtocolError as exc:
        exc.request_id = request_id
        raise


def _read(header: dict[str, object], pixels: Sequence[bytes], kinds: dict[str, schema.Record]) -> Any:
    _check_header(header)
    kind = schema.Choice(tuple(kinds)).check(header["kind"], "kind")
    claimed = schema.Frames(list(pixels))
    message = kinds[kind].read(header["body"], kind, claimed)
    claimed.check_all_claimed()
    return message


def _check_header(header: dict[str, object]) -> None:
    version = header.get("v")
    if type(version) is not int or version != PROTOCOL_VERSION:
        raise VersionError(
            f"the message is of protocol version {schema.show(version)}, and this side speaks {PROTOCOL_VERSION}: "
            "install the same version of Kandinsky Blend on both sides"
        )
    if missing := set(_HEADER_KEYS) - header.keys():
        raise ProtocolError(f"the header lacks {min(missing)!r}")
    if unknown := header.keys() - set(_HEADER_KEYS):
        raise ProtocolError(f"the header has an unknown field {schema.show(min(unknown))}")


def _readable_id(header: dict[str, object]) -> int | None:
    try:
        return _REQUEST_ID.check(header.get("id"), "id")
    except ProtocolError:
        return None


def _check_sizes(frames: Sequence[bytes]) -> None:
    if not frames:
        raise ProtocolError("the message has no frames")
    if len(frames[0]) > MAX_HEADER_BYTES:
        raise ProtocolError(f"the header has {len(frames[0])} bytes, may have {MAX_HEADER_BYTES}")
    if (largest := max(map(len, frames[1:]), default=0)) > MAX_PICTURE_BYTES:
        raise ProtocolError(f"a pixel frame has {largest} bytes, may have {MAX_PICTURE_BYTES}")
    if (total := sum(map(len, frames[1:]))) > MAX_MESSAGE_BYTES:
        raise ProtocolError(f"the pixel frames have {total} bytes together, may have {MAX_MESSAGE_BYTES}")


def _unpack(packed: bytes) -> dict[str, object]:
    try:
        header = msgpack.unpackb(
            packed,
            strict_map_key=True,
            object_pairs_hook=_strict_map,
            max_array_len=MAX_ENTRIES,
            max_map_len=MAX_ENTRIES,
            max_ext_len=0,
        )
    except (ValueError, msgpack.UnpackException) as exc:  # the whole family: not UTF-8, cut short, too deep, ...
        raise ProtocolError(f"the header is not readable msgpack: {str(exc) or type(exc).__name__}") from exc
    if type(header) is not dict:
        raise ProtocolError(f"the header is {schema.show(header)}: must be a map")
    return header


def _strict_map(pairs: list[tuple[object, object]]) -> dict[str, object]:
    strict = {key: value for key, value in pairs if type(key) is str}
    if len(strict) != len(pairs):
        raise ProtocolError("the header has a map with a key that is not text, or with the same key twice")
    return strict
