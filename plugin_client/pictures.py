"""Pictures in files: what a client sends of them, and the PNG files that it writes.

The only module of this side that needs Pillow, and its only arrow to kandinsky_backend: reading the files that artists
and cameras write is done once, there, without MindSpore. An editor has pixels already and imports none of this.
"""

from __future__ import annotations

import json
import math
import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageColor, PngImagePlugin

from kandinsky_backend.images import PictureError, open_picture
from kandinsky_backend.utils import make_image_grid
from plugin_client.wire.errors import UsageError
from plugin_client.wire.limits import MAX_NAME_CHARS, MAX_PICTURE_BYTES, MAX_PICTURE_SIDE
from plugin_client.wire.messages import Picture, PictureItem

RECIPE_KEY = "kandinsky-blend"  # of the iTXt chunk that holds a picture's recipe as JSON
HEIC_SUFFIXES = (".heic", ".heif", ".hif")  # of phones; Pillow does not read them


def picture_item(source: str | Path | Image.Image, weight: float, **settings: Any) -> PictureItem:
    """A picture file or Pillow image as an item; `settings` are the other fields of PictureItem.

    Raises:
        UsageError: the file is missing, broken, animated or too large; the text names it.
    """
    if not isinstance(source, str | Path | Image.Image):
        raise UsageError(
            f"a {type(source).__name__} object is no picture: give a Path, the name of a file or a Pillow image"
        )
    _refuse_heic(source)
    try:
        image = open_picture(source)
    except PictureError as exc:
        raise UsageError(str(exc)) from exc
    label = "" if isinstance(source, Image.Image) else _label(Path(source).name)
    return PictureItem(from_image(image), weight, **{"label": label, **settings})


def _label(name: str) -> str:
    """A file's name as the protocol carries it, whatever bytes are in it."""
    return os.fsencode(name).decode("utf-8", "replace")[:MAX_NAME_CHARS]


def _refuse_heic(source: str | Path | Image.Image) -> None:
    if not isinstance(source, Image.Image) and str(source).lower().endswith(HEIC_SUFFIXES):
        raise UsageError(f"{source} is a HEIC picture, which cannot be read: save it as PNG or JPEG and give that")


def from_image(image: Image.Image) -> Picture:
    """The pixels of an RGB or RGBA image, scaled down to what one frame may carry. The model looks at far fewer."""
    channels = len(image.getbands())
    image = image.resize(fitting_size(image.width, image.height, channels), Image.Resampling.LANCZOS, reducing_gap=3)
    return Picture(image.width, image.height, channels, image.tobytes())


def fitting_size(width: int, height: int, channels: int) -> tuple[int, int]:
    """(width, height) in pixels, in the same proportion, that the protocol's limits allow; never larger."""
    by_side = MAX_PICTURE_SIDE / max(width, height)
    by_bytes = math.sqrt(MAX_PICTURE_BYTES / (width * height * channels))
    scale = min(1.0, by_side, by_bytes)
    return max(1, int(width * scale)), max(1, int(height * scale))


def to_image(picture: Picture) -> Image.Image:
    mode = "RGB" if picture.channels == 3 else "RGBA"
    return Image.frombytes(mode, (picture.width, picture.height), picture.pixels)


def write_png(path: Path, picture: Picture, recipe: dict[str, Any]) -> None:
    """A PNG file that carries its recipe. The same picture and recipe make the same bytes.

    Raises:
        OSError: the file cannot be written.
    """
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt(RECIPE_KEY, json.dumps(recipe, ensure_ascii=False, sort_keys=True))
    _save_png(path, to_image(picture), chunks)


def read_recipe(path: Path) -> dict[str, Any]:
    """The recipe in a PNG file, as it is: recipe.py checks it.

    Raises:
        UsageError: there is no such file, it is no PNG, or it carries no recipe.
    """
    if not path.is_file():
        raise UsageError(f"there is no picture file {path}")
    try:
        with Image.open(path, formats=["PNG"]) as image:
            image.load()
            text = image.info.get(RECIPE_KEY)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as exc:
        raise UsageError(f"{path} is not readable as a PNG picture, and no other carries a recipe: {exc}") from exc
    if text is None:
        raise UsageError(
            f"{path} carries no recipe: it was not made by kandinsky-blend, is a grid, or was saved anew since"
        )
    return _parse(text, path)


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        recipe = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise UsageError(f"the recipe in {path} is not readable as JSON: {exc}") from exc
    if type(recipe) is not dict:
        raise UsageError(f"the recipe in {path} is no map")
    return recipe


def write_grid(path: Path, pictures: Sequence[Picture]) -> None:
    """All pictures beside each other in one PNG file, as near to a square as may be, the rest of it white.

    Raises:
        OSError: the file cannot be written.
    """
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    images = [to_image(picture) for picture in pictures]
    blanks = [Image.new("RGB", images[0].size, "white")] * (rows * columns - len(images))
    _save_png(path, make_image_grid([*images, *blanks], rows, columns), PngImagePlugin.PngInfo())


def write_animation(path: Path, pictures: Sequence[Picture], milliseconds: int) -> None:
    """All pictures one after the other, again and again, in one GIF or WebP file; each is shown so long.

    Raises:
        OSError: the file cannot be written.
    """
    first, *others = map(to_image, pictures)
    options = {"save_all": True, "append_images": others, "duration": milliseconds, "loop": 0, "lossless": True}
    _save(path, first, format=path.suffix[1:].upper(), **options)


def colour(text: str) -> tuple[int, int, int]:
    """Red, green, blue of a colour's name or #rrggbb.

    Raises:
        UsageError: it is neither.
    """
    try:
        red, green, blue = ImageColor.getrgb(text)[:3]
    except ValueError as exc:
        raise UsageError(f"unknown colour {text!r}: use a name like white, or #rrggbb") from exc
    return red, green, blue


def _save_png(path: Path, image: Image.Image, chunks: PngImagePlugin.PngInfo) -> None:
    _save(path, image, format="PNG", compress_level=6, pnginfo=chunks)


def _save(path: Path, image: Image.Image, **how: Any) -> None:
    """Write the whole file or none of it: an older one is replaced only when the new one stands."""
    part = path.with_name(f"kandinsky-blend-{uuid.uuid4().hex}.part")  # another command may write the same file
    try:
        image.save(part, **how)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
