"""Pictures in: every mode and orientation, every refusal, and CLIP's preprocessing against the reference."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from kandinsky_backend import images
from kandinsky_backend.errors import (
    PictureAnimated,
    PictureBroken,
    PictureError,
    PictureNotFound,
    PictureTooLarge,
    PictureWarning,
)
from kandinsky_backend.images import (
    ClipImageProcessor,
    composite,
    crop_centre,
    fit_square,
    open_picture,
    to_pil,
)
from kandinsky_backend.picture_files import MAX_PICTURE_PIXELS
from tests.golden.clip_pictures import CONFIG, SHAPES, SIZES, picture
from tests.picture_makers import DISPLAY_P3, SRGB_CURVE, encoded, matrix_profile, png, profile_chunk, tiff_of
from tests.refusals import refused

GOLDEN = np.load(Path(__file__).parent.parent / "golden" / "clip_pixels.npz")
ORANGE = (255, 128, 0)


def solid(mode: str, colour: Any, size: tuple[int, int] = (8, 6)) -> Image.Image:
    return Image.new(mode, size, colour)


def half_transparent_palette() -> Image.Image:
    image = Image.new("P", (2, 1))
    image.putpalette([*ORANGE, 0, 0, 255])
    image.putdata([0, 1])
    return image


# --- importing ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["kandinsky_backend", "kandinsky_backend.images", "kandinsky_backend.utils"])
def test_importing_what_clients_use_does_not_load_mindspore(module: str) -> None:
    code = f"import sys, {module}; sys.exit('mindspore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- opening -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (solid("RGB", ORANGE), ORANGE),
        (solid("RGBA", (*ORANGE, 100)), (*ORANGE, 100)),
        (solid("L", 77), (77, 77, 77)),
        (solid("LA", (77, 100)), (77, 77, 77, 100)),
        (solid("1", 1), (255, 255, 255)),
        (solid("CMYK", (0, 127, 255, 0)), ORANGE),
        (solid("YCbCr", (128, 128, 128)), (128, 128, 128)),
        (solid("I;16", 77 * 257), (77, 77, 77)),
        (solid("F", 0.5), (128, 128, 128)),
        (solid("F", -0.5), (0, 0, 0)),
        (solid("F", float("nan")), (0, 0, 0)),
        (solid("La", (50, 100)), (127, 127, 127, 100)),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else str(value),
)
def test_every_mode_becomes_8_bit_rgb_or_rgba(image: Image.Image, expected: tuple[int, ...]) -> None:
    opened = open_picture(image)
    assert opened.mode == ("RGBA" if len(expected) == 4 else "RGB")
    assert opened.getpixel((3, 3)) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (encoded(solid("I;16", 77 * 257), "PNG"), (77, 77, 77)),
        (encoded(solid("F", 0.5), "TIFF"), (128, 128, 128)),
        (encoded(solid("CMYK", (0, 127, 255, 0)), "TIFF"), ORANGE),
        (encoded(solid("P", 0), "GIF"), (0, 0, 0)),
        (encoded(solid("RGB", ORANGE), "PNG", transparency=ORANGE), (*ORANGE, 0)),
        (encoded(half_transparent_palette(), "PNG", transparency=b"\x80\xff"), (*ORANGE, 128)),
        (encoded(solid("RGBA", (*ORANGE, 100)), "WEBP", lossless=True), (*ORANGE, 100)),
        (encoded(solid("RGB", ORANGE), "BMP"), ORANGE),
    ],
    ids=["16-bit PNG", "float TIFF", "CMYK TIFF", "GIF", "PNG colour key", "PNG palette alpha", "WEBP", "BMP"],
)
def test_files_keep_their_colours_and_transparency(tmp_path: Path, data: bytes, expected: tuple[int, ...]) -> None:
    path = tmp_path / "picture"
    path.write_bytes(data)
    for source in (path, str(path), io.BytesIO(data)):
        assert open_picture(source).getpixel((0, 0)) == expected


@pytest.mark.parametrize("mode", ["RGB", "I;16"])
@pytest.mark.parametrize(("orientation", "corner"), [(1, "top left"), (3, "bottom right"), (6, "top right")])
def test_exif_orientation_is_applied(mode: str, orientation: int, corner: str) -> None:
    white = 65535 if mode == "I;16" else (255, 255, 255)
    image = solid(mode, 0, (4, 2))
    image.putpixel((0, 0), white)
    exif = Image.Exif()
    exif[0x0112] = orientation
    opened = open_picture(io.BytesIO(encoded(image, "PNG", exif=exif)))
    assert opened.size == ((2, 4) if orientation == 6 else (4, 2))
    x = 0 if "left" in corner else opened.width - 1
    y = 0 if "top" in corner else opened.height - 1
    assert opened.getpixel((x, y)) == (255, 255, 255)


def test_a_phone_picture_with_a_depth_map_is_one_picture() -> None:
    mpo = encoded(solid("RGB", ORANGE), "MPO", save_all=True, append_images=[solid("RGB", 0)])
    assert open_picture(io.BytesIO(mpo)).size == (8, 6)


# --- refusing ----------------------------------------------------------------------------------------------------


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with refused(PictureNotFound, "no-file", name=lambda name: name.endswith("nowhere.png")):
        open_picture(tmp_path / "nowhere.png")
    with refused(PictureNotFound, "unreadable", reason="Is a directory"):
        open_picture(tmp_path)


@pytest.mark.parametrize("largest", [1.001, 200.0, float("inf")])
def test_floats_above_white_are_white_and_change_no_other(largest: float) -> None:
    image = solid("F", 0.5)
    image.putpixel((0, 0), largest)
    with pytest.warns(PictureWarning, match=f"^the picture: its values reach {largest:.4g}: what is above 1.0 became"):
        opened = open_picture(image)
    assert [opened.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (128, 128, 128)]


@pytest.mark.parametrize("data", [b"hello", b"\0" * 100])
def test_what_is_no_picture_is_refused_by_name(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "notes.png"
    path.write_bytes(data)
    with refused(PictureBroken, "unknown-format", name=lambda name: name.endswith("notes.png")):
        open_picture(path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP"])
def test_a_truncated_picture_is_refused(kind: str) -> None:
    data = encoded(Image.fromarray(picture(64, 48)), kind)
    with pytest.raises(PictureBroken):
        open_picture(io.BytesIO(data[: len(data) * 2 // 3]))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_several_frames_or_pages_are_refused(kind: str) -> None:
    frames = [solid("RGB", ORANGE), solid("RGB", 0), solid("RGB", (0, 255, 0))]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    with refused(PictureAnimated, "animated", frames=3):
        open_picture(io.BytesIO(data))


@pytest.mark.parametrize("side", [20_000, 12_000])  # beyond Pillow's own error, and only beyond ours
def test_a_decompression_bomb_is_refused_before_it_is_decoded(side: int) -> None:
    header = b"BM" + (54 + 3 * side * side).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little")
    header += (40).to_bytes(4, "little") + side.to_bytes(4, "little") * 2 + b"\x01\x00\x18\x00" + bytes(24)
    with refused(PictureTooLarge, "too-large", limit=MAX_PICTURE_PIXELS):
        open_picture(io.BytesIO(header))


def test_a_picture_without_pixels_is_refused() -> None:
    with refused(PictureBroken, "no-pixels", width=0, height=5):
        open_picture(solid("RGB", 0, (0, 5)))


SEEDS = [encoded(Image.fromarray(picture(24, 16)), kind) for kind in ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP")]
SEEDS += [
    encoded(Image.fromarray(picture(24, 16)), "PNG", icc_profile=matrix_profile(DISPLAY_P3, SRGB_CURVE)),
    png(picture(24, 16).astype(np.uint16) * 257, profile_chunk(matrix_profile(DISPLAY_P3, SRGB_CURVE)), depth=16),
    tiff_of(picture(24, 16).astype(np.float32) / 255, t34675=matrix_profile(DISPLAY_P3, SRGB_CURVE)),
    tiff_of(picture(24, 16).astype(np.uint16) * 257, ">", t318=DISPLAY_P3[:2], t319=DISPLAY_P3[2:]),
]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=8), st.data())
def test_hostile_bytes_give_a_picture_or_a_picture_error(
    seed: bytes, changes: list[tuple[int, int]], data: st.DataObject
) -> None:
    hostile = bytearray(seed[: data.draw(st.integers(0, len(seed)))])
    for place, value in changes:
        if place < len(hostile):
            hostile[place] = value
    with contextlib.suppress(PictureError), warnings.catch_warnings():
        warnings.simplefilter("ignore", PictureWarning)
        assert open_picture(io.BytesIO(bytes(hostile))).mode in ("RGB", "RGBA")


# --- compositing, fitting, cropping ------------------------------------------------------------------------------


@pytest.mark.parametrize("backdrop", ["white", "#ffffff", (255, 255, 255)])
def test_transparency_shows_the_backdrop(backdrop: images.Backdrop) -> None:
    assert composite(solid("RGBA", (*ORANGE, 0)), backdrop).getpixel((0, 0)) == (255, 255, 255)
    assert composite(solid("RGBA", (0, 0, 0, 51)), backdrop).getpixel((0, 0)) == (204, 204, 204)
    assert composite(solid("RGB", ORANGE), backdrop).getpixel((0, 0)) == ORANGE


def test_an_unknown_colour_is_named() -> None:
    with refused(PictureError, "unknown-colour", colour="wite"):
        composite(solid("RGB", 0), "wite")


def test_crop_cuts_the_sides_pad_shows_backdrop_and_stretch_shows_all() -> None:
    flag = Image.new("RGB", (90, 30), ORANGE)
    flag.paste((0, 0, 255), (0, 0, 30, 30))
    flag.paste((0, 0, 255), (60, 0, 90, 30))
    crop, pad, stretch = (fit_square(flag, 30, fit, "white") for fit in ("crop", "pad", "stretch"))
    assert crop.size == pad.size == stretch.size == (30, 30)
    assert crop.getpixel((5, 15)) == ORANGE
    assert pad.getpixel((15, 2)) == (255, 255, 255)
    assert pad.getpixel((2, 15)) == (0, 0, 255)
    assert stretch.getpixel((2, 2)) == (0, 0, 255)


@pytest.mark.parametrize(("width", "height"), SHAPES)
def test_fitting_by_crop_changes_nothing_for_the_encoder(width: int, height: int) -> None:
    image = Image.fromarray(picture(width, height))
    processor = ClipImageProcessor.from_dict(CONFIG)
    np.testing.assert_array_equal(processor(fit_square(image, 224, "crop", "white")), processor(image))


@pytest.mark.parametrize("fit", ["pad", "stretch"])
def test_a_thin_strip_can_be_padded_or_stretched_but_not_cropped(fit: images.Fit) -> None:
    strip = solid("RGB", ORANGE, (3, 3000))
    assert fit_square(strip, 16, fit, "white").size == (16, 16)
    with refused(PictureError, "too-narrow", width=3, height=3000):
        fit_square(strip, 16, "crop", "white")


def test_an_unknown_fit_is_named() -> None:
    with refused(PictureError, "unknown-fit", fit="tile"):
        fit_square(solid("RGB", 0), 8, "tile", "white")  # type: ignore[arg-type]


def test_crop_centre_keeps_the_middle() -> None:
    image = Image.fromarray(picture(9, 8))
    np.testing.assert_array_equal(np.asarray(crop_centre(image, 4, 3)), picture(9, 8)[2:5, 2:6])
    with refused(PictureError, "too-small", width=10, height=3, image_width=9, image_height=8):
        crop_centre(image, 10, 3)


def test_arrays_become_pictures_rounded_and_clipped() -> None:
    values = np.array([-0.5, 0.0, 0.2499 / 255, 0.6 / 255, 1.0, 7.0]).reshape(2, 1, 1, 3)
    assert [image.getpixel((0, 0)) for image in to_pil(values)] == [(0, 0, 0), (1, 255, 255)]


def test_pixels_that_are_not_numbers_are_an_error() -> None:
    with refused(PictureError, "not-numbers"):
        to_pil(np.full((1, 2, 2, 3), np.nan))


# --- CLIP's preprocessing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "height"), SHAPES)
@pytest.mark.parametrize("size", SIZES)
def test_clip_pixels_match_the_reference(size: str, width: int, height: int) -> None:
    changes, stride = SIZES[size]
    pixels = ClipImageProcessor.from_dict(CONFIG | changes)(Image.fromarray(picture(width, height)))
    assert pixels.dtype == np.float32
    assert pixels.flags.c_contiguous
    golden = GOLDEN[f"{size}/{width}x{height}"]
    np.testing.assert_allclose(pixels[..., ::stride, ::stride], golden, rtol=0, atol=1e-6)


def test_configs_of_early_versions_are_read() -> None:
    early = {"crop_size": 224, "size": 224, "image_mean": CONFIG["image_mean"], "image_std": CONFIG["image_std"]}
    assert ClipImageProcessor.from_dict(early) == ClipImageProcessor.from_dict(CONFIG)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": {"height": 224, "width": 200}}, "size is .*200"),
        ({"size": "large"}, "size is 'large'"),
        ({"crop_size": 0}, "crop_size is 0"),
        ({"crop_size": 300}, "crop_size 300 is larger than size 224"),
        ({"do_center_crop": False}, "do_center_crop is false"),
        ({"resample": 2}, "resample is 2"),
        ({"image_mean": [0.5]}, r"image_mean is \[0.5\]"),
    ],
)
def test_a_config_that_is_not_implemented_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ClipImageProcessor.from_dict(CONFIG | change)
