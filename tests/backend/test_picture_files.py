"""Files as they come: good pixels beside bad data, names that lie, and what is said of files that are not read."""

from __future__ import annotations

import errno
import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kandinsky_backend import png_files
from kandinsky_backend.errors import PictureBroken, PictureError, PictureNotFound, PictureUnsupported, PictureWarning
from kandinsky_backend.images import open_picture
from tests.golden.clip_pictures import picture
from tests.picture_makers import chunk, encoded, lut_profile, matrix_profile, png, power, profile_chunk
from tests.refusals import refused

RED = (200, 30, 40)
PIXELS = [[RED] * 3] * 2


def opened(data: bytes) -> Image.Image:
    return open_picture(io.BytesIO(data))


def with_wrong_checksum(whole: bytes) -> bytes:
    return whole[:-4] + b"oops"


# --- gray that Pillow reads --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "gray"),
    [
        (b"P5 1 1 4095 " + struct.pack(">H", 2048), 128),
        (b"P5 1 1 65535 " + struct.pack(">H", 77 * 257), 77),
        (b"P2 1 1 1000 500 ", 128),
        (b"P5 1 1 1000 " + struct.pack(">H", 500), 128),
        (b"Pf 1 1 -1.0\n" + struct.pack("<f", 0.5), 128),
        (b"Pf 1 1 -2.0\n" + struct.pack("<f", 0.25), 128),
        (encoded(Image.new("I;16", (8, 8), 77 * 257), "JPEG2000"), 77),
        (png([[(3 * 257,), (77 * 257,)]], depth=16), 3),
    ],
    ids=[
        "12-bit PGM",
        "16-bit PGM",
        "PGM of 1000 in words",
        "PGM of 1000",
        "PFM",
        "PFM with a scale",
        "16-bit JPEG 2000",
        "16-bit PNG",
    ],
)
def test_gray_is_scaled_by_what_the_file_says(data: bytes, gray: int) -> None:
    assert opened(data).getpixel((0, 0)) == (gray,) * 3


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_gray_with_a_transparent_key_keeps_the_rest(depth: int) -> None:
    white = 2**depth - 1
    found = opened(png([[(0,), (white,)]], chunk(b"tRNS", struct.pack(">H", white)), depth=depth))
    assert [found.getpixel((x, 0)) for x in (0, 1)] == [(0, 0, 0, 255), (255, 255, 255, 0)]


def test_a_transparent_colour_of_16_bits_is_that_colour_and_no_near_one() -> None:
    key, near = (0x1234, 0x5678, 0x9ABC), (0x1234, 0x5678, 0x9ABD)
    found = opened(png([[key, near]], chunk(b"tRNS", struct.pack(">3H", *key)), depth=16))
    assert [found.getpixel((x, 0))[3] for x in (0, 1)] == [0, 255]  # type: ignore[index]


def test_whole_numbers_from_nowhere_are_refused() -> None:
    with refused(PictureUnsupported, "unknown-white", name="the picture"):
        open_picture(Image.new("I", (2, 2), 77))


# --- PNG ---------------------------------------------------------------------------------------------------------

LONG = b"x" * (2 * 2**20)
TEXT_BOMB = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(LONG))
INTERNATIONAL_BOMB = chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(LONG))


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (TEXT_BOMB, "a text in it is broken or longer than 1 MB and was skipped"),
        (INTERNATIONAL_BOMB, "a text in it is broken"),
        (chunk(b"tEXt", b"Comment\0" + LONG), "a text in it is broken"),
        (chunk(b"zTXt", b"Comment\0\0nonsense"), "a text in it is broken"),
        (with_wrong_checksum(chunk(b"tEXt", b"Comment\0hello")), "its tEXt data is damaged and was skipped"),
        (with_wrong_checksum(chunk(b"pHYs", bytes(9))), "its pHYs data is damaged and was skipped"),
        (with_wrong_checksum(chunk(b"priv", bytes(9))), "its priv data is damaged and was skipped"),
        (chunk(b"eXIf", b"nonsense"), "its EXIF data is broken and was ignored"),
    ],
    ids=["zTXt", "iTXt", "tEXt", "broken zTXt", "checksum of tEXt", "of pHYs", "of a private chunk", "EXIF"],
)
def test_a_png_is_read_whatever_stands_beside_its_pixels(bad: bytes, said: str, place: str) -> None:
    data = png(PIXELS, bad) if place == "before" else png(PIXELS, after=bad)
    with pytest.warns(PictureWarning, match=said):
        assert opened(data).getpixel((2, 1)) == RED


@pytest.mark.parametrize("bad", [chunk(b"pHYs", b""), chunk(b"tIME", b"?"), chunk(b"iTXt", b"?"), chunk(b"zTXt", b"")])
def test_what_nobody_needs_may_be_nonsense(bad: bytes) -> None:
    assert opened(png(PIXELS, chunk(b"tEXt", b"Comment\0hi"), after=bad if bad[4:8] in (b"pHYs", b"tIME") else b""))


def test_a_large_profile_is_applied_and_a_huge_one_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    corners = [(0.0, 0.0, 0.0)] * 7 + [(100.0, 0.0, 0.0)]
    profile = lut_profile(corners) + bytes(2 * 2**20)
    profile = struct.pack(">I", len(profile)) + profile[4:]
    data = png([[(255, 255, 0)]], profile_chunk(profile))
    assert opened(data).getpixel((0, 0)) == (0, 0, 0)
    monkeypatch.setattr(png_files, "MAX_PROFILE_BYTES", 2**20)
    with pytest.warns(PictureWarning, match="its iCCP data is broken and was ignored"):
        assert opened(data).getpixel((0, 0)) == (255, 255, 0)


def test_texts_may_cost_no_more_together_than_one_of_them_might(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png_files, "MAX_TEXT_BYTES", 1500)
    texts = [chunk(b"zTXt", b"%d\0\0" % n + zlib.compress(bytes(1000))) for n in range(3)]
    with pytest.warns(PictureWarning, match="a text in it is broken"):
        opened(png(PIXELS, *texts))


@pytest.mark.parametrize("left", [1, 5, 30])
def test_a_png_that_ends_after_its_pixels_is_read(left: int) -> None:
    data = png(PIXELS, after=chunk(b"tEXt", b"Comment\0" + b"words" * 10))
    end = data.index(b"tEXt")
    with pytest.warns(PictureWarning, match="its tEXt data is damaged"):
        assert opened(data[: end + 4 + left]).getpixel((2, 1)) == RED


def test_a_wrong_checksum_of_the_size_is_no_small_matter() -> None:
    data = png(PIXELS)
    with refused(PictureBroken, "damaged", called="a PNG picture", reason=lambda reason: "IHDR" in reason):
        opened(data[:29] + b"oops" + data[33:])


# --- JPEG --------------------------------------------------------------------------------------------------------

PHOTO = Image.fromarray(picture(64, 48))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 30}], ids=["plain", "progressive", "rough"])
@pytest.mark.parametrize("lost", [1, 2])
def test_a_jpeg_that_lacks_only_its_end_is_read(lost: int, options: dict[str, Any]) -> None:
    data = encoded(PHOTO, "JPEG", **options)
    with pytest.warns(PictureWarning, match="its end is missing, and all of its pixels are there"):
        found = opened(data[:-lost])
    np.testing.assert_array_equal(np.asarray(found), np.asarray(opened(data)))


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
@pytest.mark.parametrize("lost", [5, 20, 300])
def test_a_jpeg_that_lacks_pixels_is_refused(lost: int, options: dict[str, Any]) -> None:
    with refused(PictureBroken, "damaged", called="a JPEG picture", reason=lambda reason: "truncated" in reason):
        opened(encoded(PHOTO, "JPEG", **options)[:-lost])


@pytest.mark.parametrize("options", [{}, {"no_jp2": True}], ids=["in boxes", "bare"])
def test_a_jpeg_2000_that_lacks_its_end_is_read_and_one_that_lacks_pixels_refused(options: dict[str, Any]) -> None:
    data = encoded(PHOTO, "JPEG2000", **options)
    for lost in (1, 2):
        with pytest.warns(PictureWarning, match="its end is missing, and all of its pixels are there"):
            found = opened(data[:-lost])
        np.testing.assert_array_equal(np.asarray(found), np.asarray(PHOTO))
    for lost in (3, 20, 300):
        with refused(PictureBroken, "damaged", called="a JPEG 2000 picture"):
            opened(data[:-lost])


def test_a_jpeg_with_a_broken_segment_is_read() -> None:
    data = encoded(PHOTO, "JPEG")
    broken = data[:2] + b"\xff\xe0\0\x07JFIF\0" + data[2:]
    with pytest.warns(PictureWarning, match="its metadata is broken and was ignored"):
        np.testing.assert_array_equal(np.asarray(opened(broken)), np.asarray(opened(data)))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_broken_exif_is_ignored(kind: str) -> None:
    data = encoded(PHOTO, kind, exif=b"Exif\0\0nonsense")
    with pytest.warns(PictureWarning, match="its EXIF data is broken and was ignored"):
        assert opened(data).size == PHOTO.size


# --- names that lie, and what is not read ------------------------------------------------------------------------


def iso_media(brand: bytes, *others: bytes) -> bytes:
    names = b"".join(others)
    return struct.pack(">I4s4sI", 16 + len(names), b"ftyp", brand, 0) + names + bytes(64)


UNREAD = {
    "a HEIC picture": [iso_media(b"heic", b"mif1"), iso_media(b"mif1", b"heic"), iso_media(b"msf1", b"hevc")],
    "a camera's raw file": [b"II*\0\x10\0\0\0CR\2\0", b"FUJIFILMCCD-RAW 0201", iso_media(b"crx "), b"IIU\0\x08\0\0\0"],
    "a Photoshop document": [b"8BPS\0\1"],
    "a ZIP archive": [b"PK\3\4\x14\0\0\0"],
    "a file that gzip compressed": [b"\x1f\x8b\x08\0"],
    "what Git LFS leaves in a picture's place": [b"version https://git-lfs.github.com/spec/v1\noid sha256:5e\n"],
    "a GIMP document": [b"gimp xcf v011\0"],
    "a JPEG XL picture": [b"\xff\x0a\xfa\x1f", b"\0\0\0\x0cJXL \r\n\x87\n"],
    "an SVG drawing": [b"<?xml version='1.0'?>\n<!-- a -->\n<svg xmlns='http://www.w3.org/2000/svg'>"],
    "a QOI picture": [b"qoif\0\0\0\1"],
    "a PCX picture": [b"\n\5\1\x08"],
    "an OpenEXR picture": [b"v/1\1\2\0\0\0"],
    "a Radiance HDR picture": [b"#?RADIANCE\nFORMAT="],
    "a PDF document": [b"%PDF-1.7\n"],
    "a PostScript document": [b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\xc5\xd0\xd3\xc6"],
    "a Krita document": [b"PK\3\4".ljust(30, b"\0") + b"mimetypeapplication/x-krita"],
    "an OpenRaster document": [b"PK\3\4".ljust(30, b"\0") + b"mimetypeimage/openraster"],
    "a film": [iso_media(b"isom", b"mp42"), b"\x1aE\xdf\xa3", b"RIFF\0\0\0\0AVI LIST"],
    "a web page": [b"\n<!DOCTYPE html>", b"<html>"],
    "a PFM picture in colour": [b"PF\n1 1\n-1.0\n"],
}


@pytest.mark.parametrize(("called", "data"), [(called, data) for called, files in UNREAD.items() for data in files])
def test_a_format_that_is_not_read_is_named_by_its_bytes(tmp_path: Path, called: str, data: bytes) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    with refused(PictureUnsupported, "unread-format", name=str(path), called=called, advice=bool):
        open_picture(path)


@pytest.mark.parametrize("name", ["photo.heic", "photo.tif", "photo.psd", "photo"])
def test_the_bytes_say_what_a_file_is_and_not_its_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(encoded(PHOTO, "JPEG"))
    assert open_picture(path).size == PHOTO.size


DAMAGED = {
    "a PNG picture": [b"\x89PNG\r\n\x1a\nbroken", png(PIXELS)[:40], b"\x89PNG\n\x1a\n" + png(PIXELS)[8:]],
    "a JPEG picture": [b"\xff\xd8\xff\xe0\0\x10JFIF", encoded(PHOTO, "JPEG")[:200]],
    "a TIFF picture": [b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08\xff\xff"],
    "a GIF picture": [b"GIF89a\1\0"],
    "a BMP picture": [b"BM1234"],
    "a WebP picture": [b"RIFF\4\0\0\0WEBP"],
    "an AVIF picture": [iso_media(b"avif", b"mif1")],
    "a JPEG 2000 picture": [b"\0\0\0\x0cjP  \r\n\x87\n1234"],
}


@pytest.mark.parametrize(("called", "data"), [(called, data) for called, files in DAMAGED.items() for data in files])
def test_a_damaged_file_of_a_known_format_is_called_that(called: str, data: bytes) -> None:
    with refused(PictureBroken, "damaged", name="the picture", called=called, reason=bool):
        opened(data)


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    with refused(PictureBroken, "empty", name=str(tmp_path / "empty.png")):
        open_picture(tmp_path / "empty.png")


def test_a_tga_has_no_signature_and_is_read_nevertheless() -> None:
    assert opened(encoded(Image.new("RGB", (3, 2), RED), "TGA")).getpixel((0, 0)) == RED


# --- what is no file ---------------------------------------------------------------------------------------------


@pytest.mark.timeout(20)
def test_a_pipe_or_a_device_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", Path("/dev/zero")):
        with refused(PictureNotFound, "no-regular-file", name=str(path)):
            open_picture(path)


@pytest.mark.parametrize("name", ["x" * 300 + ".png", "no\0name.png"])
def test_a_name_that_cannot_be_is_one_sentence(name: str) -> None:
    with pytest.raises(PictureError, match="png"):
        open_picture(name)


def test_a_loop_of_links_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to("b.png")
    (tmp_path / "b.png").symlink_to("a.png")
    with refused(PictureNotFound, "unreadable", name=str(tmp_path / "a.png"), reason=os.strerror(errno.ELOOP)):
        open_picture(tmp_path / "a.png")


def test_a_stream_that_cannot_be_sought_is_read() -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.data = io.BytesIO(png(PIXELS))

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            return self.data.readinto(buffer)

    assert open_picture(io.BufferedReader(Pipe())).getpixel((0, 0)) == RED


def test_a_profile_and_a_text_bomb_do_not_hide_each_other() -> None:
    profile = profile_chunk(matrix_profile((0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06), power(1.0)))
    with pytest.warns(PictureWarning, match="a text in it"):
        assert opened(png([[(100, 100, 100)]], TEXT_BOMB, profile)).getpixel((0, 0)) == (168, 168, 168)


def test_no_picture_makes_more_warnings_than_a_person_reads() -> None:
    bad = [with_wrong_checksum(chunk(b"pr%c%c" % (a, b), b"")) for a in b"abcdefgh" for b in b"ABCDEFGH"]
    with pytest.warns(PictureWarning) as said:
        opened(png(PIXELS, *bad))
    assert len(said) == 10
