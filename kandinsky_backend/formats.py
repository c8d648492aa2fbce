"""Picture formats by their first bytes, whatever a file is called.

No one format's parser sees the bytes of another: each of Pillow's parsers is open to hostile bytes.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

# Pillow's decoders let the errors of their own parsing out on broken files.
BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    OverflowError,
    AttributeError,
    RuntimeError,  # and NotImplementedError
    struct.error,
    zlib.error,
)

HEAD_BYTES = 4096  # enough for every signature below


@dataclass(frozen=True)
class Format:
    """A format: how it is called, Pillow's name of it where it is read, and what to do where it is not."""

    called: str  # with its article: "a PNG picture"
    pillow: str = ""
    advice: str = ""


SAVE = "save it as PNG, TIFF or JPEG and give that"
_DEVELOP = "develop it in a raw converter, save that as TIFF, PNG or JPEG and give it"
_RASTER = "export it as PNG in the size that you want and give that"
_FRAME = "save the frame to use as PNG or JPEG and give that"
_UNPACK = "unpack it and give the picture that it holds"

RAW = Format("a camera's raw file", advice=_DEVELOP)

PNG = Format("a PNG picture", "PNG")
JPEG = Format("a JPEG picture", "JPEG")
TIFF = Format("a TIFF picture", "TIFF")
TGA = Format("a TGA picture", "TGA")  # has no signature
AVIF = Format("an AVIF picture", "AVIF")
JPEG2000 = Format("a JPEG 2000 picture", "JPEG2000")

# Read are the formats of artists and cameras. Left out are those that Pillow decodes by running another program (EPS)
# and those that nobody sends on purpose. JPEG covers the MPO of cameras.
_SIGNATURES: tuple[tuple[int, bytes, Format], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", PNG),
    (0, b"\x89PNG", PNG),  # mangled by a transfer as text: damaged, but no other format
    (0, b"\xff\xd8\xff", JPEG),
    (0, b"GIF87a", Format("a GIF picture", "GIF")),
    (0, b"GIF89a", Format("a GIF picture", "GIF")),
    (0, b"BM", Format("a BMP picture", "BMP")),
    (0, b"\0\0\1\0", Format("an icon", "ICO")),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", JPEG2000),
    (0, b"\xff\x4f\xff\x51", JPEG2000),
    *((0, b"P%d" % n, Format("a PPM, PGM or PBM picture", "PPM")) for n in range(1, 7)),
    (0, b"Pf", Format("a PFM picture", "PPM")),
    (0, b"PF", Format("a PFM picture in colour", advice="save it as a float TIFF and give that")),
    (0, b"P7", Format("a PAM picture", advice=SAVE)),
    (8, b"CR\2", RAW),
    (0, b"IIU\0", RAW),
    (0, b"IIRO", RAW),
    (0, b"IIRS", RAW),
    (0, b"MMOR", RAW),
    (0, b"FUJIFILMCCD-RAW", RAW),
    (0, b"FOVb", RAW),
    (0, b"\0MRM", RAW),
    *((0, mark, TIFF) for mark in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"MM*\0", b"II\0*")),
    (0, b"II\xbc", Format("a JPEG XR picture", advice=SAVE)),
    (0, b"8BPS", Format("a Photoshop document", advice=SAVE)),
    (0, b"gimp xcf", Format("a GIMP document", advice="export it as PNG and give that")),
    (0, b"\xff\x0a", Format("a JPEG XL picture", advice=SAVE)),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", Format("a JPEG XL picture", advice=SAVE)),
    (0, b"qoif", Format("a QOI picture", advice=SAVE)),
    (0, b"v/1\1", Format("an OpenEXR picture", advice="save it as a float TIFF and give that")),
    (0, b"#?RADIANCE", Format("a Radiance HDR picture", advice="save it as a float TIFF and give that")),
    (0, b"#?RGBE", Format("a Radiance HDR picture", advice="save it as a float TIFF and give that")),
    (0, b"DDS ", Format("a DDS texture", advice=SAVE)),
    (0, b"farbfeld", Format("a farbfeld picture", advice=SAVE)),
    (0, b"AT&TFORM", Format("a DjVu document", advice=_RASTER)),
    (0, b"%PDF", Format("a PDF document", advice=_RASTER)),
    (0, b"%!PS", Format("a PostScript document", advice=_RASTER)),
    (0, b"\xc5\xd0\xd3\xc6", Format("a PostScript document", advice=_RASTER)),
    (0, b"\xd7\xcd\xc6\x9a", Format("a Windows metafile", advice=_RASTER)),
    (0, b"\x1aE\xdf\xa3", Format("a film", advice=_FRAME)),
    (38, b"application/x-krita", Format("a Krita document", advice=SAVE)),
    (38, b"image/openraster", Format("an OpenRaster document", advice=SAVE)),
    (0, b"PK\3\4", Format("a ZIP archive", advice=_UNPACK)),  # that of no document above
    (0, b"\x1f\x8b", Format("a file that gzip compressed", advice=_UNPACK)),
    (
        0,
        b"version https://git-lfs.github.com/",
        Format("what Git LFS leaves in a picture's place", advice="run git lfs pull for the picture itself"),
    ),
    *((0, b"\n%c\1" % n, Format("a PCX picture", advice=SAVE)) for n in (0, 2, 3, 5)),
)

_HEIC = Format("a HEIC picture", advice="save it as PNG or JPEG and give that")
_FILM = Format("a film", advice=_FRAME)
_BRANDS = {  # of ISO base media files, at byte 8
    **dict.fromkeys((b"avif", b"avis"), AVIF),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), _HEIC),
    b"crx ": RAW,
    b"jp2 ": JPEG2000,
}


def identify(head: bytes) -> Format | None:
    """The format whose signature stands at the beginning of a file; None where none does."""
    for place, mark, found in _SIGNATURES:
        if head.startswith(mark, place):
            return found
    if head.startswith(b"RIFF"):
        return _FILM if head[8:12] != b"WEBP" else Format("a WebP picture", "WEBP")
    if head.startswith(b"ftyp", 4):
        return _iso_media(head)
    if b"<svg" in head:
        return Format("an SVG drawing", advice=_RASTER)
    if head.lstrip()[:14].lower() in (b"<!doctype html",) or head.lstrip()[:5].lower() == b"<html":
        return Format("a web page", advice="save the picture that it shows and give that")
    return None


def _iso_media(head: bytes) -> Format:
    """A picture or film in an ISO base media file, by its main brand or else by the others that it names."""
    length = int.from_bytes(head[:4], "big")
    brands = [head[8:12], *(head[n : n + 4] for n in range(16, min(length, len(head)), 4))]
    return next((_BRANDS[brand] for brand in brands if brand in _BRANDS), _FILM)
