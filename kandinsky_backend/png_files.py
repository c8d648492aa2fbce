"""PNG files by their chunks: what describes colour, the texts, and a copy without what must not stand in the way.

Pillow refuses a whole picture for one damaged or large chunk beside its pixels; here each chunk is looked at alone.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from kandinsky_backend.errors import Note

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_PROFILE_BYTES = 16 * 2**20
# Of all texts together: a file of a few kB may hold texts of gigabytes.
MAX_TEXT_BYTES = 64 * 2**20
_PILLOW_TEXT_BYTES = 2**20  # of one text: Pillow reads no larger one
GRAY, GRAY_ALPHA, RGB_ALPHA = 0, 4, 6  # types of colours
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
# What pixels and orientation need; everything else is read here or by nobody.
_ANCILLARY_FOR_PILLOW = (b"tRNS", b"acTL", b"fcTL", b"fdAT", b"eXIf")
_TEXTS_FOR_PILLOW = (b"Raw profile type exif", b"XML:com.adobe.xmp")


@dataclass(frozen=True)
class Chunk:
    kind: bytes
    data: bytes
    checksum: bytes  # shorter than 4 bytes where the file ends too early

    @property
    def is_ancillary(self) -> bool:
        """Whether a picture can be shown without it."""
        return bool(self.kind[0] & 0x20)

    @property
    def is_whole(self) -> bool:
        """Whether its checksum is right."""
        return self.checksum == struct.pack(">I", zlib.crc32(self.data, zlib.crc32(self.kind)))

    @property
    def encoded(self) -> bytes:
        """As it stands in a file."""
        return struct.pack(">I", len(self.data)) + self.kind + self.data + self.checksum


def chunks(stream: BinaryIO) -> Iterator[Chunk]:
    """The chunks of a PNG file up to its end or to where its structure breaks; the last may be cut short."""
    stream.seek(len(SIGNATURE))
    while len(head := stream.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if not kind.isalpha() or not kind.isascii():
            return
        yield Chunk(kind, stream.read(length), stream.read(4))
        if kind == b"IEND":
            return


def header(stream: BinaryIO) -> tuple[int, int]:
    """The bits of a sample, and the type of the colours, of a PNG file."""
    stream.seek(24)
    depth, colour_type = stream.read(2)
    return depth, colour_type


def is_whole(stream: BinaryIO) -> bool:
    """Whether a file is a PNG that has all its chunks."""
    stream.seek(0)
    if stream.read(len(SIGNATURE)) != SIGNATURE:
        return False
    return any(chunk.kind == b"IEND" for chunk in chunks(stream))


def text(stream: BinaryIO, key: str) -> str | None:
    """The text under `key` in a PNG file; None where there is none that is whole and not too large."""
    wanted = key.encode("latin-1")
    budget = _Budget(MAX_TEXT_BYTES)
    for chunk in chunks(stream):
        if chunk.kind in _TEXTS and chunk.is_whole and _keyword(chunk) == wanted:
            content = _text_of(chunk, budget.left)
            if content is not None:
                return content.decode("latin-1" if chunk.kind != b"iTXt" else "utf-8", "replace")
    return None


def tidied(stream: BinaryIO, note: Note) -> tuple[BinaryIO, dict[str, Any]]:
    """A copy that Pillow can read, and what the file says of its colours, under the names of Pillow's image.info.

    There is a note of each chunk that was skipped though it ought to be read.
    """
    kept: list[bytes] = [SIGNATURE]
    info: dict[str, Any] = {}
    budget = _Budget(MAX_TEXT_BYTES)
    for chunk in chunks(stream):
        if not chunk.is_ancillary:
            kept.append(chunk.encoded)
        elif not chunk.is_whole:
            note(f"its {chunk.kind.decode()} data is damaged and was skipped")
        elif chunk.kind in _TEXTS:
            kept += _kept_text(chunk, budget, note)
        elif chunk.kind in _COLOURS:
            info |= _described(chunk, note)
        elif chunk.kind in _ANCILLARY_FOR_PILLOW:
            kept.append(chunk.encoded)
    return io.BytesIO(b"".join(kept)), info


# --- colours -----------------------------------------------------------------------------------------------------


def _described(chunk: Chunk, note: Note) -> dict[str, Any]:
    try:
        return _COLOURS[chunk.kind](chunk.data)
    except (struct.error, ValueError, zlib.error) as exc:
        note(f"its {chunk.kind.decode()} data is broken and was ignored ({exc})")
        return {}


def _iccp(data: bytes) -> dict[str, Any]:
    _, _, rest = data.partition(b"\0")
    profile = _inflated(rest[1:], MAX_PROFILE_BYTES)
    if profile is None:
        raise ValueError(f"the colour profile has more than {MAX_PROFILE_BYTES >> 20} MB")
    return {"icc_profile": profile}


def _cicp(data: bytes) -> dict[str, Any]:
    primaries, transfer, matrix, full_range = struct.unpack(">4B", data)
    if matrix != 0:
        raise ValueError(f"{matrix} is no matrix of RGB")
    return {"cicp": (primaries, transfer, matrix, full_range)}


def _chrm(data: bytes) -> dict[str, Any]:
    return {"chromaticity": tuple(value / 100_000 for value in struct.unpack(">8I", data))}


_COLOURS: dict[bytes, Callable[[bytes], dict[str, Any]]] = {
    b"iCCP": _iccp,
    b"cICP": _cicp,
    b"cHRM": _chrm,
    b"gAMA": lambda data: {"gamma": struct.unpack(">I", data)[0] / 100_000},
    b"sRGB": lambda data: {"srgb": struct.unpack(">B", data)[0]},
}

# --- texts -------------------------------------------------------------------------------------------------------


@dataclass
class _Budget:
    """Number of bytes of text that may still be unpacked."""

    left: int


def _kept_text(chunk: Chunk, budget: _Budget, note: Note) -> list[bytes]:
    content = _text_of(chunk, min(_PILLOW_TEXT_BYTES, budget.left))
    if content is None:
        note(f"a text in it is broken or longer than {_PILLOW_TEXT_BYTES >> 20} MB and was skipped")
        return []
    budget.left -= len(content)
    return [chunk.encoded] if _keyword(chunk) in _TEXTS_FOR_PILLOW else []


def _keyword(chunk: Chunk) -> bytes:
    return chunk.data.partition(b"\0")[0]


def _text_of(chunk: Chunk, limit: int) -> bytes | None:
    """The text of a text chunk; None where it is broken or has more than `limit` bytes."""
    _, _, rest = chunk.data.partition(b"\0")
    is_packed = chunk.kind == b"zTXt"
    if chunk.kind == b"iTXt":
        is_packed, rest = rest[:1] == b"\1", rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    elif is_packed:
        rest = rest[1:]
    if not is_packed:
        return rest if len(rest) <= limit else None
    try:
        return _inflated(rest, limit)
    except zlib.error:
        return None


def _inflated(data: bytes, limit: int) -> bytes | None:
    """Unpack what zlib has packed, a text or a profile; None where it has more than `limit` bytes.

    Raises:
        zlib.error: it is broken.
    """
    unpacker = zlib.decompressobj()
    content = unpacker.decompress(data, limit + 1)
    if len(content) > limit:
        return None
    if not unpacker.eof:
        raise zlib.error("the packed data ends too early")
    return content
