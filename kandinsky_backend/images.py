"""Pictures in and out: files to upright 8-bit RGB, squares for the image encoder, arrays to pictures.

Pillow and numpy only, so that a client can use it without loading MindSpore.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor, ImageOps

from kandinsky_backend.errors import PictureBroken, PictureError, PictureNotFound, PictureWarning
from kandinsky_backend.formats import BROKEN
from kandinsky_backend.picture_files import from_pillow, read_file

Fit = Literal["crop", "pad", "stretch"]
Backdrop = str | tuple[int, int, int]  # a CSS colour name, "#rrggbb", or red, green, blue in 0..255

_MOST_WARNINGS = 10  # of one picture: a hostile one could have millions
# Fitting the short side of a longer strip to the encoder's square would need a picture too large to hold.
MAX_ASPECT = 100


def open_picture(source: str | Path | BinaryIO | Image.Image) -> Image.Image:
    """The picture in a file, a stream or a Pillow image: upright, 8-bit sRGB, or RGBA where it has transparency.

    EXIF orientation is applied, and what the file says of its colours (colours.py) and of its samples: whole numbers
    of any depth are scaled from its black to its white, floats from 0..1. Pillow images are read by their `info`.

    Warns:
        PictureWarning: something beside the pixels could not be read, or a value had to be clipped.

    Raises:
        PictureError: one of its kinds; the message names the file.
    """
    notes: list[str] = []
    name = _name(source)
    with _translated(name):
        if isinstance(source, Image.Image):
            picture = from_pillow(source, name, notes.append)
        else:
            with _seekable(source, name) as stream:
                picture = read_file(stream, name, notes.append)
    for text in list(dict.fromkeys(notes))[:_MOST_WARNINGS]:
        warnings.warn(f"{name}: {text}", PictureWarning, stacklevel=2)
    return picture


def _name(source: str | Path | BinaryIO | Image.Image) -> str:
    """The name of a picture in an error."""
    if isinstance(source, (str, Path)):
        return str(source)
    return "the picture" if isinstance(source, Image.Image) else str(getattr(source, "name", "the picture"))


@contextmanager
def _seekable(source: str | Path | BinaryIO, name: str) -> Iterator[BinaryIO]:
    if isinstance(source, (str, Path)):
        with _opened(Path(source), name) as stream:
            yield stream
    else:
        yield source if source.seekable() else io.BytesIO(source.read())


@contextmanager
def open_file(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a picture file.

    Raises:
        PictureNotFound: there is no such file, or it may not be read, or it is none but a pipe or a device.
    """
    with _translated(str(path)), _opened(path, str(path)) as stream:
        yield stream


@contextmanager
def _opened(path: Path, name: str) -> Iterator[BinaryIO]:
    if not path.is_dir() and path.exists() and not path.is_file():
        raise PictureNotFound(
            "{name} cannot be read as a picture file: it is a pipe, a socket or a device", "no-regular-file", name=name
        )
    with path.open("rb") as stream:
        yield stream


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
    raise PictureError("unknown fit {fit!r}: choose one of crop, pad, stretch", "unknown-fit", fit=fit)


def crop_centre(image: Image.Image, width: int, height: int) -> Image.Image:
    """The middle `width` x `height` pixels of `image`, which must be at least as large."""
    if width > image.width or height > image.height:
        raise PictureError(
            "cannot cut {width} x {height} pixels out of {image_width} x {image_height}",
            "too-small",
            width=width,
            height=height,
            image_width=image.width,
            image_height=image.height,
        )
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def to_pil(pixels: npt.NDArray[np.floating[Any]]) -> list[Image.Image]:
    """RGB pictures from values (B, H, W, 3) in 0..1; values outside are clipped.

    Raises:
        PictureError: a value is not a number, which only a numeric failure of a model makes.
    """
    if np.isnan(pixels).any():
        raise PictureError(
            "the model made pixels that are not numbers: compute in float32 instead of float16", "not-numbers"
        )
    bytes_ = (pixels.clip(0.0, 1.0) * 255.0).round().astype(np.uint8)
    return [Image.fromarray(picture) for picture in bytes_]


# Of a preprocessor_config.json, all of which are done.
_STEPS = ("do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb")


def numpy_to_pil(images: npt.NDArray[Any]) -> list[Image.Image]:
    """RGB pictures from values (B, H, W, 3) or (H, W, 3) in 0..1, as scripts know it; see to_pil."""
    return to_pil(np.asarray(images, np.float32).reshape(-1, *images.shape[-3:]))


@dataclass(frozen=True)
class ClipImageProcessor:
    """Preprocess a picture for CLIP's vision model: resized by bicubic, cut to a square, normalised by channel.

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
        for step in _STEPS:
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

    def to_dict(self) -> dict[str, Any]:
        """The contents of a preprocessor_config.json that make this one again."""
        return {
            "image_processor_type": "CLIPImageProcessor",
            **dict.fromkeys(_STEPS, True),
            "size": {"shortest_edge": self.size},
            "crop_size": {"height": self.crop_size, "width": self.crop_size},
            "image_mean": list(self.mean),
            "image_std": list(self.std),
            "rescale_factor": self.rescale_factor,
            "resample": int(Image.Resampling.BICUBIC),
        }

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
    except FileNotFoundError as exc:
        raise PictureNotFound("there is no picture file {name}", "no-file", name=name) from exc
    except OSError as exc:
        reason = exc.strerror or str(exc)
        raise PictureNotFound(
            "{name} cannot be read as a picture file: {reason}", "unreadable", name=name, reason=reason
        ) from exc
    except BROKEN as exc:
        raise PictureBroken(
            "{name} is broken and cannot be read as a picture: {reason}", "broken", name=name, reason=str(exc)
        ) from exc


def check_not_too_narrow(image: Image.Image) -> None:
    """Refuse a strip of which a square would show next to nothing.

    Raises:
        PictureError: it is of more than MAX_ASPECT to 1.
    """
    short, long = sorted(image.size)
    if long > MAX_ASPECT * short:
        raise PictureError(
            "a picture of {width} x {height} pixels is too narrow to cut a square from: pad or stretch it",
            "too-narrow",
            width=image.width,
            height=image.height,
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
        raise PictureError(
            "unknown colour {colour!r}: use a name like white, or #rrggbb", "unknown-colour", colour=backdrop
        ) from exc
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
