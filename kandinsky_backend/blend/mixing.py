"""The arithmetic of a blend: several embeddings and weights become one embedding. Pure numpy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kandinsky_backend.errors import BlendError
from kandinsky_backend.sampling import Array, weighted_sum
from plugin_client.wire.settings import Blending

linear = weighted_sum  # the reference: weights are neither normalised nor clamped

_CANCELS = 1e-6  # weights whose sum is this small beside the largest of them add up to 0, but for rounding
_MAX_ITERATIONS = 200
_CONVERGED = 1e-9  # rad, of the last step along the sphere


def shares(weights: Sequence[float], blending: Blending, normalise: bool) -> list[float]:
    """The weights as they are mixed: divided by their sum if `normalise`.

    Args:
        weights: finite numbers.

    Raises:
        BlendError: all are 0, or they add up to what this kind of blend cannot use, whatever the embeddings are.
    """
    if not any(weights):
        raise BlendError("all weights are 0: give at least one item another weight", "no-weight")
    used = normalised(weights) if normalise else list(weights)
    if blending == "spherical":
        _check_positive_sum(used)
    return used


def blended(embeds: Array, shares: Sequence[float], blending: Blending) -> Array:
    """The blend (D,) of embeddings (N, D): `linear` or `spherical`."""
    return spherical(embeds, shares) if blending == "spherical" else linear(embeds, shares)


def normalised(weights: Sequence[float]) -> list[float]:
    """The weights divided by their sum.

    Raises:
        BlendError: the sum is zero, or so small beside the weights that the result would be noise.
    """
    total = float(sum(weights))
    if abs(total) < _CANCELS * _largest(weights):
        raise BlendError("the weights {weights} add up to 0 and cannot be normalised", "no-sum", weights=list(weights))
    return [weight / total for weight in weights]


def _check_positive_sum(weights: Sequence[float]) -> None:
    if sum(weights) < _CANCELS * _largest(weights):
        raise BlendError(
            "spherical blending needs weights with a positive sum, and {weights} have none",
            "no-positive-sum",
            weights=list(weights),
        )


def _largest(weights: Sequence[float]) -> float:
    return max(abs(weight) for weight in weights)


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
        raise BlendError(
            "the embedding of item {item} is zero and has no direction",
            "no-direction",
            item=used[int(np.argmin(norms))] + 1,
        )
    share /= share.sum()
    norm = np.abs(share) @ norms / np.abs(share).sum()
    return np.asarray(norm * _mean_direction(vectors / norms[:, None], share), np.float32)


def _mean_direction(directions: npt.NDArray[np.float64], share: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weighted mean (D,) of unit vectors (N, D) along great circles; `share` adds up to 1."""
    mean = share @ directions
    length = np.linalg.norm(mean)
    if length < 1e-6:
        raise BlendError(
            "the items point in opposite directions and cancel out: change a weight, or blend linearly", "cancelled-out"
        )
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
