"""Pictures and masks as pipelines that redraw a picture take them: Pillow images, arrays or Tensors, one or several."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from mindspore import Tensor
from PIL import Image

from kandinsky_backend.images import composite, open_picture
from kandinsky_backend.pipelines.base import to_host
from kandinsky_backend.sampling import Array


def pictures_of(name: str, given: Any, height: int, width: int) -> Array:
    """Pixels (B, 3, height, width) in -1..1 of one or several pictures.

    Pillow images are stretched to the size as in the reference, transparent parts white. Arrays (H, W, 3) hold 0..255,
    Tensors ([B,] 3, H, W) -1..1.

    Raises:
        TypeError: it is something else.
        ValueError: an array or Tensor is of another shape or size, or holds other values.
    """

    def from_pillow(image: Image.Image) -> Array:
        opaque = composite(open_picture(image), "white")
        if opaque.size != (width, height):
            opaque = opaque.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=1)
        return from_array(np.asarray(opaque))

    def from_array(values: Array) -> Array:
        return np.moveaxis(np.atleast_3d(np.asarray(values, np.float32) / np.float32(127.5) - 1), 2, 0)[None]

    def checked(values: Array) -> Array:
        if values.shape[1:] != (3, height, width):
            raise ValueError(f"{name} has the shape {values.shape}: give (B, 3, {height}, {width})")
        return _within(name, values, -1)

    return np.concatenate([checked(_converted(name, one, from_pillow, from_array)) for one in _several(given)])


def masks_of(name: str, given: Any, height: int, width: int) -> Array:
    """Masks (B, 1, height, width), 1 where a picture is to be repainted and 0 elsewhere.

    Pillow images, arrays (h, w[, 1]) and Tensors ([B,] [1,] h, w) are stretched to the size, and white from half on;
    arrays and Tensors hold 0..1 or are of bool.

    Raises:
        TypeError: it is something else.
        ValueError: an array or Tensor is empty, of another shape, or holds other values.
    """

    def from_pillow(mask: Image.Image) -> Array:
        if mask.size != (width, height):
            mask = mask.resize((width, height), Image.Resampling.LANCZOS)
        return from_array(np.asarray(mask.convert("L"), np.float32) / 255)

    def from_array(values: Array) -> Array:
        plane = values[..., 0] if values.ndim == 3 and values.shape[2] == 1 else values
        if plane.ndim != 2:
            raise ValueError(f"{name} has the shape {values.shape}: give (height, width)")
        return np.asarray(plane, np.float32)[None, None]

    def stretched(masks: Array) -> Array:
        return np.stack([_stretched(mask, height, width) for mask in masks.reshape(-1, *masks.shape[-2:])])[:, None]

    masks = [_within(name, _converted(name, one, from_pillow, from_array), 0) for one in _several(given)]
    return np.asarray(np.concatenate([stretched(mask) for mask in masks]) >= 0.5, np.float32)


def for_each_row(name: str, values: Array, rows: int) -> Array:
    """One of `values` for each of `rows` embeddings; a single one serves all.

    Raises:
        ValueError: there are more or fewer.
    """
    if len(values) not in (1, rows):
        raise ValueError(f"{len(values)} were given as {name} for {rows} rows of image_embeds: give one, or one each")
    return np.repeat(values, rows, axis=0) if len(values) < rows else values


def _several(given: Any) -> list[Any]:
    return list(given) if isinstance(given, list | tuple) and given else [given]


def _converted(
    name: str, one: Any, from_pillow: Callable[[Image.Image], Array], from_array: Callable[[Any], Array]
) -> Array:
    if isinstance(one, Image.Image):
        return from_pillow(one)
    if isinstance(one, Tensor):
        values = to_host(one)
        return values.reshape(-1, *values.shape[-3:]) if values.ndim > 2 else values[None, None]
    if isinstance(one, np.ndarray) and one.ndim in (2, 3):
        return from_array(one)
    raise TypeError(f"{name} is a {type(one).__name__}: give a PIL image, an array, a Tensor, or a list of them")


def _within(name: str, values: Array, lowest: int) -> Array:
    """The values, none of which may be below `lowest` or above 1."""
    if not values.size:
        raise ValueError(f"{name} is empty: its shape is {values.shape}")
    if not (np.isfinite(values).all() and values.min() >= lowest - 1e-4 and values.max() <= 1 + 1e-4):
        raise ValueError(f"{name} holds values from {values.min()} to {values.max()}: give {lowest} to 1")
    return values


def _stretched(mask: Array, height: int, width: int) -> Array:
    """A mask (h, w) in the size (height, width)."""
    if mask.shape == (height, width):
        return mask
    return np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.LANCZOS))
