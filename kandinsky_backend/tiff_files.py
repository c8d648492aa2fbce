"""TIFF files of more than 8 bits a sample, and of layouts that Pillow does not know, by the file's own description.

Pillow unpacks the strips or tiles of such a file as if they were 8-bit gray, byte for byte, whatever packs them; what
the bytes mean is decided here: whole numbers or floats, of which depth, with black or white as 0, gray or RGB, alpha
beside or inside the colours.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, TiffImagePlugin

from kandinsky_backend.colours import Samples
from kandinsky_backend.errors import Note, PictureTooLarge, PictureUnsupported

Directory = TiffImagePlugin.ImageFileDirectory_v2

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 256, 257, 258, 259, 262, 266
_STRIPS = (273, 279)  # where each strip or tile begins, and its bytes
_TILES = (324, 325)
_SAMPLES, _ROWS_PER_STRIP, _PLANAR, _PREDICTOR = 277, 278, 284, 317
_TILE_WIDTH, _TILE_HEIGHT, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 322, 323, 338, 339
_SUBFILE, _SUB_DIRECTORIES, _DNG_VERSION = 254, 330, 50706
_WHITE_POINT, _PRIMARIES, _ICC_PROFILE = 318, 319, 34675
_MANY_PAGES = 100
MAX_SAMPLE_BYTES = 2**31

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2
_UNSIGNED, _SIGNED, _FLOAT, _UNTYPED = 1, 2, 3, 4
_UNSPECIFIED, _ASSOCIATED, _UNASSOCIATED = 0, 1, 2  # of a sample beside the colours
_BYTE_PACKERS = (1, 5, 8, 32773, 32946, 34925, 50000)  # compressions that know bytes, not pixels
_PHOTOMETRIC_NAMES = {_RGB: "RGB", _BLACK_IS_ZERO: "gray", _WHITE_IS_ZERO: "gray", 3: "palette", 5: "CMYK", 8: "Lab"}


@dataclass(frozen=True)
class Layout:
    """Layout of the samples of a TIFF picture in its file."""

    width: int
    height: int
    bits: tuple[int, ...]  # of each sample of a pixel
    formats: tuple[int, ...]  # of the samples
    photometric: int
    compression: int
    predictor: int
    is_planar: bool
    extras: tuple[int, ...]  # what the samples beside the colours are
    byte_order: str  # "<" or ">"

    @property
    def kind(self) -> str:
        """For a person: what kind of TIFF it is."""
        called = _PHOTOMETRIC_NAMES.get(self.photometric, f"photometric {self.photometric}")
        numbers = {_FLOAT: "float ", _SIGNED: "signed "}.get(self.formats[0], "")
        depth = "/".join(str(bits) for bits in dict.fromkeys(self.bits))
        return f"{called}, {len(self.bits)} {numbers}samples of {depth} bits, compression {self.compression}"


def read_directory(stream: BinaryIO) -> tuple[Directory, Image.Exif]:
    """The tags of the first picture in a TIFF file, also as EXIF; `next` of them is where another follows, or 0.

    Raises:
        ValueError, or one of Pillow's errors: they cannot be read.
    """
    stream.seek(0)
    head = stream.read(8)
    is_big = b"+" in head[2:4]
    directory = Directory(head + stream.read(8) if is_big else head)
    exif = Image.Exif()
    exif.endian, exif.bigtiff = ("<" if directory.prefix == b"II" else ">"), is_big
    start = directory.next
    stream.seek(start)
    directory.load(stream)
    exif.load_from_fp(stream, start)
    return directory, exif


def description_info(directory: Directory) -> dict[str, Any]:
    """The colours that the tags declare, under the names of Pillow's image.info."""
    info: dict[str, Any] = {}
    if profile := directory.get(_ICC_PROFILE):
        info["icc_profile"] = profile
    white, primaries = directory.get(_WHITE_POINT, ()), directory.get(_PRIMARIES, ())
    if len(white) == 2 and len(primaries) == 6:
        info["chromaticity"] = tuple(map(float, (*white, *primaries)))
    return info


def number_of_pages(stream: BinaryIO, directory: Directory) -> int:
    """Number of pictures in a file, as far as it is worth counting."""
    pages, start = 1, directory.next
    while start and pages < _MANY_PAGES:
        page = Directory(prefix=directory.prefix)
        stream.seek(start)
        page.load(stream)
        pages, start = pages + 1, page.next
    return pages


def is_raw(directory: Directory) -> bool:
    """Whether the file is a camera's raw file, of which the first picture is only a small preview."""
    is_preview = directory.get(_SUBFILE, 0) == 1 and _SUB_DIRECTORIES in directory
    return is_preview or _DNG_VERSION in directory


def layout_of(directory: Directory) -> Layout:
    """Read the layout of the samples.

    Raises:
        ValueError: a tag that must be there is not.
    """
    samples = int(directory.get(_SAMPLES, 1))
    width, height = directory.get(_WIDTH), directory.get(_HEIGHT)
    if not isinstance(width, int) or not isinstance(height, int) or not 0 < samples <= 64:
        raise ValueError("its size or number of samples is missing")
    return Layout(
        width=width,
        height=height,
        bits=_each(directory, _BITS, 1, samples),
        formats=_each(directory, _SAMPLE_FORMAT, _UNSIGNED, samples),
        photometric=int(directory.get(_PHOTOMETRIC, _WHITE_IS_ZERO)),
        compression=int(directory.get(_COMPRESSION, 1)),
        predictor=int(directory.get(_PREDICTOR, 1)),
        is_planar=directory.get(_PLANAR, 1) == 2,
        extras=tuple(directory.get(_EXTRA_SAMPLES, ())),
        byte_order="<" if directory.prefix == b"II" else ">",
    )


def _each(directory: Directory, tag: int, default: int, samples: int) -> tuple[int, ...]:
    """The value of each sample; one for all is allowed."""
    values = directory.get(tag, (default,))
    values = tuple(values) if isinstance(values, tuple) else (values,)
    return (values * samples if len(values) == 1 else values)[:samples]


def is_beyond_8_bits(layout: Layout) -> bool:
    """Whether the samples are more than Pillow's 8 bits, or no plain whole numbers, of gray or RGB."""
    numbers = max(layout.bits) > 8 or set(layout.formats) & {_SIGNED, _FLOAT}
    return bool(numbers) and layout.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB)


def read_samples(stream: BinaryIO, directory: Directory, name: str, note: Note) -> Samples:
    """The first picture as samples of gray or RGB, black being 0; `name` is for the errors.

    Raises:
        PictureUnsupported: it is of a kind that is not read; the text says of which.
        PictureTooLarge: its samples are too many to hold.
        ValueError, or one of Pillow's errors: it is damaged.
    """
    layout = layout_of(directory)
    _check(layout, name)
    return _samples(_values(stream, directory, layout), layout, note)


def gray_samples(values: npt.NDArray[Any], layout: Layout, name: str, note: Note) -> Samples:
    """Gray (H, W, 1) that Pillow has read from a TIFF file as "I;16", "I" or "F", which leaves the values as they are.

    Raises:
        PictureUnsupported: as of read_samples.
    """
    _check(layout, name)
    if values.dtype == np.int32:
        values = values.view(np.uint32)
    return _samples(values, layout, note)


def _samples(values: npt.NDArray[Any], layout: Layout, note: Note) -> Samples:
    """Values (H, W, samples) as they stand in a file, as colours and alpha."""
    white = 1.0 if layout.formats[0] == _FLOAT else float(2 ** layout.bits[0] - 1)
    number = 3 if layout.photometric == _RGB else 1
    colours, alpha = values[..., :number], _alpha(layout, values, number, white)
    if layout.formats[0] == _FLOAT:
        colours = clean_floats(colours, note)
    if layout.photometric == _WHITE_IS_ZERO:
        colours = np.array(white, colours.dtype) - colours
    if alpha is not None and layout.extras[:1] == (_ASSOCIATED,):
        return Samples(colours / np.maximum(alpha, 1e-6)[..., None] / white, 1.0, alpha)
    return Samples(colours, white, alpha)


def _check(layout: Layout, name: str) -> None:
    if layout.width * layout.height * sum(layout.bits) > 8 * MAX_SAMPLE_BYTES:
        raise PictureTooLarge(
            "{name} has more than {limit} MB of samples: scale it down first",
            "many-samples",
            name=name,
            limit=MAX_SAMPLE_BYTES >> 20,
        )
    if _SIGNED in layout.formats:
        raise PictureUnsupported(
            "{name} is a TIFF picture of signed whole numbers ({kind}), of which it does not say which is black: "
            "save it with unsigned ones",
            "signed-samples",
            name=name,
            kind=layout.kind,
        )
    number = 3 if layout.photometric == _RGB else 1
    bits = layout.bits[0]
    depths = (16, 32, 64) if layout.formats[0] == _FLOAT else (*range(1, 25), 32)
    is_known = (
        layout.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB)
        and layout.compression in _BYTE_PACKERS
        and len(set(layout.bits)) == len(set(layout.formats)) == 1
        and layout.formats[0] in (_UNSIGNED, _FLOAT, _UNTYPED)
        and number <= len(layout.bits) <= 8
        and bits in depths
        and layout.predictor in ((1, 3) if layout.formats[0] == _FLOAT else (1, 2))
        and (layout.predictor == 1 or bits % 8 == 0)
    )
    if not is_known:
        raise PictureUnsupported(
            "{name} is a TIFF picture of a kind that is not read ({kind}): save it as RGB of 8 or 16 bits, packed by "
            "LZW or Deflate or not at all",
            "unread-kind",
            name=name,
            kind=layout.kind,
        )


def _alpha(layout: Layout, values: npt.NDArray[Any], number: int, white: float) -> npt.NDArray[np.float32] | None:
    """The sample that says how opaque a pixel is, in 0..1. One that the file does not describe is that too."""
    extras = layout.extras or (_UNASSOCIATED,)
    if values.shape[-1] == number or extras[0] not in (_ASSOCIATED, _UNASSOCIATED):
        return None
    alpha: npt.NDArray[np.float32] = np.nan_to_num(values[..., number] / white, nan=0.0).astype(np.float32).clip(0, 1)
    return alpha


def clean_floats(values: npt.NDArray[Any], note: Note) -> npt.NDArray[Any]:
    """Floats without what is not a number, which is black; there is a note of any above 1.0, which is white."""
    numbers = np.nan_to_num(values, nan=0.0, posinf=np.inf, neginf=-np.inf)
    if (largest := float(numbers.max(initial=0.0))) > 1.0:
        note(f"its values reach {largest:.4g}: what is above 1.0 became white")
    return numbers


# --- bytes -------------------------------------------------------------------------------------------------------


def _values(stream: BinaryIO, directory: Directory, layout: Layout) -> npt.NDArray[Any]:
    """(H, W, samples) in the file's own type; whole numbers of odd depths as the next larger."""
    if not layout.is_planar:
        return _plane(stream, directory, layout, len(layout.bits), slice(None))
    keys = _TILES if _TILES[0] in directory else _STRIPS
    parts = len(_tuple(directory[keys[0]])) // len(layout.bits)
    planes = [_plane(stream, directory, layout, 1, slice(n * parts, (n + 1) * parts)) for n in range(len(layout.bits))]
    return np.concatenate(planes, axis=2)


def _plane(stream: BinaryIO, directory: Directory, layout: Layout, samples: int, parts: slice) -> npt.NDArray[Any]:
    """(H, W, samples) of the strips or tiles `parts`."""
    row_bytes = (layout.width * samples * layout.bits[0] + 7) // 8
    segment = layout.width
    changes: dict[int, Sequence[int]] = {_WIDTH: [row_bytes]}
    if _TILE_WIDTH in directory:
        segment = int(directory[_TILE_WIDTH])
        changes[_TILE_WIDTH] = [segment * samples * layout.bits[0] // 8]
    data = _bytes(stream, directory, changes, parts)
    rows = np.asarray(data)
    if layout.predictor == 3:
        rows = _without_float_predictor(rows, segment * samples, samples, layout.bits[0] // 8)
        return _typed(rows, layout, samples, ">")
    values = _typed(rows, layout, samples, layout.byte_order)
    if layout.predictor == 2:
        for left in range(0, layout.width, segment):
            part = values[:, left : left + segment]
            np.cumsum(part, axis=1, dtype=part.dtype, out=part)
    return values


def _bytes(stream: BinaryIO, directory: Directory, changes: dict[int, Sequence[int]], parts: slice) -> Image.Image:
    """The packed bytes of the picture, row by row, as 8-bit gray."""
    tags: dict[int, Sequence[int]] = {_BITS: [8], _PHOTOMETRIC: [_BLACK_IS_ZERO], _SAMPLES: [1], **changes}
    for tag in (_HEIGHT, _COMPRESSION, _FILL_ORDER, _ROWS_PER_STRIP, _TILE_HEIGHT):
        if tag in directory:
            tags[tag] = [int(directory[tag])]
    for tag in (*_STRIPS, *_TILES):
        if tag in directory:
            tags[tag] = _tuple(directory[tag])[parts]
    tags[_ROWS_PER_STRIP] = [min(tags.get(_ROWS_PER_STRIP, [2**31])[0], int(directory[_HEIGHT]))]
    stream.seek(0)
    data = stream.read()
    places, lengths = _TILES if _TILES[0] in tags else _STRIPS
    ends = [place + length for place, length in zip(tags[places], tags[lengths], strict=True)]
    if max(ends, default=0) > len(data):
        raise ValueError(f"the file ends {max(ends) - len(data)} bytes early")
    with TiffImagePlugin.TiffImageFile(io.BytesIO(_rewritten(data, tags))) as image:
        image.load()
        return image.copy()


def _rewritten(data: bytes, tags: dict[int, Sequence[int]]) -> bytes:
    """A TIFF file with these tags, all of them whole numbers, for the strips or tiles that stand in `data`."""
    start = len(data) + len(data) % 2
    beyond = start + 2 + 12 * len(tags) + 4
    entries, more = b"", b""
    for tag, values in sorted(tags.items()):
        packed = struct.pack(f"<{len(values)}I", *values)
        if len(packed) > 4:
            packed, more = struct.pack("<I", beyond + len(more)), more + packed
        entries += struct.pack("<HHI", tag, 4, len(values)) + packed
    directory = struct.pack("<H", len(tags)) + entries + bytes(4) + more
    return struct.pack("<2sHI", b"II", 42, start) + data[8:] + bytes(len(data) % 2) + directory


def _tuple(value: Any) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, tuple) else (value,)


def _typed(rows: npt.NDArray[np.uint8], layout: Layout, samples: int, byte_order: str) -> npt.NDArray[Any]:
    """Rows of bytes (H, bytes) as (H, W, samples) of this machine's byte order."""
    bits, shape = layout.bits[0], (layout.height, layout.width, samples)
    letter = "f" if layout.formats[0] == _FLOAT else "u"
    if bits in (8, 16, 32, 64):
        values = np.ascontiguousarray(rows).view(f"{byte_order}{letter}{bits // 8}")
        return values.astype(values.dtype.newbyteorder("="), copy=True).reshape(shape)
    number = layout.width * samples
    out = np.empty((layout.height, number), np.uint32)
    weights = (1 << np.arange(bits, dtype=np.uint32))[::-1]
    for y in range(layout.height):
        out[y] = np.unpackbits(rows[y])[: number * bits].reshape(number, bits) @ weights
    return out.astype(np.uint16 if bits <= 16 else np.uint32).reshape(shape)


def _without_float_predictor(
    rows: npt.NDArray[np.uint8], segment: int, samples: int, size: int
) -> npt.NDArray[np.uint8]:
    """Rows of differences between bytes, sorted by significance, as rows of big-endian floats.

    Args:
        segment: how many floats were sorted together: those of a row of a strip or tile.
    """
    out = np.empty_like(rows)
    for left in range(0, rows.shape[1], segment * size):
        part = rows[:, left : left + segment * size]
        summed = np.cumsum(part.reshape(len(part), -1, samples), axis=1, dtype=np.uint8).reshape(len(part), size, -1)
        out[:, left : left + segment * size] = summed.transpose(0, 2, 1).reshape(len(part), -1)
    return out
