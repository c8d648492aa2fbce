"""load_image, make_image_grid and numpy_to_pil, as scripts for diffusers and mindone know them."""

from __future__ import annotations

import io
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path

from PIL import Image

from kandinsky_backend.errors import PictureError
from kandinsky_backend.images import Backdrop, composite, numpy_to_pil, open_picture

__all__ = ["load_image", "make_image_grid", "numpy_to_pil"]

DOWNLOAD_TIMEOUT = 30.0  # s, of silence
MAX_DOWNLOAD_BYTES = 256 * 2**20


def load_image(
    image: str | Path | Image.Image,
    convert_method: Callable[[Image.Image], Image.Image] | None = None,
    backdrop: Backdrop = "white",
) -> Image.Image:
    """A picture from a file, an http(s) URL or a Pillow image: upright and RGB.

    Args:
        image: where it comes from.
        convert_method: called with the upright picture (RGB, or RGBA where it has transparency) instead of
            compositing it; what it returns is returned.
        backdrop: the colour that transparent parts show: a name, "#rrggbb", or (red, green, blue). The reference
            drops alpha instead, which brings up whatever colour lies hidden under it.

    Raises:
        PictureError: see images.py; or the download failed.
    """
    is_url = isinstance(image, str) and image.startswith(("http://", "https://"))
    picture = open_picture(_download(str(image)) if is_url else image)
    return composite(picture, backdrop) if convert_method is None else convert_method(picture)


def make_image_grid(images: Sequence[Image.Image], rows: int, cols: int, resize: int | None = None) -> Image.Image:
    """One RGB picture of rows * cols pictures of one size, row by row; each made `resize` px square first if given.

    Raises:
        ValueError: there are not rows * cols pictures, or they differ in size.
    """
    if not images or len(images) != rows * cols:
        raise ValueError(f"{len(images)} pictures do not fill a grid of {rows} rows and {cols} columns")
    tiles = list(images) if resize is None else [image.resize((resize, resize)) for image in images]
    width, height = tiles[0].size
    grid = Image.new("RGB", (cols * width, rows * height))
    for i, tile in enumerate(tiles):
        if tile.size != (width, height):
            raise ValueError(f"picture {i} of the grid is {tile.size}, the first is {(width, height)}: give resize=")
        grid.paste(composite(tile, "white"), (i % cols * width, i // cols * height))
    return grid


class _NamedBytes(io.BytesIO):
    """A download in memory; errors call it by its URL."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name


def _download(url: str) -> _NamedBytes:
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "kandinsky-blend"})  # some sites refuse urllib's
        with urllib.request.urlopen(request, timeout=DOWNLOAD_TIMEOUT) as response:
            data: bytes = response.read(MAX_DOWNLOAD_BYTES + 1)
            missing: int = response.length or 0  # of what the server announced; None when it announced nothing
    except urllib.error.HTTPError as exc:
        exc.close()
        raise PictureError(
            "{url} cannot be downloaded: the server answers {status} {reason}",
            "refused-by-server",
            url=url,
            status=exc.code,
            reason=exc.reason,
        ) from exc
    except (OSError, HTTPException, ValueError) as exc:  # URLError, a timeout, a cut, or no URL at all
        reason = str(getattr(exc, "reason", exc)) or type(exc).__name__
        raise PictureError("{url} cannot be downloaded: {reason}", "no-download", url=url, reason=reason) from exc
    if len(data) > MAX_DOWNLOAD_BYTES:
        raise PictureError(
            "{url} is larger than {limit} MiB: save and scale it down first",
            "large-download",
            url=url,
            limit=MAX_DOWNLOAD_BYTES >> 20,
        )
    if missing:
        raise PictureError(
            "{url} cannot be downloaded: the connection ended {missing} bytes early",
            "cut-download",
            url=url,
            missing=missing,
        )
    return _NamedBytes(data, url)
