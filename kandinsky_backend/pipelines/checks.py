"""Checks of what a script gives to a pipeline; each error names the parameter and its value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

from mindspore import Tensor
from PIL import Image

from kandinsky_backend.sampling import Array

Prompt = str | list[str]


def texts_of(name: str, value: Prompt) -> list[str]:
    """The prompts of a parameter that takes one or several.

    Raises:
        TypeError: it is neither a str nor a list of such.
        ValueError: the list is empty, or holds what is no Unicode.
    """
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise TypeError(f"{name} is {value!r}: give a str or a list of str")
    if not texts:
        raise ValueError(f"{name} is an empty list: give at least one prompt")
    for text in texts:
        _check_is_unicode(name, text)
    return list(texts)


def check_is_text(name: str, value: str) -> None:
    """Refuse what is no str.

    Raises:
        TypeError: it is something else.
        ValueError: it is no Unicode.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} is {value!r}: give a str")
    _check_is_unicode(name, value)


def _check_is_unicode(name: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        raise ValueError(f"{name} is {text!r}: it holds half of a surrogate pair, which no tokenizer takes") from exc


def check_as_many(prompts: list[str], negatives: list[str]) -> None:
    """Refuse negative prompts that do not pair up with the prompts.

    Raises:
        ValueError: there are more or fewer.
    """
    if len(prompts) != len(negatives):
        raise ValueError(f"{len(prompts)} prompts and {len(negatives)} negative prompts were given: give as many")


def check_output_type(output_type: str, *known: str) -> None:
    """Refuse an output type that the pipeline does not know.

    Raises:
        ValueError: it is none of `known`.
    """
    if output_type not in known:
        raise ValueError(f"output_type is {output_type!r}: choose one of {', '.join(known)}")


def check_at_least_1(name: str, value: int) -> None:
    """Refuse zero and less.

    Raises:
        TypeError: the value is no whole number.
        ValueError: the value is below 1.
    """
    check_is_whole(name, value)
    if value < 1:
        raise ValueError(f"{name} is {value}: it must be at least 1")


def check_is_whole(name: str, value: int) -> None:
    """Refuse what is no whole number; NumPy's are.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} is {value!r}: give a whole number")


def check_is_number(name: str, value: float) -> None:
    """Refuse what is no number; NumPy's are, and arrays and Tensors without dimensions.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(value, bool) or not (isinstance(value, Real) or getattr(value, "shape", None) == ()):
        raise TypeError(f"{name} is {value!r}: give a number")


def check_items(items: Sequence[Any], weights: Sequence[float]) -> None:
    """Refuse items and weights that have no meaning together.

    Raises:
        TypeError: there is no list of either, an item is no prompt, picture or Tensor of pixels, or a weight no number.
        ValueError: there is none, not a weight for each, a weight is not finite, all are 0, or a prompt is no Unicode.
    """
    for name, given in (("images_and_prompts", items), ("weights", weights)):
        if isinstance(given, str | bytes) or not hasattr(given, "__len__"):
            raise TypeError(f"{name} is {given!r}: give a list")
    if len(items) != len(weights):
        raise ValueError(f"{len(items)} items and {len(weights)} weights were given: give as many")
    if not len(items):  # an array has no truth value
        raise ValueError("images_and_prompts is empty: give at least one item and its weight")
    for index, (item, weight) in enumerate(zip(items, weights, strict=True)):
        if not isinstance(item, str | Image.Image | Tensor):
            raise TypeError(
                f"item {index + 1} of images_and_prompts is a {type(item).__name__}: give a str, a "
                "PIL image, or a Tensor of preprocessed pixels"
            )
        if isinstance(item, str):
            _check_is_unicode(f"item {index + 1} of images_and_prompts", item)
        check_is_number(f"the weight of item {index + 1}", weight)
        if not math.isfinite(weight):
            raise ValueError(f"the weight of item {index + 1} is {weight}: give a finite number")
    if not any(weights):
        raise ValueError("all weights are 0: give at least one item another weight")


def check_embeds(embeds: Array, negative_embeds: Array, width: int) -> None:
    """Refuse image embeddings that the UNet does not take.

    Raises:
        ValueError: `embeds` is not (rows, width), or `negative_embeds` is of another shape than it.
    """
    if embeds.ndim != 2 or not len(embeds) or embeds.shape[1] != width:
        raise ValueError(f"image_embeds have the shape {embeds.shape}: the UNet takes (rows, {width})")
    if negative_embeds.shape != embeds.shape:
        raise ValueError(f"negative_image_embeds have the shape {negative_embeds.shape}, image_embeds {embeds.shape}")
