"""Pictures from files and from Pillow: upright, 8-bit, sRGB, by what the file itself says of its samples and colours.

Pixels are read even where other data of the file is broken; what was skipped is noted.
"""

from __future__ import annotations

import io
import re
import struct
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, TiffImagePlugin

from kandinsky_backend import formats, png_files, tiff_files
from kandinsky_backend.colours import Description, Samples, description_of, image_to_srgb, samples_to_srgb
from kandinsky_backend.errors import (
    Note,
    PictureAnimated,
    PictureBroken,
    PictureError,
    PictureTooLarge,
    PictureUnsupported,
)
from kandinsky_backend.formats import BROKEN, Format

# 16384 x 8192: more than any camera of today, and 0.5 GB once decoded with alpha.
MAX_PICTURE_PIXELS = 2**27

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_file(stream: BinaryIO, name: str, note: Note) -> Image.Image:
    """The picture in a stream that can be sought, as RGB or RGBA.

    Raises:
        PictureError: one of its kinds; the text begins with `name`.
    """
    stream.seek(0)
    head = stream.read(formats.HEAD_BYTES)
    if not head:
        raise PictureBroken("{name} is empty", "empty", name=name)
    found = formats.identify(head)
    if found is None:
        return _read_without_signature(stream, name, note)
    if not found.pillow:
        raise _unread(found, name)
    try:
        return _READERS.get(found.pillow, _read_other)(stream, found, name, note)
    except PictureError:
        raise
    except Image.DecompressionBombError as exc:
        raise PictureTooLarge(
            "{name} has more than {limit} pixels: scale it down first",
            "too-large",
            name=name,
            limit=MAX_PICTURE_PIXELS,
        ) from exc
    except BROKEN as exc:
        raise PictureBroken(
            "{name} is {called}, but damaged: {reason}", "damaged", name=name, called=found.called, reason=str(exc)
        ) from exc


def _unread(found: Format, name: str) -> PictureUnsupported:
    return PictureUnsupported(
        "{name} is {called}, which cannot be read: {advice}",
        "unread-format",
        name=name,
        called=found.called,
        advice=found.advice,
    )


def from_pillow(image: Image.Image, name: str, note: Note) -> Image.Image:
    """A Pillow image as RGB or RGBA, by what its `info` says.

    Raises:
        PictureError: one of its kinds; the text begins with `name`.
    """
    _check_before_decoding(image, name)
    image.load()
    return _finished(image, name, note)


def _read_without_signature(stream: BinaryIO, name: str, note: Note) -> Image.Image:
    try:
        return _read_other(stream, formats.TGA, name, note)
    except PictureError:
        raise
    except BROKEN as exc:
        known = "PNG, JPEG, TIFF, WebP, AVIF, GIF, BMP, JPEG 2000, TGA, PPM, ICO"
        raise PictureBroken(
            "{name} is not a picture of a known format ({formats})", "unknown-format", name=name, formats=known
        ) from exc


def _opened(stream: BinaryIO, found: Format, name: str) -> Image.Image:
    """The picture by the one parser of its format, not yet decoded."""
    if found.pillow not in Image.OPEN:
        Image.init()
    if found.pillow not in Image.OPEN:  # an older Pillow
        raise PictureUnsupported(
            "{name} is {called}, which this Pillow cannot read: {advice}",
            "unread-here",
            name=name,
            called=found.called,
            advice=formats.SAVE,
        )
    stream.seek(0)
    image = Image.OPEN[found.pillow][0](stream, "")
    _check_before_decoding(image, name)
    return image


def _check_before_decoding(image: Image.Image, name: str) -> None:
    check_size(image.size, name)
    # An MPO is a camera's JPEG with a depth map or a second view behind the picture.
    check_pages(1 if image.format == "MPO" else getattr(image, "n_frames", 1), name)


def check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if width * height > MAX_PICTURE_PIXELS:
        raise PictureTooLarge(
            "{name} has {width} x {height} pixels, the limit is {limit}: scale it down first",
            "too-large",
            name=name,
            width=width,
            height=height,
            limit=MAX_PICTURE_PIXELS,
        )
    if width * height == 0:
        raise PictureBroken(
            "{name} has no pixels: it is {width} x {height}", "no-pixels", name=name, width=width, height=height
        )


def check_pages(frames: int, name: str) -> None:
    if frames > 1:
        raise PictureAnimated(
            "{name} holds {frames} frames or pages: save the one to use as a file of its own",
            "animated",
            name=name,
            frames=frames,
        )


# --- formats -----------------------------------------------------------------------------------------------------


def _read_other(stream: BinaryIO, found: Format, name: str, note: Note) -> Image.Image:
    image = _opened(stream, found, name)
    image.load()
    return _finished(image, name, note)


def _read_avif(stream: BinaryIO, found: Format, name: str, note: Note) -> Image.Image:
    image = _opened(stream, found, name)
    stream.seek(0)
    if "icc_profile" not in image.info and (nclx := _NCLX.search(stream.read(_BOXES_BYTES))):
        # Of RGB: the values have been decoded from luma and chroma, to the full range.
        image.info["cicp"] = (int.from_bytes(nclx[1], "big"), int.from_bytes(nclx[2], "big"), 0, 1)
    image.load()
    return _finished(image, name, note)


_NCLX = re.compile(rb"colrnclx(..)(..)", re.DOTALL)
_BOXES_BYTES = 2**16  # where the boxes that describe a picture stand


_END_IS_MISSING = "its end is missing, and all of its pixels are there"


def _read_jpeg_2000(stream: BinaryIO, found: Format, name: str, note: Note) -> Image.Image:
    image = _opened(stream, found, name)
    try:
        image.load()
    except OSError:
        image = _opened(_with_end(stream), found, name)
        image.load()  # fails where more than the end is missing: parts of the stream tell their lengths
        note(_END_IS_MISSING)
    if profile := _profile_of_jpeg_2000(stream):
        image.info["icc_profile"] = profile
    return _finished(image, name, note)


def _profile_of_jpeg_2000(stream: BinaryIO) -> bytes:
    """The ICC profile in the box of the colour specification; empty where there is none."""
    stream.seek(0)
    place = stream.read(_BOXES_BYTES).find(b"colr\2") - 4
    if place < 0:
        return b""
    stream.seek(place)
    (length,) = struct.unpack(">I", stream.read(4))
    return stream.read(max(0, min(length, png_files.MAX_PROFILE_BYTES) - 4))[7:]


def _read_jpeg(stream: BinaryIO, found: Format, name: str, note: Note) -> Image.Image:
    try:
        image = _opened(stream, found, name)
    except PictureError:
        raise
    except BROKEN:
        stream = _without_metadata(stream)
        image = _opened(stream, found, name)
        note("its metadata is broken and was ignored")
    try:
        image.load()
    except OSError:
        ended = _ended(stream, found, name)
        if ended is None:
            raise
        image = ended
        note(_END_IS_MISSING)
    return _finished(image, name, note)


def _without_metadata(stream: BinaryIO) -> BinaryIO:
    """A JPEG without its application segments and comments, except Adobe's, which tells how colours are coded."""
    stream.seek(0)
    data = stream.read()
    kept, place = [data[:2]], 2
    while data[place : place + 1] == b"\xff" and data[place + 1 : place + 2] != b"\xda":
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        marker = data[place + 1]
        if marker == 0xEE or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            kept.append(data[place:end])
        place = end
    return io.BytesIO(b"".join([*kept, data[place:]]))


_END_OF_IMAGE = b"\xff\xd9"
_ANYTHING = bytes(range(1, 251)) * 4


def _ended(stream: BinaryIO, found: Format, name: str) -> Image.Image | None:
    """A JPEG of which only the end mark is missing, decoded; None where pixels are missing too.

    Then what is written in place of the missing data would change the picture.
    """
    images = [_opened(_with_end(stream, more), found, name) for more in (b"", _ANYTHING)]
    return images[0] if images[0].tobytes() == images[1].tobytes() else None


def _with_end(stream: BinaryIO, more: bytes = b"") -> BinaryIO:
    """A JPEG or JPEG 2000 that lacks its end mark or a part of it, with `more` and that mark behind it."""
    stream.seek(0)
    return io.BytesIO(stream.read().rstrip(b"\xff") + more + _END_OF_IMAGE)


def _read_png(stream: BinaryIO, found: Format, name: str, note: Note) -> Image.Image:
    tidied, info = png_files.tidied(stream, note)
    image = _opened(tidied, found, name)
    image.info.update(info)
    depth, colour_type = png_files.header(tidied)
    if depth == 16:
        return _finished_samples(_png_samples(image, tidied, colour_type), image.info, _exif(image, note), note)
    if image.mode == "L" and isinstance(key := image.info.get("transparency"), int):
        image.info["transparency"] = key * 255 // (2**depth - 1)  # as Pillow scales the pixels, but not the key
    image.load()
    return _finished(image, name, note)


def _png_samples(image: Image.Image, tidied: BinaryIO, colour_type: int) -> Samples:
    """A PNG of 16 bits. Pillow keeps only the high bytes of colours, so it is asked for the low ones too."""
    key = image.info.get("transparency")
    if colour_type == png_files.GRAY:
        values = np.asarray(image).astype(np.uint16)[..., None]
    elif colour_type == png_files.GRAY_ALPHA:
        bytes_ = _png_bytes(tidied, "RGBA").astype(np.uint16)
        values = bytes_[..., ::2] * np.uint16(256) + bytes_[..., 1::2]
    else:
        mode = image.mode
        high, low = (_png_bytes(tidied, f"{mode};16{order}").astype(np.uint16) for order in "BL")
        values = high * np.uint16(256) + low
    if colour_type in (png_files.GRAY_ALPHA, png_files.RGB_ALPHA):
        return Samples(values[..., :-1], 65535.0, (values[..., -1] / 65535).astype(np.float32))
    return Samples(values, 65535.0, None if key is None else _opaque(values, key))


def _png_bytes(tidied: BinaryIO, raw_mode: str) -> npt.NDArray[np.uint8]:
    tidied.seek(0)
    image = Image.OPEN["PNG"][0](tidied, "")
    image.tile = [tile._replace(args=raw_mode) for tile in image.tile]
    return np.asarray(image)


def _opaque(values: npt.NDArray[Any], key: int | tuple[int, ...]) -> npt.NDArray[np.float32]:
    """1 where a pixel (H, W, channels) differs from the transparent one."""
    return (values != np.array(key, values.dtype)).any(axis=-1).astype(np.float32)


def _read_tiff(stream: BinaryIO, found: Format, name: str, note: Note) -> Image.Image:
    directory, exif = tiff_files.read_directory(stream)
    if tiff_files.is_raw(directory):
        raise _unread(formats.RAW, name)
    layout = tiff_files.layout_of(directory)
    info = tiff_files.description_info(directory)
    if not tiff_files.is_beyond_8_bits(layout):
        try:
            image = _opened(stream, found, name)
        except (SyntaxError, LookupError):
            pass  # a layout that Pillow does not know
        else:
            image.info.update(info)
            image.load()
            return _finished(image, name, note)
    check_size((layout.width, layout.height), name)
    check_pages(tiff_files.number_of_pages(stream, directory), name)
    return _finished_samples(tiff_files.read_samples(stream, directory, name, note), info, exif, note)


_READERS = {
    "PNG": _read_png,
    "JPEG": _read_jpeg,
    "TIFF": _read_tiff,
    "AVIF": _read_avif,
    "JPEG2000": _read_jpeg_2000,
}

# --- from pixels to sRGB -----------------------------------------------------------------------------------------


def _exif(image: Image.Image, note: Note) -> Image.Exif:
    """Its EXIF data; none, after a note, where that is broken."""
    try:
        if data := image.info.get("exif"):
            Image.Exif().load(data)  # Pillow has tried before, and says nothing a second time
        return image.getexif()
    except BROKEN as exc:
        note(f"its EXIF data is broken and was ignored ({exc})")
        return Image.Exif()


def _finished(image: Image.Image, name: str, note: Note) -> Image.Image:
    """A decoded picture, upright and in sRGB."""
    exif = _exif(image, note)
    description = description_of(image.info, exif, note)
    if image.mode.startswith("I") or image.mode == "F":
        picture = samples_to_srgb(_gray_samples(image, name, note), description, note)
    else:
        picture = _eight_bits(image, description, note)
    return _upright(picture, exif)


def _finished_samples(samples: Samples, info: dict[Any, Any], exif: Image.Exif, note: Note) -> Image.Image:
    return _upright(samples_to_srgb(samples, description_of(info, exif, note), note), exif)


def _upright(picture: Image.Image, exif: Image.Exif) -> Image.Image:
    """`picture` turned as EXIF says; without what it said of itself, which holds no more."""
    turn = _TURNS.get(exif.get(ExifTags.Base.Orientation, 1))
    turned = picture if turn is None else picture.transpose(turn)
    turned.info = {}
    return turned


def _eight_bits(image: Image.Image, description: Description | None, note: Note) -> Image.Image:
    if not image.has_transparency_data:
        return image_to_srgb(image, description, note)
    straight = image.convert({"La": "LA", "RGBa": "RGBA"}.get(image.mode, image.mode))
    rgba = straight.convert("RGBA")
    if description is None:
        return rgba
    is_gray = straight.mode in ("1", "L", "LA")
    picture = image_to_srgb(rgba.convert("RGB").convert("L") if is_gray else rgba.convert("RGB"), description, note)
    picture.putalpha(rgba.getchannel("A"))
    return picture


def _gray_samples(image: Image.Image, name: str, note: Note) -> Samples:
    """Gray of more than 8 bits, by the depth of its file where Pillow tells it."""
    values = np.asarray(image)[..., None]
    key = image.info.get("transparency")
    alpha = None if key is None else _opaque(values, key)
    layout = tiff_files.layout_of(image.tag_v2) if isinstance(image, TiffImagePlugin.TiffImageFile) else None
    if layout is not None:
        return tiff_files.gray_samples(values, layout, name, note)
    if image.mode == "F":
        return Samples(tiff_files.clean_floats(values * image.info.get("scale", 1.0), note), 1.0, alpha)
    if image.mode == "I" and image.format not in ("PNG", "PPM", "JPEG2000"):  # of which it is 16 bits
        raise PictureUnsupported(
            "{name} is of Pillow's mode I, whole numbers of which it does not say which is white: convert it to I;16, "
            "where 65535 is white, or to L, where 255 is",
            "unknown-white",
            name=name,
        )
    return Samples(values.clip(0, 65535).astype(np.uint16), 65535.0, alpha)
