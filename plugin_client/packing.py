"""Bytes as compressed text, for the JSON files in the data folder."""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode

MAX_BYTES = 2**30  # that are unpacked
_QUICK = 1  # of zlib's levels: somebody waits


def pack(data: bytes) -> str:
    """Return bytes as compressed text."""
    return b64encode(zlib.compress(data, _QUICK)).decode("ascii")


def unpack(text: str, size: int) -> bytes:
    """Return what pack() packed, of `size` bytes. No more than that is unpacked.

    Raises:
        ValueError: the text is something else, or of another size.
    """
    if not 0 <= size <= MAX_BYTES:
        raise ValueError(f"{size} bytes: at most {MAX_BYTES} are unpacked")
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(b64decode(text), size + 1)
    except zlib.error as exc:
        raise ValueError(f"the packed bytes are damaged: {exc}") from exc
    if len(data) != size or not unpacker.eof:
        raise ValueError(f"the packed bytes are not {size} whole ones")
    return data
