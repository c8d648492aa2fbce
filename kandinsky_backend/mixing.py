"""The arithmetic of a blend: several embeddings and weights become one embedding. Pure numpy.

Kept apart from blend.py, which decides *what* is embedded, so that the maths reads and tests on its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Blending = Literal["linear", "spherical"]

_CANCELS = 1e-6  # weights whose sum is this small beside the largest of them add up to 0, but for rounding
_MAX_ITERATIONS = 200
_CONVERGED = 1e-9  # rad, of the last step along the sphere


class BlendError(ValueError):
    """A blend that cannot be made; the message names the value and what to do."""


def check_weights(weights: Sequence[float]) -> None:
    """Refuse weights that have no meaning as a blend.

    Raises:
        BlendError: there are none, one is NaN or infinite, or all are zero.
    """
    if len(weights) == 0:  # an array has no truth value
        raise BlendError("a blend needs at least one item with a weight")
    for index, weight in enumerate(weights):
        if not np.isfinite(weight):
            raise BlendError(f"the weight of item {index + 1} is {weight}: give a finite number")
    if not any(weights):
        raise BlendError("all weights are 0: give at least one item another weight")


def check_blend(weights: Sequence[float], blending: Blending, normalise: bool) -> None:
    """Refuse weights that `blended` could not mix, whatever the embeddings are.

    Raises:
        BlendError: they have no meaning, or add up to what this kind of blend cannot use.
    """
    check_weights(weights)
    if normalise:
        weights = normalised(weights)
    if blending == "spherical":
        _check_positive_sum(weights)


def blended(embeds: Array, weights: Sequence[float], blending: Blending, normalise: bool) -> Array:
    """`linear` or `spherical`, of weights that are first divided by their sum if `normalise`."""
    if normalise:
        weights = normalised(weights)
    return spherical(embeds, weights) if blending == "spherical" else linear(embeds, weights)


def normalised(weights: Sequence[float]) -> list[float]:
    """The weights divided by their sum.

    Raises:
        BlendError: the sum is zero, or so small beside the weights that the result would be noise.
    """
    total = float(sum(weights))
    if abs(total) < _CANCELS * _largest(weights):
        raise BlendError(f"the weights {list(weights)} add up to 0 and cannot be normalised")
    return [weight / total for weight in weights]


def _check_positive_sum(weights: Sequence[float]) -> None:
    if sum(weights) < _CANCELS * _largest(weights):
        raise BlendError(f"spherical blending needs weights with a positive sum, and {list(weights)} have none")


def _largest(weights: Sequence[float]) -> float:
    return max(abs(weight) for weight in weights)


def linear(embeds: Array, weights: Sequence[float]) -> Array:
    """sum_i weights[i] * embeds[i], as KandinskyPriorPipeline.interpolate of diffusers does it.

    Args:
        embeds: (N, D).
        weights: N numbers, negative ones too; neither normalised nor clamped.

    Returns:
        (D,). Weight 1 on one item and 0 on the others gives exactly that item.
    """
    blended = np.zeros(embeds.shape[1], np.float32)
    for embed, weight in zip(embeds, weights, strict=True):
        if weight:  # 0 * x is not 0 for every x, and -0.0 + x loses x's sign of zero
            blended = blended + np.float32(weight) * embed
    return blended


def spherical(embeds: Array, weights: Sequence[float]) -> Array:
    """The weighted mean of directions on the sphere, with the weighted mean of norms: for two items this is slerp.

    A straight line between two embeddings passes through shorter vectors than either end, which the decoder shows
    as paler pictures; this keeps their length. The mean is the fixed point of Buss and Fillmore, "Spherical averages
    and applications to spherical splines and interpolation", ACM TOG 20(2), 2001, algorithm A1. Only the weights'
    ratios matter; a negative weight moves away from its item.

    Args:
        embeds: (N, D), none of them zero.
        weights: N numbers with a positive sum.

    Returns:
        (D,). A single item of non-zero weight comes back exactly.

    Raises:
        BlendError: the sum of the weights is not positive, an embedding is zero, or the directions cancel out.
    """
    _check_positive_sum(weights)
    used = [index for index, weight in enumerate(weights) if weight]
    share = np.asarray([weights[index] for index in used], np.float64)
    if len(used) == 1:
        only: Array = embeds[used[0]].copy()
        return only
    vectors = embeds[used].astype(np.float64)
    norms = np.linalg.norm(vectors, axis=1)
    if not norms.all():
        raise BlendError(f"the embedding of item {used[int(np.argmin(norms))] + 1} is zero and has no direction")
    share /= share.sum()
    norm = np.abs(share) @ norms / np.abs(share).sum()
    return np.asarray(norm * _mean_direction(vectors / norms[:, None], share), np.float32)


def _mean_direction(directions: npt.NDArray[np.float64], share: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weighted mean (D,) of unit vectors (N, D) along great circles; `share` adds up to 1."""
    mean = share @ directions
    length = np.linalg.norm(mean)
    if length < 1e-6:
        raise BlendError("the items point in opposite directions and cancel out: change a weight, or blend linearly")
    mean /= length
    for _ in range(_MAX_ITERATIONS):
        cosine = directions @ mean
        across = directions - cosine[:, None] * mean  # tangent at the mean, length sin(angle)
        sine = np.linalg.norm(across, axis=1)
        angle = np.arctan2(sine, cosine)
        stretch = np.divide(angle, sine, out=np.ones_like(sine), where=sine > 1e-12)
        step = (share * stretch) @ across
        arc = np.linalg.norm(step)
        if arc < _CONVERGED:
            break
        mean = np.cos(arc) * mean + np.sin(arc) * step / arc
        mean /= np.linalg.norm(mean)
    return mean
