"""Pictures in and out: files to upright 8-bit RGB, squares for the image encoder, arrays to pictures.

Pillow and numpy only, so that a client can use it without loading MindSpore.

    PictureError
     +-- PictureNotFound      there is no such file, or it may not be read
     +-- PictureBroken        the bytes are no picture of a known format, or end too early
     +-- PictureAnimated      it holds more than one frame or page
     +-- PictureTooLarge      it has more pixels than MAX_PICTURE_PIXELS
"""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor, ImageOps, UnidentifiedImageError

Fit = Literal["crop", "pad", "stretch"]
Backdrop = str | tuple[int, int, int]  # a CSS colour name, "#rrggbb", or red, green, blue in 0..255

# 16384 x 8192: more than any camera of today, and 0.5 GB once decoded with alpha.
MAX_PICTURE_PIXELS = 2**27
# Fitting the short side of a longer strip to the encoder's square would need a picture too large to hold.
MAX_ASPECT = 100

# What artists and cameras write. Left out are formats that Pillow decodes by running another program (EPS) and those
# that nobody sends on purpose, each of which is one more parser open to hostile bytes. JPEG covers the MPO of cameras.
_FORMATS = ("AVIF", "BMP", "GIF", "ICO", "JPEG", "JPEG2000", "PNG", "PPM", "TGA", "TIFF", "WEBP")

# Pillow's decoders let the errors of their own parsing out on broken files.
_BROKEN = (
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


class PictureError(ValueError):
    """A picture cannot be used; the text is one sentence that names it."""


class PictureNotFound(PictureError):
    """There is no such file, or it may not be read."""


class PictureBroken(PictureError):
    """The bytes are no picture of a known format, or they end too early."""


class PictureAnimated(PictureError):
    """The file holds more than one frame or page."""


class PictureTooLarge(PictureError):
    """The picture has more than MAX_PICTURE_PIXELS pixels."""


def open_picture(source: str | Path | BinaryIO | Image.Image) -> Image.Image:
    """The picture in a file, a stream or a Pillow image: upright, 8-bit, RGB, or RGBA where it has transparency.

    EXIF orientation is applied. Gray values of 16 bits ("I;16", and "I", which Pillow uses for them too) are scaled
    from 0..65535; floats ("F") from 0..1, or from 0..255 when one of them is above 1. Colour profiles are not applied.

    Raises:
        PictureError: one of its kinds above; the message names the file.
    """
    if isinstance(source, Image.Image):
        with _translated("the picture"):
            return _upright_8_bit(source, "the picture")
    name = str(source) if isinstance(source, (str, Path)) else str(getattr(source, "name", "the picture"))
    with _translated(name), Image.open(source, formats=_FORMATS) as image:
        return _upright_8_bit(image, name)


def composite(image: Image.Image, backdrop: Backdrop) -> Image.Image:
    """`image` as RGB, its transparent parts showing `backdrop`."""
    colour = _colour(backdrop)
    if not image.has_transparency_data:
        return image.convert("RGB")
    plane = Image.new("RGBA", image.size, (*colour, 255))
    return Image.alpha_composite(plane, image.convert("RGBA")).convert("RGB")


def fit_square(image: Image.Image, size: int, fit: Fit, backdrop: Backdrop) -> Image.Image:
    """The `size` x `size` RGB square that the model sees of `image`, with transparency composited on `backdrop`.

    "crop" cuts the centre out, exactly as ClipImageProcessor does; "pad" shows all of it with `backdrop` beside it;
    "stretch" squeezes all of it in.

    Raises:
        PictureError: `fit` or `backdrop` is unknown, or "crop" meets a strip of more than MAX_ASPECT to 1.
    """
    opaque = composite(image, backdrop)
    if fit == "crop":
        return crop_centre(_resize_short_side(opaque, size), size, size)
    if fit == "pad":
        return ImageOps.pad(opaque, (size, size), Image.Resampling.BICUBIC, color=_colour(backdrop))
    if fit == "stretch":
        return opaque.resize((size, size), Image.Resampling.BICUBIC)
    raise PictureError(f"unknown fit {fit!r}: choose one of crop, pad, stretch")


def crop_centre(image: Image.Image, width: int, height: int) -> Image.Image:
    """The middle `width` x `height` pixels of `image`, which must be at least as large."""
    if width > image.width or height > image.height:
        raise PictureError(f"cannot cut {width} x {height} pixels out of {image.width} x {image.height}")
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def to_pil(pixels: npt.NDArray[np.floating[Any]]) -> list[Image.Image]:
    """RGB pictures from values (B, H, W, 3) in 0..1; values outside are clipped.

    Raises:
        PictureError: a value is not a number, which only a numeric failure of a model makes.
    """
    if np.isnan(pixels).any():
        raise PictureError("the model made pixels that are not numbers: compute in float32 instead of float16")
    bytes_ = (pixels.clip(0.0, 1.0) * 255.0).round().astype(np.uint8)
    return [Image.fromarray(picture) for picture in bytes_]


@dataclass(frozen=True)
class ClipImageProcessor:
    """What CLIP's vision model is fed: resized by bicubic, cut to a square, normalised by channel.

    Equal to the CLIPImageProcessor of transformers.
    """

    size: int  # px, of the short side after resizing
    crop_size: int  # px, of the square cut from the centre
    mean: tuple[float, float, float]  # of the channels, in 0..1
    std: tuple[float, float, float]
    rescale_factor: float

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> ClipImageProcessor:
        """From the contents of a preprocessor_config.json.

        Raises:
            ValueError: a key is missing, or asks for a step that this class does not do.
        """
        for step in ("do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb"):
            if not config.get(step, True):
                raise ValueError(f"preprocessor_config.json: {step} is false; only true is implemented")
        if config.get("resample", Image.Resampling.BICUBIC) != Image.Resampling.BICUBIC:
            raise ValueError(f"preprocessor_config.json: resample is {config['resample']}; only 3, bicubic, is known")
        size, crop_size = _side(config, "size"), _side(config, "crop_size")
        if crop_size > size:
            raise ValueError(f"preprocessor_config.json: crop_size {crop_size} is larger than size {size}")
        return cls(
            size=size,
            crop_size=crop_size,
            mean=_channels(config, "image_mean"),
            std=_channels(config, "image_std"),
            rescale_factor=config.get("rescale_factor", 1 / 255),
        )

    def __call__(self, image: Image.Image) -> npt.NDArray[np.float32]:
        """An RGB picture of any size -> (1, 3, crop_size, crop_size)."""
        resized = _resize_short_side(image.convert("RGB"), self.size)
        square = np.asarray(crop_centre(resized, self.crop_size, self.crop_size))
        scaled = (square * self.rescale_factor).astype(np.float32)
        normal = (scaled - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return np.ascontiguousarray(normal.transpose(2, 0, 1)[None])


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """Pillow's errors as ours. Its warnings (odd metadata, its own size limit) are of no use to the caller."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except PictureError:
        raise
    except Image.DecompressionBombError as exc:
        raise PictureTooLarge(f"{name} has more than {MAX_PICTURE_PIXELS} pixels: scale it down first") from exc
    except FileNotFoundError as exc:
        raise PictureNotFound(f"there is no picture file {name}") from exc
    except (PermissionError, IsADirectoryError) as exc:
        raise PictureNotFound(f"{name} cannot be read as a picture file: {exc.strerror}") from exc
    except UnidentifiedImageError as exc:
        raise PictureBroken(f"{name} is not a picture of a known format ({', '.join(_FORMATS)})") from exc
    except _BROKEN as exc:
        raise PictureBroken(f"{name} is broken and cannot be read as a picture: {exc}") from exc


def _upright_8_bit(image: Image.Image, name: str) -> Image.Image:
    _check_before_decoding(image, name)
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        image = _gray_8_bit(image)
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _check_before_decoding(image: Image.Image, name: str) -> None:
    if image.width * image.height > MAX_PICTURE_PIXELS:
        raise PictureTooLarge(
            f"{name} has {image.width} x {image.height} pixels, the limit is {MAX_PICTURE_PIXELS}: scale it down first"
        )
    if image.width * image.height == 0:
        raise PictureBroken(f"{name} has no pixels: it is {image.width} x {image.height}")
    # An MPO is a camera's JPEG with a depth map or a second view behind the picture.
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    if frames > 1:
        raise PictureAnimated(f"{name} holds {frames} frames or pages: save the one to use as a file of its own")


def _gray_8_bit(image: Image.Image) -> Image.Image:
    """Gray of more than 8 bits as "L"."""
    values = np.nan_to_num(np.asarray(image, np.float32), posinf=np.inf, neginf=0.0)
    white = 65535.0 if image.mode != "F" else 255.0 if values.max() > 1.0 else 1.0
    return Image.fromarray((values.clip(0.0, white) * (255.0 / white)).round().astype(np.uint8))


def check_not_too_narrow(image: Image.Image) -> None:
    """Refuse a strip of which a square would show next to nothing.

    Raises:
        PictureError: it is of more than MAX_ASPECT to 1.
    """
    short, long = sorted(image.size)
    if long > MAX_ASPECT * short:
        raise PictureError(
            f"a picture of {image.width} x {image.height} pixels is too narrow to cut a square from: pad or stretch it"
        )


def _resize_short_side(image: Image.Image, size: int) -> Image.Image:
    check_not_too_narrow(image)
    short, long = sorted(image.size)
    other = int(size * long / short)
    shape = (size, other) if image.width == short else (other, size)
    return image.resize(shape, Image.Resampling.BICUBIC)


def _colour(backdrop: Backdrop) -> tuple[int, int, int]:
    if not isinstance(backdrop, str):
        return backdrop
    try:
        red, green, blue = ImageColor.getrgb(backdrop)[:3]
    except ValueError as exc:
        raise PictureError(f"unknown colour {backdrop!r}: use a name like white, or #rrggbb") from exc
    return red, green, blue


def _side(config: Mapping[str, Any], key: str) -> int:
    """A side in px, from n, {"shortest_edge": n} or {"height": n, "width": n}."""
    value = config.get(key)
    sides = set(value.values()) if isinstance(value, Mapping) else {value}
    side = sides.pop() if len(sides) == 1 else None
    if not isinstance(side, int) or side < 1:
        raise ValueError(f"preprocessor_config.json: {key} is {value!r}; one side in pixels is needed")
    return side


def _channels(config: Mapping[str, Any], key: str) -> tuple[float, float, float]:
    value = config.get(key)
    if not isinstance(value, list) or len(value) != 3:
        raise ValueError(f"preprocessor_config.json: {key} is {value!r}; three numbers are needed")
    return value[0], value[1], value[2]
