"""The arithmetic of a blend."""

from __future__ import annotations

import numpy as np
import pytest

from kandinsky_backend.blend.mixing import (
    blended,
    linear,
    normalised,
    shares,
    spherical,
)
from kandinsky_backend.errors import BlendError
from tests.refusals import refused

RNG = np.random.default_rng(3)
EMBEDS = RNG.standard_normal((4, 32)).astype(np.float32)


@pytest.mark.parametrize("blend", [linear, spherical])
@pytest.mark.parametrize("item", range(4))
def test_weight_one_on_one_item_gives_exactly_that_item(blend, item):
    weights = [0.0] * 4
    weights[item] = 1.0
    assert np.array_equal(blend(EMBEDS, weights), EMBEDS[item])


def test_linear_is_the_weighted_sum_and_takes_negative_weights():
    weights = [0.3, -0.2, 1.5, 0.0]
    expected = sum(w * e.astype(np.float64) for w, e in zip(weights, EMBEDS, strict=True))
    np.testing.assert_allclose(linear(EMBEDS, weights), expected, atol=1e-6)


def test_linear_does_not_normalise():
    np.testing.assert_allclose(linear(EMBEDS, [2.0, 0, 0, 0]), 2 * EMBEDS[0])


@pytest.mark.parametrize("t", [0.1, 0.25, 0.5, 0.8])
def test_spherical_between_two_items_is_slerp_with_interpolated_norm(t):
    a, b = EMBEDS[0].astype(np.float64), EMBEDS[1].astype(np.float64)
    a_norm, b_norm = np.linalg.norm(a), np.linalg.norm(b)
    angle = np.arccos(a @ b / a_norm / b_norm)
    direction = (np.sin((1 - t) * angle) * a / a_norm + np.sin(t * angle) * b / b_norm) / np.sin(angle)
    expected = direction * ((1 - t) * a_norm + t * b_norm)
    np.testing.assert_allclose(spherical(EMBEDS[:2], [1 - t, t]), expected, atol=1e-5)


def test_spherical_keeps_the_length_that_linear_loses():
    weights = [0.25] * 4
    mean_norm = np.linalg.norm(EMBEDS, axis=1).mean()
    assert np.linalg.norm(spherical(EMBEDS, weights)) == pytest.approx(mean_norm, rel=1e-5)
    assert np.linalg.norm(linear(EMBEDS, weights)) < 0.8 * mean_norm


def test_spherical_minimises_the_weighted_squared_angles():
    weights = np.array([0.1, 0.2, 0.3, 0.4])
    units = EMBEDS / np.linalg.norm(EMBEDS, axis=1, keepdims=True)

    def cost(direction):
        cosine = np.clip(units @ direction / np.linalg.norm(direction), -1, 1)
        return weights @ np.arccos(cosine) ** 2

    best = spherical(EMBEDS, list(weights)).astype(np.float64)
    nudges = RNG.standard_normal((50, 32)) * 0.05 * np.linalg.norm(best)
    assert all(cost(best) <= cost(best + nudge) + 1e-9 for nudge in nudges)


def test_spherical_only_sees_the_ratios_of_the_weights():
    np.testing.assert_allclose(spherical(EMBEDS, [1, 2, 3, 4]), spherical(EMBEDS, [0.1, 0.2, 0.3, 0.4]), atol=1e-5)


def test_a_negative_weight_moves_away_from_its_item_on_the_sphere():
    def cosine(a, b):
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    away = spherical(EMBEDS[:2], [1.2, -0.2])
    assert cosine(away, EMBEDS[1]) < cosine(EMBEDS[0], EMBEDS[1])


def test_the_order_of_the_items_does_not_matter_on_the_sphere():
    order = [2, 0, 3, 1]
    weights = np.array([0.1, 0.4, 0.3, 0.2])
    np.testing.assert_allclose(
        spherical(EMBEDS, list(weights)), spherical(EMBEDS[order], list(weights[order])), atol=1e-5
    )


@pytest.mark.parametrize(
    ("weights", "blending", "normalise", "code"),
    [
        ([], "linear", False, "no-weight"),
        ([0.0, 0.0], "linear", False, "no-weight"),
        ([0.0, 0.0], "linear", True, "no-weight"),
        ([0.0], "spherical", False, "no-weight"),
        ([0.5, -0.5], "linear", True, "no-sum"),
        ([0.5, -0.5], "spherical", True, "no-sum"),
        ([0.5, -0.5], "spherical", False, "no-positive-sum"),
        ([0.1, 0.2, -0.3], "spherical", False, "no-positive-sum"),  # 5.6e-17, by rounding
        ([-0.5, 0.2], "spherical", False, "no-positive-sum"),
    ],
)
def test_a_blend_that_cannot_be_is_refused_before_there_are_embeddings(weights, blending, normalise, code):
    with refused(BlendError, code):
        shares(weights, blending, normalise)


@pytest.mark.parametrize(
    ("weights", "blending", "normalise"),
    [([0.5, -0.5], "linear", False), ([-0.5, 0.2], "spherical", True), ([0.0, 1.0], "spherical", False)],
)
def test_a_blend_that_can_be_is_not_refused(weights, blending, normalise):
    assert np.isfinite(blended(EMBEDS[:2], shares(weights, blending, normalise), blending)).all()


def test_weights_are_mixed_as_they_are_or_divided_by_their_sum():
    assert shares([2.0, 6.0], "linear", normalise=False) == [2.0, 6.0]
    assert shares([2.0, 6.0], "spherical", normalise=True) == [0.25, 0.75]


def test_weights_may_come_as_an_array():
    weights = np.array([0.25, 0.75])
    np.testing.assert_array_equal(linear(EMBEDS[:2], weights), linear(EMBEDS[:2], [0.25, 0.75]))


def test_normalised_weights_add_up_to_one_and_keep_their_ratio():
    assert normalised([2.0, 6.0]) == [0.25, 0.75]


def test_weights_that_cancel_cannot_be_normalised():
    with refused(BlendError, "no-sum", weights=[0.5, -0.5]):
        normalised([0.5, -0.5])


def test_spherical_refuses_what_has_no_direction():
    with refused(BlendError, "no-positive-sum", weights=[0.5, -0.5]):
        spherical(EMBEDS[:2], [0.5, -0.5])
    with refused(BlendError, "cancelled-out"):
        spherical(np.stack([EMBEDS[0], -EMBEDS[0]]), [0.5, 0.5])
    with refused(BlendError, "no-direction", item=2):
        spherical(np.stack([EMBEDS[0], 0 * EMBEDS[0]]), [0.5, 0.5])
