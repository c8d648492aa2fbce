"""Samples of TIFF files: every depth and number format, black or white as 0, alpha, packing, and byte order."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kandinsky_backend.errors import PictureAnimated, PictureBroken, PictureTooLarge, PictureUnsupported, PictureWarning
from kandinsky_backend.images import open_picture
from tests.picture_makers import encoded, tiff, tiff_of
from tests.refusals import refused

GRAYS = np.array([[0, 51, 102, 255], [255, 204, 153, 0]])  # of 8 bits


def scaled(dtype: Any, grays: Any = GRAYS) -> Any:
    """Grays of 8 bits as (H, W, 1) of another type, of its black and white."""
    white = 1.0 if np.dtype(dtype).kind == "f" else float(np.iinfo(dtype).max)
    values = np.asarray(grays)[..., None] / 255 * white
    return values.astype(dtype) if np.dtype(dtype).kind == "f" else np.rint(values).astype(dtype)


def pixels(data: bytes) -> Any:
    return np.asarray(open_picture(io.BytesIO(data)))


def check_grays(data: bytes, expected: Any = GRAYS) -> None:
    found = pixels(data)
    assert found.shape == (*np.shape(expected), 3)
    for channel in range(3):
        np.testing.assert_array_equal(found[..., channel], expected)


# --- gray --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("photometric", [0, 1], ids=["white is 0", "black is 0"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.float16, np.float32, np.float64])
def test_gray_is_scaled_by_the_file_s_own_format(dtype: Any, photometric: int, order: str) -> None:
    values = scaled(dtype, GRAYS if photometric else 255 - GRAYS)
    check_grays(tiff_of(values, order, photometric))


def packed(values: Any, bits: int) -> list[bytes]:
    """Rows of whole numbers of an odd depth."""
    rows = (np.asarray(values)[..., None] >> np.arange(bits)[::-1] & 1).astype(np.uint8)
    return [bytes(np.packbits(row.ravel())) for row in rows]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("bits", [10, 12, 14, 24])
def test_depths_between_the_bytes_are_scaled_too(bits: int, photometric: int, order: str) -> None:
    values = np.rint((GRAYS if photometric else 255 - GRAYS) / 255 * (2**bits - 1)).astype(np.uint32)
    tags = {256: [4], 257: [2], 258: [bits], 262: [photometric], 277: [1], 278: [2]}
    check_grays(tiff([b"".join(packed(values, bits))], tags, order))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_one_value_above_white_does_not_turn_the_rest_black(dtype: Any) -> None:
    values = scaled(dtype)
    values[0, 3] = 1.001
    with pytest.warns(PictureWarning, match=r"its values reach 1\.00\d*: what is above 1\.0 became white"):
        check_grays(tiff_of(values))


def test_floats_beyond_numbers_are_black_or_white() -> None:
    values = np.array([[[np.nan], [-np.inf], [-3], [np.inf]]], np.float32)
    with pytest.warns(PictureWarning, match="its values reach inf"):
        check_grays(tiff_of(values), [[0, 0, 0, 255]])


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32])
def test_signed_numbers_do_not_say_what_is_black(dtype: Any) -> None:
    bits = np.iinfo(dtype).bits
    with refused(
        PictureUnsupported, "signed-samples", kind=lambda kind: f"gray, 1 signed samples of {bits} bits" in kind
    ):
        pixels(tiff_of(np.zeros((2, 2, 1), dtype)))


@pytest.mark.parametrize("options", [{}, {"compression": "tiff_lzw"}])
def test_a_pillow_image_of_a_tiff_is_read_by_the_file_s_format(options: dict[str, str]) -> None:
    bits12 = tiff([b"".join(packed(GRAYS * 16 + GRAYS // 16, 12))], {256: [4], 257: [2], 258: [12], 262: [1], 278: [2]})
    inverted = tiff_of(scaled(np.uint16, 255 - GRAYS), photometric=0)
    unsigned = tiff_of(scaled(np.uint32))
    for data in (bits12, inverted, unsigned, encoded(Image.fromarray(scaled(np.float32)[..., 0]), "TIFF", **options)):
        with Image.open(io.BytesIO(data)) as image:
            np.testing.assert_array_equal(np.asarray(open_picture(image))[..., 0], GRAYS)


# --- alpha and colours -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.float32])
@pytest.mark.parametrize("photometric", [0, 1])
def test_gray_has_alpha_beside_it(dtype: Any, photometric: int) -> None:
    gray, alpha = scaled(dtype, GRAYS if photometric else 255 - GRAYS), scaled(dtype, GRAYS[::-1])
    found = pixels(tiff_of(np.concatenate([gray, alpha], axis=2), photometric=photometric, t338=[2]))
    np.testing.assert_array_equal(found[..., 0], GRAYS)
    np.testing.assert_array_equal(found[..., 3], GRAYS[::-1])


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_colours_that_were_multiplied_by_alpha_are_divided(dtype: Any) -> None:
    white = 1.0 if dtype is np.float32 else 65535
    values = (np.array([[[0.5, 0.25, 0.1, 0.5], [0, 0, 0, 0]]]) * white).astype(dtype)
    found = pixels(tiff_of(values, t338=[1]))
    np.testing.assert_allclose(found[0, 0], (255, 128, 51, 128), atol=1)
    assert tuple(found[0, 1]) == (0, 0, 0, 0)


@pytest.mark.parametrize(("extra", "bands"), [([0], 3), ([2], 4), (None, 4)], ids=["no meaning", "alpha", "not said"])
def test_a_fourth_sample_is_what_the_file_says(extra: list[int] | None, bands: int) -> None:
    values = np.full((2, 2, 4), 65535, np.uint16)
    found = pixels(tiff_of(values, **({} if extra is None else {"t338": extra})))
    assert found.shape == (2, 2, bands)


RGB = np.random.default_rng(3).integers(0, 256, (37, 53, 3))


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("order", ["<", ">"])
def test_rgb_of_any_depth_is_read(dtype: Any, order: str) -> None:
    np.testing.assert_array_equal(pixels(tiff_of(scaled(dtype, RGB)[..., 0], order)), RGB)


def test_light_above_white_is_told() -> None:
    with pytest.warns(PictureWarning, match="its values reach 7.5"):
        found = pixels(tiff_of(np.array([[[7.5, 0.2, -1.0]]], np.float32)))
    assert tuple(found[0, 0]) == (255, 51, 0)


# --- packing -----------------------------------------------------------------------------------------------------

BASIC = {256: [53], 257: [37], 262: [2], 277: [3]}


def differences(values: Any) -> Any:
    """As predictor 2 leaves them."""
    return np.concatenate([values[:, :1], np.diff(values, axis=1)], axis=1)


def float_differences(values: Any) -> bytes:
    """As predictor 3 leaves floats (H, W, samples)."""
    height, _, samples = values.shape
    planes = values.astype(f">f{values.itemsize}").view(np.uint8).reshape(height, -1, values.itemsize)
    return differences(planes.transpose(0, 2, 1).reshape(height, -1, samples)).astype(np.uint8).tobytes()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
def test_differences_are_summed(dtype: Any, order: str) -> None:
    values = scaled(dtype, RGB)[..., 0]
    data = differences(values).astype(np.dtype(dtype).newbyteorder(order)).tobytes()
    tags = {**BASIC, 258: [values.itemsize * 8] * 3, 259: [8], 278: [37], 317: [2]}
    np.testing.assert_array_equal(pixels(tiff([zlib.compress(data)], tags, order)), RGB)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_differences_of_floats_are_summed(dtype: Any, order: str) -> None:
    data = float_differences(scaled(dtype, RGB)[..., 0])
    bits = np.dtype(dtype).itemsize * 8
    tags = {**BASIC, 258: [bits] * 3, 259: [8], 278: [37], 317: [3], 339: [3] * 3}
    np.testing.assert_array_equal(pixels(tiff([zlib.compress(data)], tags, order)), RGB)


def in_tiles(values: Any, side: int) -> list[Any]:
    height, width = values.shape[:2]
    padded = np.pad(values, ((0, -height % side), (0, -width % side), (0, 0)))
    return [
        padded[y : y + side, x : x + side]
        for y in range(0, padded.shape[0], side)
        for x in range(0, padded.shape[1], side)
    ]


@pytest.mark.parametrize("predictor", [1, 2])
def test_tiles_are_put_together(predictor: int) -> None:
    tiles = in_tiles(scaled(np.uint16, RGB)[..., 0], 16)
    strips = [zlib.compress((differences(tile) if predictor == 2 else tile).tobytes()) for tile in tiles]
    tags = {**BASIC, 258: [16] * 3, 259: [8], 317: [predictor], 322: [16], 323: [16]}
    np.testing.assert_array_equal(pixels(tiff(strips, tags)), RGB)


def test_strips_and_planes_are_put_together() -> None:
    values = scaled(np.uint16, RGB)[..., 0]
    strips = [values[y : y + 10, :, c].tobytes() for c in range(3) for y in range(0, 37, 10)]
    np.testing.assert_array_equal(pixels(tiff(strips, {**BASIC, 258: [16] * 3, 278: [10], 284: [2]})), RGB)


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate", "zstd"])
def test_whatever_packs_bytes_is_unpacked(compression: str) -> None:
    image = Image.fromarray(scaled(np.uint16, RGB[..., 0])[..., 0])
    np.testing.assert_array_equal(pixels(encoded(image, "TIFF", compression=compression))[..., 1], RGB[..., 0])


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_pictures_stand_upright(orientation: int) -> None:
    data = tiff_of(scaled(np.uint16), t274=[orientation])
    expected = {1: GRAYS, 3: GRAYS[::-1, ::-1], 6: np.rot90(GRAYS, -1)}[orientation]
    check_grays(data, expected)


# --- what is refused ---------------------------------------------------------------------------------------------


def plain(tags: dict[int, Sequence[int]]) -> bytes:
    return tiff([bytes(4000)], {256: [8], 257: [8], 258: [8], 262: [1], 277: [1], 278: [8], **tags})


@pytest.mark.parametrize(
    ("tags", "kind"),
    [
        ({258: [14], 259: [34892]}, "gray, 1 samples of 14 bits, compression 34892"),
        ({258: [24], 339: [3]}, "gray, 1 float samples of 24 bits"),
        ({258: [8, 16], 277: [2]}, "gray, 2 samples of 8/16 bits"),
        ({262: [32803], 258: [16]}, "photometric 32803, 1 samples of 16 bits"),
        ({262: [2], 277: [2]}, "RGB, 2 samples of 8 bits"),
    ],
)
def test_a_kind_that_is_not_read_is_named(tags: dict[int, Sequence[int]], kind: str) -> None:
    with refused(PictureUnsupported, "unread-kind", name="the picture", kind=lambda found: kind in found):
        pixels(plain(tags))


@pytest.mark.parametrize(("tags"), [{50706: [1, 4, 0, 0]}, {254: [1], 330: [8]}], ids=["DNG", "NEF, ARW"])
def test_the_small_preview_of_a_raw_file_is_not_the_picture(tags: dict[int, Sequence[int]]) -> None:
    with refused(PictureUnsupported, "unread-format", called="a camera's raw file"):
        pixels(plain(tags))


def test_a_tiff_without_a_size_or_pixels_is_damaged() -> None:
    with refused(PictureBroken, "damaged", called="a TIFF picture"):
        pixels(plain({256: [8]}).replace(struct.pack("<HHII", 256, 4, 1, 8), struct.pack("<HHII", 65000, 4, 1, 8)))
    with refused(PictureBroken, "damaged", called="a TIFF picture"):
        pixels(tiff_of(scaled(np.uint16))[:-8])


def test_many_deep_samples_are_refused_before_they_are_unpacked() -> None:
    with refused(PictureTooLarge, "many-samples", limit=2048):
        pixels(plain({256: [8000], 257: [8000], 258: [64] * 5, 262: [2], 277: [5], 339: [3] * 5}))


def test_several_pages_beyond_8_bits_are_refused_too() -> None:
    pages = [Image.fromarray(scaled(np.uint16)[..., 0])] * 3
    with refused(PictureAnimated, "animated", frames=3):
        pixels(encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
