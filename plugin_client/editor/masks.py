"""Masks as plain bytes, one for each pixel, row by row from the top."""

from __future__ import annotations

_HARD = b"\0" + b"\xff" * 255


def hard(mask: bytes) -> bytes:
    """Return 255 wherever the mask is not 0."""
    return mask.translate(_HARD)


def shrunk(mask: bytes, size: tuple[int, int], to: tuple[int, int]) -> bytes:
    """Return a mask of `size` (width, height) in the size `to`, each pixel that of the nearest."""
    if size == to:
        return mask
    columns = [x * size[0] // to[0] for x in range(to[0])]
    rows = (y * size[1] // to[1] * size[0] for y in range(to[1]))
    return b"".join(bytes([mask[start + x] for x in columns]) for start in rows)
