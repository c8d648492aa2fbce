"""The pieces that the models share."""

from __future__ import annotations

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from kandinsky_backend.models.layers import causal_mask, check_token_ids, padding_mask, timestep_sinusoid


def test_a_causal_mask_hides_later_tokens() -> None:
    hidden = causal_mask(3, ms.float32).asnumpy()[0, 0] != 0
    assert hidden.tolist() == [[False, True, True], [False, False, True], [False, False, False]]


def test_a_padding_mask_hides_zeros() -> None:
    mask = padding_mask(Tensor(np.array([[1, 1, 0], [1, 0, 0]])), ms.float32)
    assert mask.shape == (2, 1, 1, 3)
    assert (mask.asnumpy()[:, 0, 0] != 0).tolist() == [[False, False, True], [False, True, True]]


def test_two_masks_stay_finite_in_float16() -> None:
    both = padding_mask(Tensor(np.zeros((1, 4), np.int32)), ms.float16) + causal_mask(4, ms.float16)
    assert both.dtype == ms.float16
    assert np.isfinite(both.asnumpy()).all()


def test_a_masked_token_has_no_weight_at_all() -> None:
    scores = causal_mask(2, ms.float16).asnumpy()[0, 0, 0].astype(np.float32) + np.array([-100.0, 100.0], np.float32)
    assert np.exp(scores - scores.max())[1] == 0.0


def test_a_sinusoid_is_cosines_then_sines() -> None:
    row = timestep_sinusoid(100, 2, 4).asnumpy()
    np.testing.assert_allclose(row, [[np.cos(100), np.cos(1), np.sin(100), np.sin(1)]] * 2, atol=1e-6)


def test_a_sinusoid_of_odd_width_is_refused() -> None:
    with pytest.raises(ValueError, match="even width, not 5"):
        timestep_sinusoid(1, 1, 5)


def test_token_ids_are_checked_against_the_vocabulary() -> None:
    check_token_ids(np.array([[0, 9]]), 10)
    with pytest.raises(ValueError, match=r"token id 10 .* vocabulary of 10"):
        check_token_ids(np.array([[0, 10]]), 10)
