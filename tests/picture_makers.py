"""Makes small picture files of every kind, byte by byte where Pillow does not write it."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

# x, y of white, red, green, blue; and the exponent of the curve
DISPLAY_P3 = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
ADOBE_RGB = (0.3127, 0.3290, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
PRO_PHOTO = (0.3457, 0.3585, 0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001)
SRGB = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
D50 = np.array([0.9642, 1.0, 0.8249])


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


# --- ICC profiles ------------------------------------------------------------------------------------------------


def matrix_profile(chromaticities: Sequence[float], curve: bytes) -> bytes:
    """A profile of version 2: three colours, one curve."""
    columns = _adapted_to_d50(chromaticities).T
    colours = {name: _xyz_tag(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)}
    return _profile(b"RGB ", b"XYZ ", {**colours, b"rTRC": curve, b"gTRC": curve, b"bTRC": curve})


def gray_profile(curve: bytes) -> bytes:
    return _profile(b"GRAY", b"XYZ ", {b"kTRC": curve})


def cmyk_profile(corners: dict[tuple[int, int, int, int], tuple[float, float, float]]) -> bytes:
    """A profile of four inks by the Lab colour of each of their 16 full overprints."""
    grid = b""
    for n in range(16):
        lightness, a, b = corners[(n >> 3 & 1, n >> 2 & 1, n >> 1 & 1, n & 1)]
        grid += bytes((round(lightness * 2.55), round(a + 128), round(b + 128)))
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + identity + bytes(range(256)) * 4 + grid + bytes(range(256)) * 3
    return _profile(b"CMYK", b"Lab ", {b"A2B0": table}, b"prtr")


def lut_profile(colours: Sequence[tuple[float, float, float]]) -> bytes:
    """A profile of RGB by the Lab colours of the cube's 8 corners, blue counting fastest."""
    grid = b"".join(bytes((round(el * 2.55), round(a + 128), round(b + 128))) for el, a, b in colours)
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"mft1" + bytes(4) + bytes((3, 3, 2, 0)) + identity + bytes(range(256)) * 3 + grid + bytes(range(256)) * 3
    return _profile(b"RGB ", b"Lab ", {b"A2B0": table})


def power(exponent: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(exponent * 256))


def table(values: Sequence[float]) -> bytes:
    return b"curv" + bytes(4) + struct.pack(f">I{len(values)}H", len(values), *(round(v * 65535) for v in values))


def parametric(kind: int, *numbers: float) -> bytes:
    packed = struct.pack(f">{len(numbers)}i", *(round(number * 65536) for number in numbers))
    return b"para" + bytes(4) + struct.pack(">HH", kind, 0) + packed


SRGB_CURVE = parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def _profile(space: bytes, connection: bytes, tags: dict[bytes, bytes], kind: bytes = b"mntr") -> bytes:
    text = b"made in a test"
    described = b"desc" + bytes(4) + struct.pack(">I", len(text) + 1) + text + bytes(1 + 8 + 3 + 67)
    tags = {b"desc": described, b"cprt": b"text" + bytes(4) + text + b"\0", b"wtpt": _xyz_tag(D50), **tags}
    entries, data = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, tag in tags.items():
        entries += struct.pack(">4sII", name, start + len(data), len(tag))
        data += tag + bytes(-len(tag) % 4)
    size = start + len(data)
    head = struct.pack(">I4sI4s4s4s", size, b"test", 0x02400000, kind, space, connection) + bytes(12) + b"acsp"
    head += bytes(28) + struct.pack(">3i", *(round(v * 65536) for v in D50))
    return head.ljust(128, b"\0") + entries + data


def _xyz_tag(values: Any) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(float(value) * 65536) for value in values))


def _adapted_to_d50(chromaticities: Sequence[float]) -> Any:
    white, *primaries = ([x / y, 1.0, (1 - x - y) / y] for x, y in zip(*[iter(chromaticities)] * 2, strict=True))
    columns = np.array(primaries).T
    to_xyz = columns * np.linalg.solve(columns, white)
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    scale = np.diag((bradford @ D50) / (bradford @ np.array(white)))
    return np.linalg.inv(bradford) @ scale @ bradford @ to_xyz


# --- PNG ---------------------------------------------------------------------------------------------------------


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(values: Any, *chunks: bytes, depth: int = 8, after: bytes = b"") -> bytes:
    """A PNG of (H, W, channels) with chunks before its pixels, and bytes behind them."""
    values = np.asarray(values)
    height, width, channels = values.shape
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = values.astype(">u2" if depth == 16 else "u1").reshape(height, -1)
    data = b"".join(b"\0" + (_packed(row, depth) if depth < 8 else row.tobytes()) for row in rows)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(data))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + pixels + after + chunk(b"IEND", b"")


def _packed(row: Any, depth: int) -> bytes:
    bits = (row[:, None] >> np.arange(depth)[::-1] & 1).astype(np.uint8)
    return bytes(np.packbits(bits.ravel()))


def gamma_chunk(gamma: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(gamma * 100_000)))


def chromaticity_chunk(chromaticities: Sequence[float]) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in chromaticities)))


def profile_chunk(profile: bytes) -> bytes:
    return chunk(b"iCCP", b"a profile\0\0" + zlib.compress(profile))


# --- TIFF --------------------------------------------------------------------------------------------------------

SHORT, LONG, RATIONAL = 3, 4, 5


def tiff(strips: Sequence[bytes], tags: dict[int, Sequence[int]], order: str = "<", **rationals: Any) -> bytes:
    """A TIFF of these strips (or tiles, where tags say so) and tags; their places are filled in."""
    head = struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 8)
    is_tiled = 322 in tags
    everything = {**tags, **{int(name[1:]): value for name, value in rationals.items()}}
    everything |= {324 if is_tiled else 273: [0] * len(strips), 325 if is_tiled else 279: [len(s) for s in strips]}
    start = 8 + 2 + 12 * len(everything) + 4

    def written(offsets: Sequence[int]) -> bytes:
        everything[324 if is_tiled else 273] = offsets
        entries, beyond = b"", b""
        for tag, values in sorted(everything.items()):
            packed, kind, count = _tiff_values(values, order)
            if len(packed) > 4:
                packed, beyond = struct.pack(f"{order}I", start + len(beyond)), beyond + packed
            entries += struct.pack(f"{order}HHI", tag, kind, count) + packed.ljust(4, b"\0")
        return struct.pack(f"{order}H", len(everything)) + entries + bytes(4) + beyond

    first = 8 + len(written([0] * len(strips)))
    places = [first + sum(map(len, strips[:n])) for n in range(len(strips))]
    return head + written(places) + b"".join(strips)


def _tiff_values(values: Any, order: str) -> tuple[bytes, int, int]:
    if isinstance(values, bytes):
        return values, 7, len(values)
    if any(isinstance(value, float) for value in values):
        pairs = [part for value in values for part in (round(value * 10_000), 10_000)]
        return struct.pack(f"{order}{len(pairs)}I", *pairs), RATIONAL, len(values)
    return struct.pack(f"{order}{len(values)}I", *values), LONG, len(values)


def tiff_of(values: Any, order: str = "<", photometric: int | None = None, **tags: Any) -> bytes:
    """A TIFF of (H, W, samples) in one strip, of the array's own type; more tags as t338=[2]."""
    values = np.asarray(values)
    height, width, samples = values.shape
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    own: dict[int, Sequence[int]] = {
        256: [width],
        257: [height],
        258: [values.dtype.itemsize * 8] * samples,
        259: [1],
        262: [photometric if photometric is not None else 2 if samples >= 3 else 1],
        277: [samples],
        278: [height],
        339: [kind] * samples,
    }
    data = values.astype(values.dtype.newbyteorder(order)).tobytes()
    return tiff([data], own | {int(name[1:]): value for name, value in tags.items()}, order)
