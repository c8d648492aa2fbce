"""Colours that a file describes: each kind of description, in each format that carries it, gives the sRGB it means."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kandinsky_backend.errors import PictureWarning
from kandinsky_backend.images import open_picture
from tests.picture_makers import (
    ADOBE_RGB,
    DISPLAY_P3,
    PRO_PHOTO,
    SRGB,
    SRGB_CURVE,
    chromaticity_chunk,
    chunk,
    cmyk_profile,
    encoded,
    gamma_chunk,
    gray_profile,
    lut_profile,
    matrix_profile,
    parametric,
    png,
    power,
    profile_chunk,
    table,
    tiff_of,
)

RED = (200, 30, 40)  # in sRGB
# The same colour in other spaces; (space, curve, values). The values are rounded to 8 bits, the floats are not.
STORED = {
    "Display P3": (DISPLAY_P3, SRGB_CURVE, (183.66, 49.86, 48.50)),
    "Display P3 of gamma 2.2": (DISPLAY_P3, power(563 / 256), (182.18, 53.10, 51.87)),
    "Adobe RGB": (ADOBE_RGB, power(563 / 256), (171.27, 35.37, 43.90)),
    "ProPhoto": (PRO_PHOTO, power(1.8), (133.74, 57.62, 36.11)),
    "a table": (SRGB, table([(n / 63) ** 2 for n in range(64)]), (193.8, 29.05, 37.12)),
    "sRGB": (SRGB, SRGB_CURVE, RED),
}
LOSSLESS = {
    "JPEG": {"quality": 100, "subsampling": 0},
    "PNG": {},
    "TIFF": {},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
}


def rounded(colour: tuple[float, ...]) -> tuple[int, ...]:
    return tuple(round(value) for value in colour)


def solid(mode: str, colour: Any) -> Image.Image:
    return Image.new(mode, (16, 16), colour)


def seen(data: bytes) -> tuple[int, ...]:
    """The colour of the picture in a file."""
    colour = open_picture(io.BytesIO(data)).getpixel((0, 0))
    assert isinstance(colour, tuple)
    return colour


def check_near(colour: tuple[int, ...], expected: tuple[int, ...], tolerance: int = 1) -> None:
    assert len(colour) == len(expected)
    np.testing.assert_allclose(colour, expected, rtol=0, atol=tolerance)


# --- ICC profiles ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LOSSLESS)
@pytest.mark.parametrize("space", ["Display P3", "Display P3 of gamma 2.2", "Adobe RGB", "a table", "sRGB"])
def test_a_colour_profile_is_applied(space: str, kind: str) -> None:
    chromaticities, curve, stored = STORED[space]
    profile = matrix_profile(chromaticities, curve)
    data = encoded(solid("RGB", rounded(stored)), kind, icc_profile=profile, **LOSSLESS[kind])
    check_near(seen(data), RED, 1 if kind in ("PNG", "TIFF", "WEBP") else 2)  # what those lose by packing


def test_a_wide_profile_is_applied_as_far_as_8_bits_go() -> None:
    """A step of ProPhoto is up to 4 of sRGB: (134, 57, 36) is rounded by more than it seems."""
    chromaticities, curve, stored = STORED["ProPhoto"]
    data = encoded(solid("RGB", rounded(stored)), "PNG", icc_profile=matrix_profile(chromaticities, curve))
    check_near(seen(data), RED, 4)


@pytest.mark.parametrize("space", STORED)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_keep_what_8_would_round_away(space: str, kind: str) -> None:
    chromaticities, curve, stored = STORED[space]
    profile = matrix_profile(chromaticities, curve)
    values = np.rint(np.array([[stored]]) * 257).astype(np.uint16)
    data = png(values, profile_chunk(profile), depth=16) if kind == "PNG" else tiff_of(values, t34675=profile)
    check_near(seen(data), RED)


@pytest.mark.parametrize("dtype", [np.uint32, np.float16, np.float32])
def test_samples_of_any_type_have_a_profile(dtype: Any) -> None:
    chromaticities, curve, stored = STORED["Display P3"]
    white = 1.0 if dtype is not np.uint32 else 2.0**32 - 1
    values = (np.array([[stored]]) / 255 * white).astype(dtype)
    check_near(seen(tiff_of(values, t34675=matrix_profile(chromaticities, curve))), RED)


def test_light_itself_as_16_bits_is_seen_in_the_dark_too() -> None:
    dark = np.array([[[851, 1391, 199]]], np.uint16)  # sRGB (30, 40, 10)
    check_near(seen(png(dark, profile_chunk(matrix_profile(SRGB, power(1.0))), depth=16)), (30, 40, 10))


@pytest.mark.parametrize(
    ("curve", "stored"),
    [
        (parametric(0, 2.0), 0.5),
        (parametric(1, 2.0, 0.5, 0.5), 0.0),
        (parametric(2, 2.0, 0.5, 0.25, 0.1875), 0.0),
        (parametric(4, 2.0, 1.0, 0.0, 0.5, 0.5, 0.0, 0.125), 0.25),
        (b"curv" + bytes(8), 0.25),
    ],
    ids=["power", "from an offset", "with a floor", "in two parts", "identity"],
)
def test_curves_of_every_kind_are_known_beyond_8_bits(curve: bytes, stored: float) -> None:
    """Each of them makes 0.25 of light, which is 137 of sRGB."""
    values = np.full((1, 1, 3), round(stored * 65535), np.uint16)
    check_near(seen(png(values, profile_chunk(matrix_profile(SRGB, curve)), depth=16)), (137, 137, 137))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (encoded(solid("L", 100), "PNG", icc_profile=gray_profile(power(1.0))), 168),
        (encoded(solid("L", 100), "TIFF", icc_profile=gray_profile(power(1.0))), 168),
        (encoded(solid("L", 100), "JPEG", icc_profile=gray_profile(power(1.0)), quality=100), 168),
        (encoded(solid("I;16", 100 * 257), "PNG", icc_profile=gray_profile(power(1.0))), 168),
        (encoded(solid("L", 100), "PNG", icc_profile=matrix_profile(DISPLAY_P3, power(1.0))), 168),
    ],
    ids=["PNG", "TIFF", "JPEG", "16-bit PNG", "a profile of RGB"],
)
def test_gray_has_a_profile_too(data: bytes, expected: int) -> None:
    check_near(seen(data), (expected,) * 3)


PAPER, BLACK = (100.0, 0.0, 0.0), (0.0, 0.0, 0.0)
INKS = {(c, m, y, k): BLACK for c in (0, 1) for m in (0, 1) for y in (0, 1) for k in (0, 1)}
# Of full magenta and yellow, the Lab (D50) of sRGB (200, 30, 40).
INKS |= {(0, 0, 0, 0): PAPER, (0, 1, 1, 0): (44.1, 63.9, 41.7)}


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_inks_are_what_their_profile_says(kind: str) -> None:
    options = {"quality": 100} if kind == "JPEG" else {}
    profile = cmyk_profile(INKS)
    red = encoded(solid("CMYK", (0, 255, 255, 0)), kind, icc_profile=profile, **options)
    check_near(seen(red), RED, 2)  # what 8 bits of Lab leave of it; without the profile it is (255, 0, 0)
    paper = encoded(solid("CMYK", (0, 0, 0, 0)), kind, icc_profile=profile, **options)
    check_near(seen(paper), (255, 255, 255))


def test_inks_without_a_profile_are_pure() -> None:
    assert seen(encoded(solid("CMYK", (0, 255, 255, 0)), "TIFF")) == (255, 0, 0)


def test_a_profile_by_table_is_applied_beyond_8_bits() -> None:
    corners = [(0, 0, 0), (32, 79, -107), (88, -79, 81), (91, -51, -15), (54, 81, 70), (60, 94, -60), (97, -16, 93)]
    profile = lut_profile([*corners, (100, 0, 0)])
    white = np.full((1, 1, 3), 65535, np.uint16)
    check_near(seen(png(white, profile_chunk(profile), depth=16)), (255, 255, 255))
    check_near(seen(png(np.full((1, 1, 1), 65535), profile_chunk(profile), depth=16)), (255, 255, 255))


def test_lab_is_a_colour_without_any_profile() -> None:
    data = encoded(solid("LAB", (112, 192, 170)), "TIFF")  # as Pillow has Lab: L of 255, a and b from 128
    check_near(seen(data), RED, 2)


def test_transparency_is_kept_beside_a_profile() -> None:
    chromaticities, curve, stored = STORED["Display P3"]
    profile = matrix_profile(chromaticities, curve)
    check_near(seen(encoded(solid("RGBA", (*rounded(stored), 100)), "PNG", icc_profile=profile)), (*RED, 100))
    values = np.array([[[*(round(value * 257) for value in stored), 100 * 257]]])
    check_near(seen(png(values, profile_chunk(profile), depth=16)), (*RED, 100))
    gray = encoded(solid("LA", (100, 7)), "PNG", icc_profile=gray_profile(power(1.0)))
    check_near(seen(gray), (168, 168, 168, 7))


def test_a_palette_has_a_profile() -> None:
    chromaticities, curve, stored = STORED["Adobe RGB"]
    image = Image.new("P", (4, 4), 0)
    image.putpalette([*rounded(stored)])
    check_near(seen(encoded(image, "PNG", icc_profile=matrix_profile(chromaticities, curve))), RED)


def test_a_pillow_image_is_read_by_its_profile_and_only_once() -> None:
    chromaticities, curve, stored = STORED["Display P3"]
    data = encoded(solid("RGB", rounded(stored)), "PNG", icc_profile=matrix_profile(chromaticities, curve))
    with Image.open(io.BytesIO(data)) as image:
        opened = open_picture(image)
    check_near(opened.getpixel((0, 0)), RED)  # type: ignore[arg-type]
    assert open_picture(opened).getpixel((0, 0)) == opened.getpixel((0, 0))
    assert opened.info == {}


def test_srgb_s_own_profile_changes_no_bit() -> None:
    values = np.random.default_rng(1).integers(0, 256, (32, 32, 3), np.uint8)
    data = png(values, profile_chunk(matrix_profile(SRGB, SRGB_CURVE)))
    np.testing.assert_array_equal(np.asarray(open_picture(io.BytesIO(data))), values)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            encoded(solid("RGB", RED), "PNG", icc_profile=b"nonsense"),
            "its colour profile is broken, or cannot be used",
        ),
        (
            encoded(solid("RGB", RED), "JPEG", icc_profile=matrix_profile(DISPLAY_P3, SRGB_CURVE)[:200], quality=100),
            "its colour profile is broken, or cannot be used",
        ),
        (  # one of two segments
            encoded(solid("RGB", RED), "JPEG", icc_profile=matrix_profile(DISPLAY_P3, SRGB_CURVE), quality=100).replace(
                b"ICC_PROFILE\0\1\1", b"ICC_PROFILE\0\1\2"
            ),
            "its colour profile is incomplete and was ignored",
        ),
        (
            encoded(solid("RGB", RED), "PNG", icc_profile=gray_profile(power(1.0))),
            "profile is for GRAY and was ignored",
        ),
        (tiff_of(np.array([[RED]], np.uint16) * 257, t34675=b"nonsense"), "its colour profile is broken, or"),
        (png([[RED]], chunk(b"iCCP", b"name\0\0nonsense")), "its iCCP data is broken and was ignored"),
        (png([[RED]], chunk(b"gAMA", b"\0")), "its gAMA data is broken and was ignored"),
        (png([[RED]], gamma_chunk(0)), "its gamma of 0 cannot be"),
        (png([[RED]], chromaticity_chunk((0.3, 0.3) * 4)), "its primary colours cannot be"),
        (png([[RED]], chunk(b"cICP", bytes((200, 13, 0, 1)))), "its colour code points 200 and 13 are not known"),
        (png([[RED]], chunk(b"cICP", bytes((1, 13, 6, 1)))), "its cICP data is broken and was ignored"),
    ],
)
def test_a_broken_description_is_ignored_with_a_warning(data: bytes, said: str) -> None:
    with pytest.warns(PictureWarning, match=f"^the picture: .*{said}"):
        check_near(seen(data), RED)


def test_a_warning_names_the_file_and_the_line_that_asked(tmp_path: Any) -> None:
    path = tmp_path / "odd.png"
    path.write_bytes(png([[RED]], gamma_chunk(0)))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        open_picture(path)
    assert [(str(w.message).startswith(f"{path}: its gamma"), w.filename) for w in said] == [(True, __file__)]


# --- PNG's own ---------------------------------------------------------------------------------------------------

GAMMA_1 = gamma_chunk(1.0)


@pytest.mark.parametrize(
    ("data", "expected", "tolerance"),
    [
        (png([[(149, 2, 4)]], GAMMA_1), RED, 2),  # rounded from (149.4, 2.3, 4.4)
        (png([[(38405, 591, 1113)]], GAMMA_1, depth=16), RED, 1),
        (png([[(149,)]], GAMMA_1), (200, 200, 200), 1),
        (png([[RED]], gamma_chunk(0.45455)), RED, 0),
        (png([[RED]], gamma_chunk(0.45455), chromaticity_chunk(SRGB)), RED, 1),
        (png([[(184, 50, 48)]], chromaticity_chunk(DISPLAY_P3)), RED, 1),
        (png([[(184, 50, 48)]], gamma_chunk(0.45455), chromaticity_chunk(DISPLAY_P3)), RED, 1),
        (png([[(184, 50, 48, 9)]], chromaticity_chunk(DISPLAY_P3)), (*RED, 9), 1),
        (png([[RED]], GAMMA_1, chunk(b"sRGB", b"\0")), RED, 0),
        (png([[(184, 50, 48)]], GAMMA_1, profile_chunk(matrix_profile(DISPLAY_P3, SRGB_CURVE))), RED, 1),
        (png([[(184, 50, 48)]], GAMMA_1, chunk(b"cICP", bytes((12, 13, 0, 1)))), RED, 1),
        (png([[(47201, 12814, 12463)]], chunk(b"cICP", bytes((12, 13, 0, 1))), depth=16), RED, 1),
        (png([[RED]], chunk(b"cICP", bytes((1, 13, 0, 1)))), RED, 1),
        (png([[RED]], chunk(b"cICP", bytes((2, 2, 0, 1)))), RED, 0),
        (png([[(16, 126, 235)]], chunk(b"cICP", bytes((1, 13, 0, 0)))), (0, 128, 255), 1),
        (png([[(37856, 868, 1391)]], chunk(b"cICP", bytes((1, 8, 0, 1))), depth=16), RED, 1),
        (png([[(126, 126, 126)]], chunk(b"cICP", bytes((9, 1, 0, 1)))), (137, 137, 137), 2),
        (png([[(128, 128, 128)]], chunk(b"cICP", bytes((9, 4, 0, 1)))), (128, 128, 128), 2),
    ],
    ids=[
        "linear", "linear, 16 bits", "linear gray", "1/2.2 is sRGB", "sRGB in chunks", "P3's primaries",
        "P3's primaries and sRGB's gamma", "with alpha", "sRGB before gamma", "profile before gamma",
        "cICP before gamma", "cICP, 16 bits", "cICP of sRGB", "cICP that says nothing", "cICP of narrow range",
        "cICP of light", "cICP of BT.709's curve", "cICP of gamma 2.2",
    ],
)  # fmt: skip
def test_png_says_its_colours(data: bytes, expected: tuple[int, ...], tolerance: int) -> None:
    check_near(seen(data), expected, tolerance)


@pytest.mark.parametrize(("transfer", "paper"), [(16, 0.5807), (18, 0.75)], ids=["PQ", "HLG"])
def test_a_high_dynamic_range_has_paper_white_and_a_warning(transfer: int, paper: float) -> None:
    values = np.array([[[round(paper * 65535)] * 3, [65535] * 3, [0] * 3]])
    data = png(values, chunk(b"cICP", bytes((9, transfer, 0, 1))), depth=16)
    with pytest.warns(PictureWarning, match="high dynamic range"):
        picture = open_picture(io.BytesIO(data))
    for x, gray in enumerate((254, 255, 0)):
        check_near(picture.getpixel((x, 0)), (gray,) * 3, 1)  # type: ignore[arg-type]


# --- what other formats say --------------------------------------------------------------------------------------


def adobe_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    exif.get_ifd(0x8769)[0xA001] = 2
    return exif


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_exif_may_say_adobe_rgb(kind: str) -> None:
    stored = rounded(STORED["Adobe RGB"][2])
    data = encoded(solid("RGB", stored), kind, exif=adobe_exif(), **LOSSLESS[kind])
    check_near(seen(data), RED, 1 if kind != "JPEG" else 2)


def test_exif_may_say_adobe_rgb_by_the_rule_for_cameras() -> None:
    exif = Image.Exif()
    exif.load(
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x1a\0\0\0\0\0\0\0"
        b"\x02\0\x01\xa0\x03\0\x01\0\0\0\xff\xff\0\0\x05\xa0\x04\0\x01\0\0\0\x38\0\0\0\0\0\0\0"
        b"\x01\0\x01\0\x02\0\x04\0\0\0R03\0\0\0\0\0"
    )
    stored = rounded(STORED["Adobe RGB"][2])
    check_near(seen(encoded(solid("RGB", stored), "PNG", exif=exif)), RED)


def test_a_profile_is_trusted_more_than_exif() -> None:
    exif = adobe_exif()
    data = encoded(solid("RGB", RED), "PNG", exif=exif, icc_profile=matrix_profile(SRGB, SRGB_CURVE))
    check_near(seen(data), RED)


def test_avif_says_its_colours_by_code_points() -> None:
    data = encoded(solid("RGB", (184, 50, 48)), "AVIF", **LOSSLESS["AVIF"])
    assert b"colrnclx\0\x01\0\x0d" in data
    check_near(seen(data.replace(b"colrnclx\0\x01", b"colrnclx\0\x0c")), RED, 2)


@pytest.mark.parametrize("bits", [8, 16])
def test_tiff_says_its_primaries(bits: int) -> None:
    stored = np.array([[STORED["Display P3"][2]]])
    values = np.rint(stored * 257).astype(np.uint16) if bits == 16 else np.rint(stored).astype(np.uint8)
    check_near(seen(tiff_of(values, t318=DISPLAY_P3[:2], t319=DISPLAY_P3[2:])), RED)


def test_jpeg_2000_has_a_profile() -> None:
    plain = encoded(solid("RGB", (184, 50, 48)), "JPEG2000")
    profile = matrix_profile(DISPLAY_P3, SRGB_CURVE)
    place = plain.index(b"colr") - 4
    box = (len(profile) + 11).to_bytes(4, "big") + b"colr\2\0\0" + profile
    old = int.from_bytes(plain[place : place + 4], "big")
    outer = plain.index(b"jp2h") - 4
    size = int.from_bytes(plain[outer : outer + 4], "big") + len(box) - old
    data = plain[:outer] + size.to_bytes(4, "big") + plain[outer + 4 : place] + box + plain[place + old :]
    check_near(seen(data), RED)
