"""What no field says alone: the rules between the fields of one message.

The codec applies them on both sides, so a client learns of a mistake before anything is sent.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any

from plugin_client.wire.errors import ProtocolError
from plugin_client.wire.limits import MAX_MESSAGE_BYTES, MAX_SIDE, MIN_SIDE
from plugin_client.wire.messages import Blend, EmbedsItem, Picture

MIN_RELATIVE_SUM = 1e-6  # of weights, beside the largest of them: below it they add up to 0, but for rounding


def check_picture(picture: Picture, where: str) -> None:
    expected = picture.width * picture.height * picture.channels
    if len(picture.pixels) != expected:
        size = f"{picture.width} x {picture.height} x {picture.channels}"
        raise ProtocolError(f"{where} of {size} has {len(picture.pixels)} bytes of pixels, must have {expected}")


def check_embeds(item: EmbedsItem, where: str) -> None:
    if len(item.embeds) % 4:
        raise ProtocolError(f"{where}.embeds has {len(item.embeds)} bytes, which are no whole float32 values")
    values = struct.unpack(f"<{len(item.embeds) // 4}f", item.embeds)
    if not all(map(math.isfinite, values)):
        raise ProtocolError(f"{where}.embeds holds a value that is not finite")


def check_blend(blend: Blend, where: str) -> None:
    weights = [item.weight for item in blend.items]
    if not any(weights):
        raise ProtocolError(f"{where}.items have no weight: at least one must not be 0")
    _check_sum(blend, weights, where)
    if len({len(item.embeds) for item in blend.items if isinstance(item, EmbedsItem)}) > 1:
        raise ProtocolError(f"{where}.items have embeddings of different widths")
    _check_size(blend, where)
    produced = blend.width * blend.height * 3 * blend.count
    if produced > MAX_MESSAGE_BYTES:
        raise ProtocolError(
            f"{where}.count is {blend.count}: so many pictures of {blend.width} x {blend.height} are {produced} bytes, "
            f"and one job may make {MAX_MESSAGE_BYTES}"
        )


def _check_size(blend: Blend, where: str) -> None:
    if blend.width == blend.height == 0:
        return
    for name, side in (("width", blend.width), ("height", blend.height)):
        if side < MIN_SIDE:
            raise ProtocolError(
                f"{where}.{name} is {side}: must be a whole number from {MIN_SIDE} to {MAX_SIDE}, "
                "or 0 like the other side, which leaves both to the model"
            )


def _check_sum(blend: Blend, weights: list[float], where: str) -> None:
    total, least = sum(weights), MIN_RELATIVE_SUM * max(map(abs, weights))
    if blend.normalise:  # whatever the sum is, it becomes 1
        if abs(total) < least:
            raise ProtocolError(f"{where}.items have weights that sum to 0, or nearly, which cannot be normalised")
    elif blend.blending == "spherical" and total < least:
        raise ProtocolError(
            f"{where}.items have weights that sum to {total:g}: spherical blending needs a positive sum, "
            "so raise a weight, normalise them, or blend linearly"
        )


def meaning_of(cls: type) -> Callable[[Any, str], None]:
    """The check of a class, called with a value of it and the words for where it stands."""
    return _MEANINGS.get(cls, _anything)


def _anything(value: object, where: str) -> None:
    """The fields alone say all that there is to check."""


_MEANINGS: dict[type, Callable[[Any, str], None]] = {
    Picture: check_picture,
    EmbedsItem: check_embeds,
    Blend: check_blend,
}
