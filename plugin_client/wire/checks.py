"""The rules between the fields of one message, which no field states alone.

The codec applies them on both sides, so a client learns of a mistake before anything is sent.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from typing import Any

from plugin_client.wire.errors import BadValue, Path
from plugin_client.wire.faults import Fault
from plugin_client.wire.limits import MAX_MESSAGE_BYTES, MAX_PICTURE_BYTES, MAX_SIDE, MIN_SIDE
from plugin_client.wire.messages import (
    AnyRequest,
    Blend,
    EmbedsItem,
    Picture,
    PictureItem,
    Progress,
    Redraw,
    Refine,
    Repaint,
    Result,
    Upscale,
)

COLOURS = (3, 4)  # channels of RGB and RGBA
CHANNELS = (1, *COLOURS)  # 1 is a mask
MIN_RELATIVE_SUM = 1e-6  # of weights, beside the largest of them: below it they add up to 0, but for rounding


def check_picture(picture: Picture, where: Path) -> None:
    """Refuse a picture whose pixels do not fill its size."""
    size = {"width": picture.width, "height": picture.height, "channels": picture.channels}
    _check_channels(picture, where, CHANNELS)
    expected, count = math.prod(size.values()), len(picture.pixels)
    if count != expected:
        raise BadValue(where, picture, Fault.PIXELS, **size, count=count, expected=expected)


def check_picture_item(item: PictureItem, where: Path) -> None:
    """Refuse a mask to be blended."""
    check_colours(item.picture, (*where, "picture"))


def check_result(result: Result, where: Path) -> None:
    """Refuse a mask as a result."""
    for n, picture in enumerate(result.pictures):
        check_colours(picture, (*where, "pictures", n))


def check_progress(progress: Progress, where: Path) -> None:
    """Refuse a mask as a preview."""
    if progress.preview:
        check_colours(progress.preview, (*where, "preview"))


def check_colours(picture: Picture, where: Path) -> None:
    """Refuse a mask where a picture belongs."""
    _check_channels(picture, where, COLOURS)


def _check_channels(picture: Picture, where: Path, allowed: tuple[int, ...]) -> None:
    if picture.channels not in allowed:
        raise BadValue((*where, "channels"), picture.channels, Fault.NOT_A_CHOICE, choices=", ".join(map(str, allowed)))


def check_embeds(item: EmbedsItem, where: Path) -> None:
    """Refuse bytes that are no finite float32 values."""
    where = (*where, "embeds")
    if len(item.embeds) % 4:
        raise BadValue(where, item.embeds, Fault.PARTIAL_VALUES, count=len(item.embeds))
    values = struct.unpack(f"<{len(item.embeds) // 4}f", item.embeds)
    if not all(map(math.isfinite, values)):
        raise BadValue(where, item.embeds, Fault.NOT_FINITE)


def check_blend(blend: Blend, where: Path) -> None:
    """Refuse items, weights and sizes that no blend can be made of."""
    _check_items(blend, where)
    _check_size(blend, where)
    _check_produced(blend, (blend.width, blend.height), 3, where)


def check_refine(refine: Refine, where: Path) -> None:
    """Refuse what no picture can be drawn anew of."""
    _check_redraw(refine, (refine.source.width, refine.source.height), where)


def check_repaint(repaint: Repaint, where: Path) -> None:
    """Refuse what cannot be drawn into a picture, and a mask that leaves nothing to do or to go by."""
    source, mask, path = repaint.source, repaint.mask, (*where, "mask")
    _check_redraw(repaint, (source.width, source.height), where)
    _check_channels(mask, path, (1,))
    if (mask.width, mask.height) != (source.width, source.height):
        raise BadValue(
            path,
            mask,
            Fault.MASK_SIZE,
            width=mask.width,
            height=mask.height,
            source_width=source.width,
            source_height=source.height,
        )
    if not re.search(rb"[^\0]", mask.pixels):
        raise BadValue(path, mask, Fault.EMPTY_MASK)
    if not repaint.items and not re.search(rb"\0", mask.pixels):
        raise BadValue(path, mask, Fault.FULL_MASK)


def check_upscale(upscale: Upscale, where: Path) -> None:
    """Refuse what no picture can be made larger of."""
    source, size = upscale.source, (upscale.target_width, upscale.target_height)
    _check_redraw(upscale, size, where)
    for name, side, low in zip(("target_width", "target_height"), size, (source.width, source.height), strict=True):
        if side < low:
            raise BadValue((*where, name), side, Fault.SMALL_TARGET, low=low)
    if (count := math.prod(size) * source.channels) > MAX_PICTURE_BYTES:
        raise BadValue(
            (*where, "target_height"),
            upscale.target_height,
            Fault.LARGE_TARGET,
            width=upscale.target_width,
            height=upscale.target_height,
            bytes=count,
            high=MAX_PICTURE_BYTES,
        )


def _check_redraw(redraw: Redraw, made: tuple[int, int], where: Path) -> None:
    """Refuse what no kind of redrawing can do, which makes pictures of a width and height."""
    source = redraw.source
    check_colours(source, (*where, "source"))
    if redraw.items:
        _check_items(redraw, where)
    _check_size(redraw, where)
    _check_produced(redraw, made, source.channels, where)


def _check_items(request: AnyRequest, where: Path) -> None:
    items, weights = (*where, "items"), [item.weight for item in request.items]
    if not any(weights):
        raise BadValue(items, weights, Fault.NO_WEIGHT)
    _check_sum(request, weights, items)
    if len({len(item.embeds) for item in request.items if isinstance(item, EmbedsItem)}) > 1:
        raise BadValue(items, request.items, Fault.DIFFERENT_WIDTHS)


def _check_produced(request: AnyRequest, size: tuple[int, int], channels: int, where: Path) -> None:
    width, height = size
    if (produced := width * height * channels * request.count) > MAX_MESSAGE_BYTES:
        raise BadValue(
            (*where, "count"),
            request.count,
            Fault.TOO_MANY_PIXELS,
            width=width,
            height=height,
            bytes=produced,
            high=MAX_MESSAGE_BYTES,
        )


def _check_size(blend: AnyRequest, where: Path) -> None:
    if blend.width == blend.height == 0:
        return
    for name, side in (("width", blend.width), ("height", blend.height)):
        if side < MIN_SIDE:
            raise BadValue((*where, name), side, Fault.SIDE, low=MIN_SIDE, high=MAX_SIDE)


def _check_sum(blend: AnyRequest, weights: list[float], items: Path) -> None:
    total, least = sum(weights), MIN_RELATIVE_SUM * max(map(abs, weights))
    if blend.normalise:  # whatever the sum is, it becomes 1
        if abs(total) < least:
            raise BadValue(items, weights, Fault.NO_SUM)
    elif blend.blending == "spherical" and total < least:
        raise BadValue(items, weights, Fault.NO_POSITIVE_SUM, total=total)


def meaning_of(cls: type) -> Callable[[Any, Path], None]:
    """Return the check for values of `cls`: a function of a value and the path to it."""
    return _MEANINGS.get(cls, _anything)


def _anything(value: object, where: Path) -> None:
    """Accept a value whose fields have been checked."""


_MEANINGS: dict[type, Callable[[Any, Path], None]] = {
    Picture: check_picture,
    EmbedsItem: check_embeds,
    PictureItem: check_picture_item,
    Blend: check_blend,
    Refine: check_refine,
    Repaint: check_repaint,
    Upscale: check_upscale,
    Result: check_result,
    Progress: check_progress,
}
