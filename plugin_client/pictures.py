"""Reading picture files for the wire, and writing pictures with their recipes.

The only module of this side that needs Pillow, and its only arrow to kandinsky_backend: reading the files that artists
and cameras write is done once, there, without MindSpore. An editor has pixels already and imports none of this.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, ImageColor, PngImagePlugin

from kandinsky_backend import png_files
from kandinsky_backend.errors import PictureError, PictureWarning
from kandinsky_backend.images import open_file, open_picture
from kandinsky_backend.utils import make_image_grid
from plugin_client.picture_names import is_address
from plugin_client.regions import fitting_size
from plugin_client.wire.errors import UsageError
from plugin_client.wire.limits import MAX_NAME_CHARS
from plugin_client.wire.messages import Picture, PictureItem

SHEET_KEY = "kandinsky-blend-sheet"  # of the chunk of a sheet: {"columns": N, "recipes": [...]}, row by row
RECIPE_KEY = "kandinsky-blend"  # of the iTXt chunk that holds a picture's recipe as JSON


def picture_item(source: str | Path | Image.Image, weight: float, **settings: Any) -> PictureItem:
    """Return a picture file or Pillow image as an item; `settings` are the other fields of PictureItem.

    Raises:
        UsageError: the file is missing, broken, animated or too large; the text names it.
    """
    image = opened(source)
    label = "" if isinstance(source, Image.Image) else _label(Path(source).name)
    return PictureItem(from_image(image), weight, **{"label": label, **settings})


def opened(source: str | Path | Image.Image) -> Image.Image:
    """Return the RGB or RGBA picture in a file or a Pillow image.

    Raises:
        UsageError: the file is missing, broken, animated or too large; the text names it.
    """
    if not isinstance(source, str | Path | Image.Image):
        raise UsageError(
            f"a {type(source).__name__} object is no picture: give a Path, the name of a file or a Pillow image"
        )
    if isinstance(source, str) and is_address(source):
        raise UsageError(
            f"{source} is an address: give the file, or what load_image of kandinsky_backend.utils makes of it"
        )
    try:
        return open_picture(source)
    except PictureError as exc:
        raise UsageError(str(exc)) from exc


def _label(name: str) -> str:
    """Return a file's name as the protocol carries it, whatever bytes are in it."""
    return os.fsencode(name).decode("utf-8", "replace")[:MAX_NAME_CHARS]


@contextmanager
def warnings_told(tell: Callable[[str], None]) -> Iterator[None]:
    """Hand what could not be read of a picture, beside its pixels, to `tell` instead of Python's warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", PictureWarning)
        try:
            yield
        finally:
            for warning in caught:
                tell(str(warning.message))


def from_image(image: Image.Image) -> Picture:
    """Return the pixels of an RGB or RGBA image, scaled down to what a frame may carry; the model sees far fewer."""
    size = fitting_size(image.width, image.height, len(image.getbands()))
    return as_picture(image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3))


def to_image(picture: Picture) -> Image.Image:
    mode = "RGB" if picture.channels == 3 else "RGBA"
    return Image.frombytes(mode, (picture.width, picture.height), picture.pixels)


def as_picture(image: Image.Image) -> Picture:
    """Return the pixels of an image, RGB, RGBA or a mask, as they are."""
    return Picture(image.width, image.height, len(image.getbands()), image.tobytes())


def write_png(path: Path, picture: Picture, recipe: dict[str, Any], texts: Mapping[str, str] = {}) -> None:
    """Write a PNG file that carries its recipe, and other texts by their keys. The same makes the same bytes.

    Raises:
        OSError: the file cannot be written.
    """
    chunks = PngImagePlugin.PngInfo()
    for key, text in ({RECIPE_KEY: json.dumps(recipe, ensure_ascii=False, sort_keys=True)} | dict(texts)).items():
        chunks.add_itxt(key, text)
    _save_png(path, to_image(picture), chunks)


def has_pixels_of(png: bytes, picture: Picture) -> bool:
    """Whether the PNG file `png` shows the same as `picture`; one that is not readable shows nothing."""
    wanted = to_image(picture).convert("RGB")
    try:
        with warnings_told(lambda _: None):
            image = open_picture(BytesIO(png))
    except PictureError:
        return False
    return image.size == wanted.size and image.convert("RGB").tobytes() == wanted.tobytes()


def read_recipe(path: Path) -> dict[str, Any]:
    """Read the recipe in a PNG file, as it is: recipe.py checks it. Whatever else stands in the file does not matter.

    Raises:
        UsageError: there is no such file, it is no PNG, or it carries no recipe.
    """
    try:
        with open_file(path) as stream:
            text = png_files.text(stream, RECIPE_KEY)
            is_whole = png_files.is_whole(stream)
    except PictureError as exc:
        raise UsageError(str(exc)) from exc
    if text is not None:
        return _parse(text, path)
    if read_text(path, SHEET_KEY) is not None:
        raise UsageError(f"{path} is a sheet: say which of its pictures with --cell ROW,COLUMN")
    if not is_whole:
        raise UsageError(f"{path} is not readable as a PNG picture, and no other carries a recipe")
    raise UsageError(
        f"{path} carries no recipe: it was not made by kandinsky-blend, is a grid, or was saved anew since"
    )


def read_cell(path: Path, row: int, column: int) -> dict[str, Any]:
    """Read the recipe of a cell of a sheet, both counted from 1, as it is: recipe.py checks it.

    Raises:
        UsageError: there is no such file, it is no sheet, or it has no such cell.
    """
    text = read_text(path, SHEET_KEY)
    if text is None:
        raise UsageError(f"{path} is no sheet of kandinsky-blend explore: leave --cell out")
    sheet = _parse(text, path)
    columns, recipes = sheet.get("columns"), sheet.get("recipes")
    if type(columns) is not int or type(recipes) is not list or not 1 <= columns <= len(recipes):
        raise UsageError(f"the recipes in {path} are damaged")
    rows = len(recipes) // columns
    if row > rows or column > columns:
        raise UsageError(f"{path} has no cell {row},{column}: it has {rows} rows and {columns} columns")
    recipe = recipes[(row - 1) * columns + column - 1]
    if type(recipe) is not dict:
        raise UsageError(f"the recipe in {path} is no map")
    return recipe


def read_text(path: Path, key: str) -> str | None:
    """Read the text under `key` in a PNG file; None where there is none. Raises: UsageError: there is no such file."""
    try:
        with open_file(path) as stream:
            return png_files.text(stream, key)
    except PictureError as exc:
        raise UsageError(str(exc)) from exc


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        recipe = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise UsageError(f"the recipe in {path} is not readable as JSON: {exc}") from exc
    if type(recipe) is not dict:
        raise UsageError(f"the recipe in {path} is no map")
    return recipe


def write_grid(path: Path, pictures: Sequence[Picture]) -> None:
    """Write all pictures into one PNG file, beside each other in nearly a square, with the rest white.

    Raises:
        OSError: the file cannot be written.
    """
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    images = [to_image(picture) for picture in pictures]
    blanks = [Image.new("RGB", images[0].size, "white")] * (rows * columns - len(images))
    _save_png(path, make_image_grid([*images, *blanks], rows, columns), PngImagePlugin.PngInfo())


def write_sheet(path: Path, pictures: Sequence[Picture], recipes: Sequence[dict[str, Any]], columns: int) -> None:
    """Write pictures of one size, row by row, into one PNG file that carries the recipe of each, as of read_cell.

    Raises:
        OSError: the file cannot be written.
    """
    chunks = PngImagePlugin.PngInfo()
    sheet = {"columns": columns, "recipes": recipes}
    chunks.add_itxt(SHEET_KEY, json.dumps(sheet, ensure_ascii=False, sort_keys=True))
    images = [to_image(picture) for picture in pictures]
    _save_png(path, make_image_grid(images, len(images) // columns, columns), chunks)


def write_animation(path: Path, pictures: Sequence[Picture], milliseconds: int) -> None:
    """Write all pictures into one GIF or WebP animation that repeats; each is shown for so many milliseconds.

    Raises:
        OSError: the file cannot be written.
    """
    first, *others = map(to_image, pictures)
    options = {"save_all": True, "append_images": others, "duration": milliseconds, "loop": 0, "lossless": True}
    _save(path, first, format=path.suffix[1:].upper(), **options)


def colour(text: str) -> tuple[int, int, int]:
    """Return red, green and blue, from 0 to 255, of a colour's name or #rrggbb.

    Raises:
        UsageError: it is neither.
    """
    try:
        red, green, blue = ImageColor.getrgb(text)[:3]
    except ValueError as exc:
        raise UsageError(f"unknown colour {text!r}: use a name like white, or #rrggbb") from exc
    return red, green, blue


def _save_png(path: Path, image: Image.Image, chunks: PngImagePlugin.PngInfo) -> None:
    chunks.add(b"sRGB", b"\0")  # what its colours are, rendered perceptually
    _save(path, image, format="PNG", compress_level=6, pnginfo=chunks)


def _save(path: Path, image: Image.Image, **how: Any) -> None:
    """Write the whole file or none of it: an older one is replaced when the new one is complete.

    Of a link, that is the file to which it leads. Whoever might read the older file may read the new one.
    """
    target = Path(os.path.realpath(path))
    part = target.with_name(f"kandinsky-blend-{uuid.uuid4().hex}.part")  # another command may write the same file
    try:
        image.save(part, **how)
        if target.exists():
            shutil.copymode(target, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
