"""Masks and edges of pictures that are redrawn, between pixels and cells; a cell is what one latent pixel stands for.

Pure numpy. Masks are 1, white or True where a picture is to be repainted.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]


def covered_cells(mask: Bools, height: int, width: int, cell: int, shape: tuple[int, int]) -> Bools:
    """The cells (rows, columns) of `shape` in which any pixel of a mask lies.

    Args:
        mask: (H, W), stretched over the middle `height` x `width` px of the cells; beyond, its edges go on.
        cell: px of a side of a cell.
    """
    rows, columns = shape
    above = _any_between(mask, *_spans(mask.shape[0], height, cell, rows))
    return _any_between(above.T, *_spans(mask.shape[1], width, cell, columns)).T


def _spans(size: int, extent: int, cell: int, count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The first pixel of each of `count` cells and the one behind its last, of `size` pixels stretched to `extent`."""
    starts = np.arange(count, dtype=np.int64) * cell - (count * cell - extent) // 2
    firsts = (starts * size // extent).clip(0, size - 1)
    return firsts, np.maximum((-(-(starts + cell) * size // extent)).clip(0, size), firsts + 1)


def _any_between(mask: Bools, firsts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> Bools:
    """Whether anything is set in rows firsts[i] to ends[i] of (H, W): (N, W)."""
    counts = np.zeros((mask.shape[0] + 1, mask.shape[1]), np.int64)
    counts[1:] = mask.cumsum(axis=0)
    return np.asarray(counts[ends] > counts[firsts])


def grown(cells: Bools) -> Bools:
    """Cells (..., h, w) and the eight around each: what an encoder says of a cell depends on its neighbours too."""
    for axis in (-2, -1):
        before, after = np.roll(cells, 1, axis), np.roll(cells, -1, axis)
        first, last = [slice(None)] * cells.ndim, [slice(None)] * cells.ndim
        first[axis], last[axis] = slice(0, 1), slice(-1, None)
        before[tuple(first)], after[tuple(last)] = False, False
        cells = cells | before | after
    return cells


def padded(pixels: npt.NDArray[np.float32], multiple: int, least: tuple[int, int] = (1, 1)) -> npt.NDArray[np.float32]:
    """Pixels (B, C, H, W) in the middle of sides that are multiples and not below the least; their edges go on."""
    margins = (_margins(side, max(side, low), multiple) for side, low in zip(pixels.shape[2:], least, strict=True))
    return np.pad(pixels, ((0, 0), (0, 0), *margins), "edge")


def _margins(side: int, least: int, multiple: int) -> tuple[int, int]:
    missing = -(-least // multiple) * multiple - side
    return missing // 2, missing - missing // 2


def cut(pixels: npt.NDArray[np.float32], height: int, width: int) -> npt.NDArray[np.float32]:
    """The middle `height` x `width` of pixels (B, C, H, W): `padded` undone."""
    top, left = ((large - side) // 2 for large, side in zip(pixels.shape[2:], (height, width), strict=True))
    return pixels[:, :, top : top + height, left : left + width]


def feathered(mask: npt.NDArray[np.float32], width: int) -> npt.NDArray[np.float32]:
    """A mask (H, W) in 0..1 that rises from its edge inwards over `width` px, and nowhere lies above the given one.

    What is narrower than that rises to its own value in its middle nevertheless. Edges of the picture are none.
    """
    eroded, total = mask, mask.copy()
    for _ in range(width):
        eroded = _extreme(eroded, np.minimum)
        total += eroded
    total /= width + 1
    highest, highest_mask = total, mask
    for _ in range(width):
        highest, highest_mask = _extreme(highest, np.maximum), _extreme(highest_mask, np.maximum)
    return np.minimum(np.divide(total * highest_mask, highest, out=np.zeros_like(total), where=highest > 0), mask)


def _extreme(values: npt.NDArray[np.float32], which: np.ufunc) -> npt.NDArray[np.float32]:
    """The least or greatest of each 3 x 3 neighbourhood of (H, W)."""
    framed = np.pad(values, 1, "edge")
    across = which(which(framed[:, :-2], framed[:, 1:-1]), framed[:, 2:])
    found: npt.NDArray[np.float32] = which(which(across[:-2], across[1:-1]), across[2:])
    return found


def filled(pixels: npt.NDArray[np.float32], known: Bools) -> npt.NDArray[np.float32]:
    """Pixels (H, W, C) with those that are not known taken from around them, smoothly: a pyramid of averages.

    Args:
        known: (H, W), True where the pixels are.
    """
    if known.all():
        return pixels
    if min(known.shape) < 2:
        middle = pixels[known].mean(axis=0) if known.any() else pixels.mean(axis=(0, 1))
        return np.where(known[..., None], pixels, middle)
    height, width = known.shape
    weights = np.pad(known.astype(np.float32), ((0, height % 2), (0, width % 2)))[..., None]
    sums = _halved(np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0))) * weights)
    counts = _halved(weights)
    coarse = filled(sums / np.maximum(counts, 1), counts[..., 0] > 0)
    fine = _doubled(_doubled(coarse).swapaxes(0, 1)).swapaxes(0, 1)[:height, :width]
    return np.where(known[..., None], pixels, fine)


def _halved(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Sums of blocks of 2 x 2 of (H, W, C), both sides even."""
    height, width, channels = values.shape
    return values.reshape(height // 2, 2, width // 2, 2, channels).sum(axis=(1, 3))


def _doubled(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Twice as many rows, by linear interpolation."""
    framed = np.pad(values, ((1, 1), *[(0, 0)] * (values.ndim - 1)), "edge")
    near = np.float32(0.75) * values
    both = (near + np.float32(0.25) * framed[:-2], near + np.float32(0.25) * framed[2:])
    return np.stack(both, axis=1).reshape(-1, *values.shape[1:])


def settled(
    new: npt.NDArray[np.float32], old: npt.NDArray[np.float32], kept: Bools, most: float
) -> npt.NDArray[np.float32]:
    """A redrawn picture (H, W, C) with its drift of colours taken back: as far as it shows where the old one is kept.

    Autoencoders and few steps shift colours a little, which shows as a seam. Where both differ by more than `most` it
    is no drift, and is not followed.
    """
    drift = old - new
    followed = kept & (np.abs(drift).max(axis=-1) <= most)
    return new + filled(drift, followed) if followed.any() else new
