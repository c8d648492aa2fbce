"""Frames as one stream of bytes.

Their number comes first, then the length of each, all as 8-byte big-endian integers, and then the frames.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from typing import IO

_LENGTH = struct.Struct(">Q")


def write_frames(sink: IO[bytes], frames: Sequence[bytes]) -> None:
    """Write frames, which are not copied. Raises: OSError."""
    for piece in _pieces(frames):
        sink.write(piece)


def read_frames(source: IO[bytes]) -> list[bytes]:
    """Read frames.

    Raises:
        EOFError: the stream ends before they are whole.
        OSError: it cannot be read.
    """
    lengths = [_number(source) for _ in range(_number(source))]
    return [_bytes(source, length) for length in lengths]


def digest(frames: Sequence[bytes]) -> str:
    """Return the SHA-256 of frames, in hex: other frames, or the same bytes cut in other places, have another one."""
    sha = hashlib.sha256()
    for piece in _pieces(frames):
        sha.update(piece)
    return sha.hexdigest()


def _pieces(frames: Sequence[bytes]) -> Iterator[bytes]:
    yield b"".join(_LENGTH.pack(number) for number in (len(frames), *map(len, frames)))
    yield from frames


def _number(source: IO[bytes]) -> int:
    number: int = _LENGTH.unpack(_bytes(source, _LENGTH.size))[0]
    return number


def _bytes(source: IO[bytes], length: int) -> bytes:
    read = source.read(length)
    if len(read) < length:
        raise EOFError
    return read
